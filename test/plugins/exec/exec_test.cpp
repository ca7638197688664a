#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "test/support/watcher_harness.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Strings = std::vector<std::string>;

std::string Line(const std::string& protocol, const std::string& more = {}) {
  return R"({"apiVersion":"T/v1","protocol":")" + protocol + R"(","spec":{})" + more + "}";
}

// What stands in the README behind this fence.
std::string FromReadme(const std::string& fence) {
  std::ostringstream readme;
  readme << std::ifstream(std::string(TOWER_SOURCE_DIR) + "/plugins/exec/README.md").rdbuf();
  const auto text = readme.str();
  const auto begin = text.find(fence) + fence.size();
  return text.substr(begin, text.find("```", begin) - begin);
}

// A watcher that runs a shell script.
struct Fixture {
  TempDir folder;
  TestQueue queue;
  std::unique_ptr<WatcherHarness> watcher;

  void Start(const std::string& script, WatcherHarness::Options more = {}) {
    const auto path = folder.Write("script", script);
    more.push_back({"command", {"/bin/sh", path, folder / ""}});
    watcher = std::make_unique<WatcherHarness>(queue, "exec", more);
    watcher->Start();
  }
  bool Has(const std::string& name) const { return std::filesystem::exists(folder / name); }
  std::string Content(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(folder / name).rdbuf();
    return text.str();
  }
};

TEST_CASE("each line that a program prints becomes a trigger, byte for byte", "[exec]") {
  Fixture f;
  f.Start("printf '%s\\n\\n%s\\r\\n%s' '" + Line("A", R"(,"metadata":{"spec":{"x":1.0}})") + "' '" +
          Line("B") + "' '" + Line("C") + "'; sleep 0.1; echo; exec sleep 1000");
  const auto taken = f.queue.Take(3);
  REQUIRE(taken.size() == 3);
  CHECK(taken[0].protocol + taken[1].protocol + taken[2].protocol == "ABC");
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("metadata":{"spec":{"x":1.0}})"));
  CHECK(taken[0].source == "test");
  CHECK(f.watcher->Stop());
  CHECK(f.queue.Empty());
}

TEST_CASE("a line that is no trigger is reported by number, and the next one taken", "[exec]") {
  const CapturedLogs logs;
  Fixture f;
  const std::string uuid = R"(,"uuid":"01890a5d-ac96-774b-bcce-b302099a8057")";
  f.Start("echo nonsense; echo '" + Line("A", R"(,"extra":1)") + "'\n" +
              "head -c 5000 /dev/zero | tr '\\0' x; echo\n" +  //
              "echo '" + Line("A", uuid) + "'; echo '" + Line("B", uuid) + "'; echo '" +
              Line("C", uuid) + "'; echo '" + Line("A", uuid) + "'; echo '" + Line("D") +
              "'; exec sleep 1000",
          {{"max-line", {"4KiB"}}});
  CHECK(f.queue.TakeProtocols(2) == Strings{"A", "D"});
  CHECK(Eventually([&] { return f.watcher->rejected.value() == 5; }));
  CHECK_THAT(logs.text(), ContainsSubstring(R"("line":1)") && ContainsSubstring("/extra") &&
                              ContainsSubstring("is longer than max-line") &&
                              ContainsSubstring("trigger rejected"));
}

