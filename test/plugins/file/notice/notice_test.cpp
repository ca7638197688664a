// How files are noticed: events, looks, polling, globs, folders that come and go.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/plugins/file/inbox.h"

namespace tower::file {
namespace {

using Catch::Matchers::ContainsSubstring;

// A file that is being written.
class Writer {
 public:
  explicit Writer(const std::string& path)
      : fd_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    REQUIRE(fd_ >= 0);
  }
  ~Writer() { Close(); }
  void Write(std::string_view text) const {
    REQUIRE(write(fd_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

TEST_CASE("a half-written file is not read before it is closed", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  const auto text = "[" + TriggerJson("A") + "," + TriggerJson("B") + "]";
  Writer writer(inbox / "a.json");
  writer.Write(std::string_view(text).substr(0, 20));
  CHECK(inbox.NothingMore());
  writer.Write(std::string_view(text).substr(20));
  CHECK(inbox.NothingMore());
  writer.Close();
  CHECK(inbox.queue.TakeProtocols(2) == Strings{"A", "B"});
  CHECK(watcher.rejected.value() == 0);
}

TEST_CASE("a look leaves alone what is being written, however long ago that was", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch({{"recursive", {"true"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  Writer writer(inbox / "a.json");
  writer.Write("{");
  Age(inbox / "a.json", 3600);
  // So many new folders at once lead to a look at everything.
  watcher.HoldAtNextSuccess();
  inbox.Drop("hold.json", "Hold");
  REQUIRE(watcher.WaitUntilHeld());
  for (int i = 0; i < 1001; ++i) std::filesystem::create_directory(inbox / std::to_string(i));
  watcher.Release();
  REQUIRE(watcher.WaitForSuccesses(3));
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"Hold"});
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 0);
}

TEST_CASE("a file that is written again is not read half", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.Write("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  watcher.HoldAtNextSuccess();
  inbox.Drop("hold.json", "Hold");
  REQUIRE(watcher.WaitUntilHeld());
  // Deleted, written and closed, and opened again: three events of which the last one counts.
  std::filesystem::remove(inbox / "a.json");
  inbox.Write("a.json", "A2");
  Writer writer(inbox / "a.json");
  writer.Write("{");
  watcher.Release();
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"Hold"});
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 0);
  writer.Write(TriggerJson("A3").substr(1));
  writer.Close();
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A3"});
}

TEST_CASE("a file found by a look is not read before it has settled", "[file]") {
  Inbox inbox;
  const std::string mode = GENERATE("poll", "inotify");
  inbox.Write("old.json", "Old");
  Age(inbox / "old.json", 7200);
  inbox.WriteText("young.json", "{");
  auto& watcher = inbox.Watch({{"mode", {mode}},
                               {"poll-interval", {"10ms"}},
                               {"rescan-interval", {"10ms"}},
                               {"settle", {"1h"}}});
  REQUIRE(watcher.WaitForSuccesses(5));
  CHECK(watcher.rejected.value() == 0);
  // When polling, the clock may be another machine's, so that age says nothing.
  if (mode == "inotify") CHECK(inbox.queue.TakeProtocols(1) == Strings{"Old"});
  CHECK(inbox.queue.Empty());
  CHECK(watcher.Stop());
  inbox.Write("young.json", "Young");
  inbox.Watch({{"mode", {mode}}, {"poll-interval", {"10ms"}}});
  CHECK(inbox.queue.TakeProtocols(mode == "poll" ? 2 : 1).back() == "Young");
}

TEST_CASE("polling finds new, changed and moved files", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch({{"mode", {"poll"}}, {"poll-interval", {"10ms"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.Write("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  inbox.Drop("b.json", "B");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"B"});
  inbox.Drop("a.json", "C");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"C"});
  CHECK(inbox.NothingMore());
}

TEST_CASE("a change that events do not tell is found by the next look", "[file]") {
  Inbox inbox;
  inbox.Write("a.json", "A");
  auto& watcher = inbox.Watch({{"rescan-interval", {"20ms"}}, {"settle", {"10s"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  // Another time is no event that is listened to.
  Age(inbox / "a.json", 3600);
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
}

TEST_CASE("a file that is linked in is taken", "[file]") {
  Inbox inbox;
  REQUIRE(inbox.Watch().WaitForSuccesses(1));
  std::filesystem::create_hard_link(inbox.dir.Write("elsewhere", TriggerJson("A")),
                                    inbox / "a.json");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
}

TEST_CASE("an overflow of the event queue leads to a look at everything", "[file]") {
  int limit = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
  if (limit <= 0 || limit > 100'000) SKIP("fs.inotify.max_queued_events is " << limit);
  Inbox inbox;
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  watcher.HoldAtNextSuccess();
  inbox.Drop("a.json", "A");
  REQUIRE(watcher.WaitUntilHeld());
  inbox.WriteText("x.txt", "");
  for (int i = 0; i <= limit; ++i) {
    const bool there = i % 2 == 0;
    std::filesystem::rename(inbox / (there ? "x.txt" : "y.txt"),
                            inbox / (there ? "y.txt" : "x.txt"));
  }
  inbox.Drop("b.json", "B");
  watcher.Release();
  CHECK(inbox.queue.TakeProtocols(2) == Strings{"A", "B"});
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("overflowed"));
  CHECK(inbox.NothingMore());
}

TEST_CASE("folders below are watched when asked for, new ones too", "[file]") {
  Inbox inbox;
  const bool recursive = GENERATE(true, false);
  inbox.Write("old/deep/a.json", "A");
  REQUIRE(inbox.Watch({{"recursive", {recursive ? "true" : "false"}}}).WaitForSuccesses(1));
  if (recursive) CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  std::filesystem::create_directories(inbox / "new/deep");
  inbox.Write("new/deep/b.json", "B");
  if (recursive) CHECK(inbox.queue.TakeProtocols(1) == Strings{"B"});
  std::filesystem::rename(inbox / "new", inbox / "other");
  if (recursive) CHECK(inbox.queue.TakeProtocols(1) == Strings{"B"});
  inbox.Write("other/deep/c.json", "C");
  if (recursive) CHECK(inbox.queue.TakeProtocols(1) == Strings{"C"});
  inbox.Write(".git/d.json", "D");
  CHECK(inbox.NothingMore());
}

TEST_CASE("a glob chooses files and folders", "[file]") {
  Inbox inbox;
  inbox.Write("run-1/out/a.json", "A");
  inbox.Write("run-1/out/a.txt", "Text");
  inbox.Write("other/out/b.json", "B");
  inbox.Write("run-1/deep/out/b.json", "B");
  SECTION("files") {
    REQUIRE(inbox.Watch({{"path", {inbox / "run-*/out/*.json"}}}).WaitForSuccesses(1));
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
    inbox.Write("run-2/out/c.json", "C");
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"C"});
    inbox.Write("run-2/out/c.ndjson", "No");
    inbox.Write("run-2/d.json", "No");
    inbox.Write("run-2/out/.hidden.json", "No");
    inbox.Write("run-2/out/d.json", "D");
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"D"});
  }
  SECTION("folders") {
    REQUIRE(inbox.Watch({{"path", {inbox / "run-?/out"}}}).WaitForSuccesses(1));
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
    inbox.Write("run-2/out/c.ndjson", "C");
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"C"});
  }
  SECTION("nothing, when it is escaped") {
    inbox.Write("[x]/e.json", "E");
    REQUIRE(inbox.Watch({{"path", {inbox / "\\[x\\]"}}}).WaitForSuccesses(1));
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"E"});
  }
  CHECK(inbox.queue.Empty());
}

TEST_CASE("a file can be watched by name, before it is there too", "[file]") {
  Inbox inbox;
  inbox.Write("other.json", "Other");
  REQUIRE(inbox.Watch({{"path", {inbox / "only.txt"}}}).WaitForSuccesses(1));
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("path does not exist yet"));
  inbox.Write("only.txt", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  inbox.Drop("only.txt", "B");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"B"});
  CHECK(inbox.queue.Empty());
}

TEST_CASE("several paths are watched at once, and one that is missing blocks nobody", "[file]") {
  Inbox inbox;
  inbox.dir.Write("second/b.json", TriggerJson("B"));
  inbox.Watch({{"path", {inbox.dir / "missing/folder", inbox.dir / "second", inbox.path()}}});
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"B"});
  CHECK(inbox.NothingMore());
  inbox.dir.Write("missing/folder/c.json", TriggerJson("C"));
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"C"});
}