TEST_CASE("with a map a line may be any JSON, and mean several triggers or none", "[exec]") {
  const CapturedLogs logs;
  Fixture f;
  f.Start(
      "echo '{\"names\":[\"A\",\"B\"]}'; echo '{\"names\":[]}'; echo nonsense\n"
      "echo '{}'; echo '{\"names\":[\"C\"]}'; exec sleep 1000",
      {{"map-file", {f.folder.Write("map.lua", R"(local out = {}
            for _, name in ipairs(event.names) do
              print("name", name)
              table.insert(out, {apiVersion = "T/v1", protocol = name, spec = {}})
            end
            return out)")}}});
  CHECK(f.queue.TakeProtocols(3) == Strings{"A", "B", "C"});
  CHECK(f.watcher->rejected.value() == 2);
  CHECK_THAT(logs.text(), ContainsSubstring("the event is not JSON") &&
                              ContainsSubstring("map.lua:2: attempt to index a nil value") &&
                              ContainsSubstring("(line 4)") && ContainsSubstring("name\\tC"));
}

TEST_CASE("a map that can't be loaded stops the watcher, and is found by check", "[exec]") {
  TestQueue queue;
  WatcherHarness watcher(queue, "exec", {{"command", {"/bin/sh"}}, {"map", {"event +"}}});
  CHECK_THAT(watcher.Check().error().message, ContainsSubstring("map:1: unexpected"));
  watcher.Start();
  REQUIRE(Eventually([&] { return watcher.ended(); }));
  CHECK(watcher.result().error().code == ErrorCode::kInvalid);
  CHECK_THROWS(WatcherHarness(queue, "exec",
                              {{"command", {"/bin/sh"}}, {"map", {"1"}}, {"map-file", {"x"}}}));
}

TEST_CASE("the map in the README does what it says", "[exec]") {
  Fixture f;
  f.Start(
      "echo '{\"scale\":\"left\",\"grams\":0.25}'; echo '{\"scale\":\"left\",\"grams\":1.25}'\n"
      "exec sleep 1000",
      {{"map-file", {f.folder.Write("weigh.lua", FromReadme("```lua\n"))}}});
  const auto taken = f.queue.Take(1);
  REQUIRE(taken.size() == 1);
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("spec":{"mg":1250.0,"scale":"left"})"));
}

TEST_CASE("a program that ends is an error that says how, with its last words", "[exec]") {
  const CapturedLogs logs;
  Fixture f;
  std::string expected;
  SECTION("code") {
    f.Start("echo '" + Line("A") + "'; printf 'no scanner\\n' >&2; exit 3");
    expected = "ended with exit code 3: no scanner";
  }
  SECTION("signal") {
    f.Start("echo '" + Line("A") + "'; kill -SEGV $$");
    expected = "signal 11 (Segmentation fault)";
  }
  SECTION("end") {
    f.Start("echo '" + Line("A") + "'; printf half");
    expected = "exit code 0; set interval";
  }
  REQUIRE(Eventually([&] { return f.watcher->ended(); }));
  REQUIRE_FALSE(f.watcher->result());
  CHECK(f.watcher->result().error().code == ErrorCode::kUnavailable);
  CHECK_THAT(f.watcher->result().error().message, ContainsSubstring(expected));
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  if (expected.find("interval") != std::string::npos) {
    CHECK_THAT(logs.text(), ContainsSubstring("last line ignored: it has no line feed"));
    CHECK(f.watcher->rejected.value() == 1);
  }
}

TEST_CASE("with an interval a program runs again and again", "[exec]") {
  Fixture f;
  f.Start("echo '" + Line("A") + "'; exit $(cat \"$1/code\" 2>/dev/null || echo 0)",
          {{"interval", {"20ms"}}});
  CHECK(f.queue.Take(3).size() == 3);
  CHECK_FALSE(f.watcher->ended());
  f.folder.Write("code", "7");
  REQUIRE(Eventually([&] { return f.watcher->ended(); }));
  CHECK_THAT(f.watcher->result().error().message, ContainsSubstring("exit code 7"));
}

TEST_CASE("a stop ends the whole group, after a grace by force", "[exec]") {
  Fixture f;
  const auto gone = [&](const std::string& file) {
    const int pid = std::atoi(f.Content(file).c_str());
    REQUIRE(pid > 0);
    return Eventually([pid] { return kill(pid, 0) != 0; });
  };
  SECTION("a program that tidies up") {
    f.Start(
        "trap 'touch \"$1/tidy\"; exit 0' TERM\nsleep 1000 & echo $! > \"$1/child\"\n"
        "echo $$ > \"$1/self\"; touch \"$1/up\"; wait",
        {{"grace", {"30s"}}});
    REQUIRE(Eventually([&] { return f.Has("up"); }));
    CHECK(f.watcher->Stop());
    CHECK(f.Has("tidy"));
    CHECK(gone("child"));
  }
  SECTION("a program that does not listen") {
    f.Start("trap '' TERM\necho $$ > \"$1/self\"; touch \"$1/up\"; while :; do sleep 1000; done",
            {{"grace", {"50ms"}}});
    REQUIRE(Eventually([&] { return f.Has("up"); }));
    CHECK(f.watcher->Stop());
  }
  CHECK(gone("self"));
}

TEST_CASE("a child that holds the output does not keep a program alive", "[exec]") {
  Fixture f;
  f.Start("sleep 1000 & echo $! > \"$1/child\"; echo '" + Line("A") + "'; exit 5");
  REQUIRE(Eventually([&] { return f.watcher->ended(); }));
  CHECK_THAT(f.watcher->result().error().message, ContainsSubstring("exit code 5"));
  const int child = std::atoi(f.Content("child").c_str());
  REQUIRE(child > 0);
  CHECK(Eventually([child] { return kill(child, 0) != 0; }));
}

TEST_CASE("a program sees the environment that is listed, and no more", "[exec]") {
  Fixture f;
  setenv("EXEC_TEST_HANDED", "on", 1);
  setenv("EXEC_TEST_SECRET", "hidden", 1);
  f.Start("/usr/bin/env > \"$1/seen\"; pwd > \"$1/where\"; touch \"$1/up\"; exec sleep 1000",
          {{"environment", {"A=b=c", "EXEC_TEST_HANDED", "EXEC_TEST_MISSING"}},
           {"working-dir", {f.folder / ""}}});
  REQUIRE(Eventually([&] { return f.Has("up"); }));
  const auto seen = f.Content("seen");
  CHECK_THAT(seen, ContainsSubstring("A=b=c\n") && ContainsSubstring("EXEC_TEST_HANDED=on\n"));
  CHECK_THAT(seen, !ContainsSubstring("SECRET") && !ContainsSubstring("MISSING") &&
                       !ContainsSubstring("HOME"));
  CHECK(std::filesystem::equivalent(f.Content("where").substr(0, f.Content("where").size() - 1),
                                    f.folder / ""));
}

TEST_CASE("a program starts as if control-tower had set nothing for itself", "[exec]") {
  Fixture f;
  const std::array signals = {SIGPIPE, SIGXFSZ, SIGHUP, SIGUSR1};
  std::array<sighandler_t, signals.size()> before{};
  for (std::size_t i = 0; i < signals.size(); ++i) before[i] = signal(signals[i], SIG_IGN);
  rlimit files{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  const rlimit changed{files.rlim_cur / 2, files.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &changed) == 0);
  const int given = open(f.folder.Write("given", "").c_str(), O_RDONLY);  // without O_CLOEXEC
  REQUIRE(given > STDERR_FILENO);

  // No script in a file: the shell would have that open.
  f.watcher = std::make_unique<WatcherHarness>(
      f.queue, "exec",
      WatcherHarness::Options{{"command",
                               {"/bin/sh", "-c",
                                "/bin/grep -E 'Sig(Ign|Blk)' /proc/self/status > \"$0/signals\"\n"
                                "ulimit -Sn > \"$0/limit\"\n"
                                "/bin/ls -l /proc/$$/fd > \"$0/files\"\n"
                                "echo > \"$0/up\"; exec /bin/sleep 1000",
                                f.folder / ""}}});
  f.watcher->Start();
  CHECK(Eventually([&] { return f.Has("up"); }));
  close(given);
  setrlimit(RLIMIT_NOFILE, &files);
  for (std::size_t i = 0; i < signals.size(); ++i) signal(signals[i], before[i]);

  // glibc keeps signals 32 and 33 for itself: its posix_spawn, by which make starts programs,
  // leaves them ignored, and its sigaction refuses to change that.
  constexpr unsigned long long kOfGlibc = 3ULL << 31U;
  const auto set = [&, masks = f.Content("signals")](const std::string& name) {
    return std::stoull(masks.substr(masks.find(name) + name.size()), nullptr, 16) & ~kOfGlibc;
  };
  CHECK(set("SigBlk:") == 0);
  CHECK(set("SigIgn:") == 0);
  CHECK(f.Content("limit") == std::to_string(files.rlim_cur) + "\n");
  const auto open_files = f.Content("files");
  CHECK_THAT(open_files, ContainsSubstring(" 0 -> /dev/null") && ContainsSubstring(" 2 -> pipe:"));
  CHECK_THAT(open_files, !ContainsSubstring("/given") && !ContainsSubstring(" 3 -> "));
}

TEST_CASE("a command that can't be is refused with what it should be", "[exec]") {
  TestQueue queue;
  const auto fault = [&](const WatcherHarness::Options& options) -> std::string {
    try {
      WatcherHarness watcher(queue, "exec", options);
      const auto check = watcher.Check();
      return check ? "" : check.error().message;
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  };
  CHECK_THAT(fault({{"command", {"sh"}}}), ContainsSubstring("absolute path"));
  CHECK_THAT(fault({{"command", {"a", "b"}}, {"shell", {"true"}}}), ContainsSubstring("one text"));
  CHECK_THAT(fault({{"command", {"/bin/sh"}}, {"environment", {"=x"}}}),
             ContainsSubstring("NAME=VALUE"));
  for (const auto* ours : {"CONTROL_TOWER_AMQP_URL", "PLUGIN_LIMS_API_KEY_FILE"}) {
    CHECK_THAT(fault({{"command", {"/bin/sh"}}, {"environment", {ours}}}),
               ContainsSubstring(ours) && ContainsSubstring("may hold a secret"));
  }
  CHECK(fault({{"command", {"/bin/sh"}}, {"environment", {"PLUGIN_X=1", "PLUGINS"}}}).empty());
  CHECK_THAT(fault({{"command", {"/nowhere/x"}}}), ContainsSubstring("no such file"));
  CHECK_THAT(fault({{"command", {"/bin/sh"}}, {"working-dir", {"/nowhere"}}}),
             ContainsSubstring("not a folder"));
  CHECK(fault({{"command", {"/bin/sh"}}}).empty());
  CHECK_THAT(fault({{"command", {"/bin"}}}), ContainsSubstring("/bin: not a regular file"));

  // A whole command line as the name of the program.
  const std::string line = "/bin/sh foo.sh";
  const auto hint = "each of its arguments must be separate values: \"/bin/sh\", then \"foo.sh\"";
  CHECK_THAT(fault({{"command", {line}}}),
             ContainsSubstring(line + ": no such file") && ContainsSubstring(hint));
  WatcherHarness whole(queue, "exec", {{"command", {line}}});
  whole.Start();
  REQUIRE(Eventually([&] { return whole.ended(); }));
  CHECK_THAT(whole.result().error().message, ContainsSubstring(hint));

  // What an interpreter is to read.
  const TempDir folder;
  const auto script = folder.Write("there.py", "");
  CHECK_THAT(fault({{"command", {"/bin/sh", "/nowhere/x.sh"}}}),
             ContainsSubstring("command: /nowhere/x.sh: no such file"));
  CHECK_THAT(fault({{"command", {"/bin/sh", "gone.sh"}}, {"working-dir", {folder / ""}}}),
             ContainsSubstring("gone.sh: no such file"));
  CHECK(fault({{"command", {"/bin/sh", "there.py"}}, {"working-dir", {folder / ""}}}).empty());
  CHECK(fault({{"command", {"/bin/sh", script, "/nowhere/y"}}}).empty());
  CHECK(fault({{"command", {"/bin/sh", "-c", "exit 0.5"}}}).empty());
  CHECK(fault({{"command", {"/bin/echo", "/nowhere/x.sh"}}}).empty());

  WatcherHarness missing(queue, "exec", {{"command", {"/nowhere/x"}}});
  missing.Start();
  REQUIRE(Eventually([&] { return missing.ended(); }));
  CHECK(missing.result().error().code == ErrorCode::kPermanent);
  CHECK_THAT(missing.result().error().message, ContainsSubstring("/nowhere/x"));
}

TEST_CASE("a shell runs the command where it is asked for", "[exec]") {
  TestQueue queue;
  WatcherHarness watcher(queue, "exec",
                         {{"command", {"echo '" + Line("A") + "' | cat; exec sleep 1000"}},
                          {"shell", {"true"}},
                          {"environment", {"PATH=/usr/bin:/bin"}}});
  watcher.Start();
  CHECK(queue.TakeProtocols(1) == Strings{"A"});
}

// The program in the README, and the log that it reads.
struct Scanner {
  TempDir folder;
  const std::string log = folder.Write("scanner.log", "");
  TestQueue queue;
  WatcherHarness watcher;

  Scanner()
      : watcher(queue, "exec",
                {{"command",
                  {"/usr/bin/python3", folder.Write("barcodes.py", FromReadme("```python\n")), log,
                   folder / "memory"}}}) {
    watcher.Start();
  }
  void Append(const std::string& text, const std::string& suffix = "") const {
    std::ofstream(log + suffix, std::ios::app) << text;
  }
  void Truncate() const { std::filesystem::resize_file(log, 0); }
  // The plates of the next triggers.
  Strings Take(std::size_t count) {
    Strings plates;
    for (const auto& taken : queue.Take(count)) {
      const std::string before = R"("plate": ")";
      const auto begin = taken.body.find(before) + before.size();
      plates.push_back(taken.body.substr(begin, taken.body.find('"', begin) - begin));
    }
    return plates;
  }
  // Stops the program, and starts it again once `meanwhile` is done.
  void Restart(const std::function<void()>& meanwhile) {
    CHECK(watcher.Stop());
    meanwhile();
    watcher.Start();
  }
};

TEST_CASE("the program in the README takes each line of a log once", "[exec][readme]") {
  Scanner scanner;
  scanner.Append("P-1\nP-");
  CHECK(scanner.Take(1) == Strings{"P-1"});
  scanner.Append("2\nP-1\n");  // scanned again
  CHECK(scanner.Take(2) == Strings{"P-2", "P-1"});
  scanner.Restart([&] { scanner.Append("P-3\n"); });  // tells all of it again
  CHECK(scanner.Take(1) == Strings{"P-3"});
  CHECK(scanner.queue.Empty());
}

TEST_CASE("the program in the README loses nothing and doubles nothing when its log is renamed",
          "[exec][readme]") {
  Scanner scanner;
  scanner.Append("P-1\n");
  CHECK(scanner.Take(1) == Strings{"P-1"});
  std::ofstream old(scanner.log, std::ios::app);  // has the log open
  std::filesystem::rename(scanner.log, scanner.log + ".1");
  scanner.Append("P-1\n");  // the same line at the same place
  CHECK(scanner.Take(1) == Strings{"P-1"});
  old << "P-2\n" << std::flush;
  CHECK(scanner.Take(1) == Strings{"P-2"});
  scanner.Restart([&] {
    scanner.Append("P-3\n");
    std::filesystem::rename(scanner.log + ".1", scanner.log + ".2");
    std::filesystem::rename(scanner.log, scanner.log + ".1");
    scanner.Append("P-1\nP-4\n");
  });
  CHECK(scanner.Take(3) == Strings{"P-3", "P-1", "P-4"});
  CHECK(scanner.queue.Empty());
}

TEST_CASE("the program in the README loses nothing and doubles nothing when its log is truncated",
          "[exec][readme]") {
  Scanner scanner;
  const auto copy_and_truncate = [&](const std::string& suffix) {
    std::filesystem::copy_file(scanner.log, scanner.log + suffix);
    scanner.Truncate();
  };
  scanner.Append("P-1\nP-2\n");
  CHECK(scanner.Take(2) == Strings{"P-1", "P-2"});
  copy_and_truncate(".1");
  scanner.Append("P-1\n");  // the same line at the same place
  CHECK(scanner.Take(1) == Strings{"P-1"});
  scanner.Append("P-3\n", ".1");  // as if it had come just before the copy was made
  CHECK(scanner.Take(1) == Strings{"P-3"});
  scanner.Restart([&] {
    scanner.Append("P-4\n");
    copy_and_truncate(".2");
    scanner.Append("P-5\n");
  });
  CHECK(scanner.Take(2) == Strings{"P-4", "P-5"});
  scanner.Truncate();  // without a copy
  scanner.Append("P-6\n");
  CHECK(scanner.Take(1) == Strings{"P-6"});
  CHECK(scanner.queue.Empty());
}

}  // namespace
}  // namespace tower