TEST_CASE("a folder may be given twice, and each file is taken once", "[file]") {
  Inbox inbox;
  REQUIRE(inbox.Watch({{"path", {inbox.path(), inbox / "*.json"}}}).WaitForSuccesses(2));
  inbox.Drop("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(inbox.NothingMore());
}

TEST_CASE("a folder that is deleted and made again is watched again", "[file]") {
  Inbox inbox;
  const std::string mode = GENERATE("auto", "poll");
  // With a second path: were there none to watch, if only for a moment, Run would end.
  const auto other = inbox.dir / "other";
  std::filesystem::create_directory(other);
  auto& watcher =
      inbox.Watch({{"path", {inbox.path(), other}}, {"mode", {mode}}, {"poll-interval", {"10ms"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.Drop("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  std::filesystem::remove_all(inbox.path());
  std::filesystem::create_directory(inbox.path());
  inbox.Drop("b.json", "B");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"B"});
  std::filesystem::rename(inbox.path(), inbox.dir / "away");
  inbox.Write("c.json", "C");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"C"});
  CHECK_FALSE(watcher.ended());
}

TEST_CASE("where nothing can be watched the supervisor is told", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch({{"path", {inbox.dir / "missing/folder"}}});
  CHECK(Eventually([&] { return watcher.ended(); }));
  const auto result = watcher.Stop();
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::kUnavailable);
  CHECK_THAT(result.error().message, ContainsSubstring("missing/folder: open: no such file"));
  auto check = watcher.Check();
  REQUIRE_FALSE(check);
  CHECK_THAT(check.error().message, ContainsSubstring("missing/folder"));
  CHECK(inbox.Make().Check());
}

TEST_CASE("check finds a folder that nothing can be moved to", "[file]") {
  Inbox inbox;
  const auto says = [&inbox](const std::string& option, const std::string& folder) {
    const auto check = inbox.Make({{"after", {"move"}}, {option, {folder}}}).Check();
    return check ? "" : check.error().message;
  };
  CHECK_THAT(says("done-dir", "/proc/x"),
             ContainsSubstring("done-dir /proc/x: it is on another file system than"));
  CHECK_THAT(says("failed-dir", "/proc"), ContainsSubstring("failed-dir /proc: it is on another"));
  CHECK_THAT(says("done-dir", inbox.dir / "a/b"), ContainsSubstring("a: no such file"));
  CHECK_THAT(says("done-dir", inbox.dir.Write("file", "")), ContainsSubstring("is not a folder"));
  CHECK(says("done-dir", inbox.dir / "made").empty());
  CHECK(says("done-dir", inbox.dir / "").empty());
  CHECK(says("done-dir", "done").empty());
  CHECK_FALSE(std::filesystem::exists(inbox.dir / "made"));
}

TEST_CASE("two instances watch the same folder on their own", "[file]") {
  Inbox inbox;
  WatcherHarness other(inbox.queue, "file", {{"path", {inbox.path()}}, {"settle", {"1ms"}}},
                       "other");
  other.Start();
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  REQUIRE(other.WaitForSuccesses(1));
  inbox.Drop("a.json", "A");
  const auto taken = inbox.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].source != taken[1].source);
  CHECK(taken[0].protocol == "A");
  CHECK(taken[1].protocol == "A");
  CHECK(inbox.queue.Empty());
}

}  // namespace
}  // namespace tower::file
