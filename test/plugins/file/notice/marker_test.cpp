// Folders that are complete only when a marker appears in them.
#include "plugins/file/notice/marker.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>

#include "test/plugins/file/inbox.h"

namespace tower::file {
namespace {

using Catch::Matchers::ContainsSubstring;
using Options = WatcherHarness::Options;

// A sequencer's folder of runs.
class Runs : public Inbox {
 public:
  static Options WithMap(Options more = {}) {
    Options options = {
        {"recursive", {"true"}},
        {"marker", {"RTAComplete.txt"}},
        {"map", {R"({apiVersion = "Seq/v1", protocol = event.name, spec = event})"}}};
    for (auto& option : more) options.push_back(std::move(option));
    return options;
  }
  // A run that is complete, made elsewhere.
  std::string Make(const std::string& name, const std::string& text = "done") const {
    dir.Write("made/" + name + "/RunInfo.xml", "<x/>");
    dir.Write("made/" + name + "/Data/1.bcl", "...");
    dir.Write("made/" + name + "/RTAComplete.txt", text);
    return dir / ("made/" + name);
  }
  // A file that comes whole: half of a marker is another content, where a look by poll finds it.
  void Place(const std::string& name, const std::string& text) const {
    std::filesystem::rename(dir.Write("made/next", text), *this / name);
  }
  void MoveIn(const std::string& name) const { std::filesystem::rename(Make(name), *this / name); }
  // A run that comes after all others, and whether it is the only one that is noticed.
  bool NoOtherRun() {
    const std::string name = "last" + std::to_string(++last_);
    MoveIn(name);
    return queue.TakeProtocols(1) == Strings{name} && queue.Empty();
  }
  using Inbox::Make;

 private:
  int last_ = 0;
};

TEST_CASE("a folder is an event once the marker is in it", "[file][marker]") {
  Runs runs;
  const std::string mode = GENERATE("auto", "poll");
  const bool before = GENERATE(true, false);
  if (before) runs.MoveIn("run0");
  auto& watcher = runs.Watch(Runs::WithMap({{"mode", {mode}}, {"poll-interval", {"10ms"}}}));
  if (before) {
    CHECK(runs.queue.TakeProtocols(1) == Strings{"run0"});
  } else {
    REQUIRE(watcher.WaitForSuccesses(1));
  }
  runs.WriteText("run1/RunInfo.xml", "<x/>");
  runs.WriteText("run1/Data/1.bcl", "...");
  CHECK(runs.NoOtherRun());
  runs.WriteText("run1/SampleSheet.csv", "a,b");
  runs.Place("run1/RTAComplete.txt", "11/24/2026,08:15:00\r\n");
  const auto taken = runs.queue.Take(1);
  REQUIRE(taken.size() == 1);
  // What Lua writes has its members sorted.
  CHECK_THAT(taken[0].body,
             ContainsSubstring(R"("spec":{"files":["RTAComplete.txt","RunInfo.xml",)"
                               R"("SampleSheet.csv"],"marker":{"name":"RTAComplete.txt",)"
                               R"("text":"11/24/2026,08:15:00\u000d\n"},"name":"run1","path":")" +
                               runs.path() + R"(/run1"}})"));
  CHECK(runs.NoOtherRun());
}

TEST_CASE("a run that is moved in whole is noticed, however deep", "[file][marker]") {
  Runs runs;
  REQUIRE(runs.Watch(Runs::WithMap()).WaitForSuccesses(1));
  runs.Make("2026/november/run1");
  runs.Make("2026/november/run2");
  std::filesystem::rename(runs.dir / "made/2026", runs / "2026");
  auto taken = runs.queue.TakeProtocols(2);
  std::sort(taken.begin(), taken.end());
  CHECK(taken == Strings{"run1", "run2"});
  // Folders that come into being one after the other.
  for (int i = 0; i < 20; ++i) {
    const auto name = "slow" + std::to_string(i);
    const auto folder = std::filesystem::path(runs / ("2026/" + name + "/x/" + name));
    std::filesystem::create_directories(folder);
    std::filesystem::rename(runs.dir.Write("marker", "done"), folder / "RTAComplete.txt");
    CHECK(runs.queue.TakeProtocols(1) == Strings{name});
  }
  CHECK(runs.NoOtherRun());
}

TEST_CASE("the same marker is an event once, another content one more", "[file][marker]") {
  Runs runs;
  const std::string mode = GENERATE("auto", "poll");
  const auto options = Runs::WithMap({{"mode", {mode}}, {"poll-interval", {"10ms"}}});
  runs.Watch(options);
  runs.MoveIn("run1");
  CHECK(runs.queue.TakeProtocols(1) == Strings{"run1"});
  runs.WriteText("run1/more.txt", "more");
  runs.Place("run1/RTAComplete.txt", "done");
  CHECK(runs.NoOtherRun());
  runs.watcher.reset();
  runs.queue.Reopen();
  runs.Watch(options);
  CHECK(runs.NoOtherRun());
  runs.Place("run1/RTAComplete.txt", "done again");
  CHECK(runs.queue.TakeProtocols(1) == Strings{"run1"});
  runs.WriteText("run2/RTAComplete.txt", "");
  CHECK(runs.queue.TakeProtocols(1) == Strings{"run2"});
  CHECK(runs.NoOtherRun());
}

TEST_CASE("a folder stays where it is, whatever becomes of it", "[file][marker]") {
  Runs runs;
  WatcherHarness watcher(runs.queue, "file",
                         {{"path", {runs.path()}},
                          {"recursive", {"true"}},
                          {"settle", {"1ms"}},
                          {"marker", {"RTAComplete.txt"}},
                          {"map", {"error('no such run')"}}});
  watcher.Start();
  runs.MoveIn("run1");
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  CHECK_THAT(runs.logs.text(), ContainsSubstring("no such run"));
  CHECK_THAT(runs.logs.text(), ContainsSubstring(runs / "run1/RTAComplete.txt"));
  CHECK(watcher.Stop());
  CHECK(runs.Has("run1/RTAComplete.txt"));
  CHECK_FALSE(runs.Has("run1/failed"));
  CHECK(runs.queue.Empty());
}

TEST_CASE("no symbolic link makes a folder an event", "[file][marker]") {
  Runs runs;
  const bool before = GENERATE(true, false);
  auto& watcher = runs.Inbox::Make(Runs::WithMap());
  if (!before) {
    watcher.Start();
    REQUIRE(watcher.WaitForSuccesses(1));
  }
  runs.Make("outside");
  std::filesystem::create_directory_symlink(runs.dir / "made/outside", runs / "link");
  runs.WriteText("run1/RunInfo.xml", "<x/>");
  std::filesystem::create_symlink(runs.dir / "made/outside/RTAComplete.txt",
                                  runs / "run1/RTAComplete.txt");
  std::filesystem::create_directories(runs / "run2/RTAComplete.txt");
  if (before) watcher.Start();
  CHECK(runs.NoOtherRun());
}

TEST_CASE("the path says which folders may have a marker", "[file][marker]") {
  Runs runs;
  runs.WriteText("RTAComplete.txt", "at the top");
  runs.MoveIn("run1");
  std::filesystem::rename(runs.Make("run2"), runs / "run1/run2");
  const auto [path, expected] =
      GENERATE(table<std::string, std::string>({{"", "inbox"},
                                                {"/run1", "run1"},
                                                {"/run1/*", "run2"},
                                                {"/run1/run2/RTA*", "run2"},
                                                {"/run1/run2/RTAComplete.txt", "run2"}}));
  INFO(path);
  auto options = Runs::WithMap({{"path", {runs.path() + path}}});
  options.erase(options.begin());
  REQUIRE(runs.Watch(options).WaitForSuccesses(1));
  const auto first = runs.queue.TakeProtocols(path == "/run1/*" ? 2 : 1);
  CHECK(first.back() == expected);
  runs.watcher.reset();
  CHECK(runs.queue.Empty());
}

TEST_CASE("a folder lists its plain files that match a pattern", "[file][marker]") {
  TempDir dir;
  dir.Write("b.csv", "");
  dir.Write("a.csv", "");
  dir.Write("c.txt", "");
  std::filesystem::create_directory(dir / "d.csv");
  std::filesystem::create_symlink("a.csv", dir / "e.csv");
  const auto folder = OpenFolder(dir.path().string());
  REQUIRE(folder);
  const auto is_csv = [](std::string_view name) { return name.ends_with(".csv"); };
  const auto all = ListFiles(folder->get(), is_csv);
  REQUIRE(all);
  CHECK(all->names == Strings{"a.csv", "b.csv"});
  CHECK_FALSE(all->cut);
  const auto some = ListFiles(folder->get(), is_csv, 1);
  REQUIRE(some);
  CHECK(some->names.size() == 1);
  CHECK(some->cut);
  CHECK(ListFiles(folder->get(), is_csv, 2)->cut == false);
  CHECK(HasFile(folder->get(), "", "a.csv"));
  CHECK_FALSE(HasFile(folder->get(), "", "d.csv"));
  CHECK_FALSE(HasFile(folder->get(), "", "e.csv"));
  CHECK_FALSE(HasFile(folder->get(), "missing", "a.csv"));
}

TEST_CASE("the event of a folder has the beginning of a long marker", "[file][marker]") {
  CHECK(MarkerEvent("/r/run", "done", "\xEF\xBB\xBFok", {{"a", "b"}, true}) ==
        R"({"path":"/r/run","name":"run","marker":{"name":"done","text":"ok"},)"
        R"("files":["a","b"],"more_files":true})");
  const auto text = std::string(kMaxMarkerText - 1, 'x') + "\xC3\xA4" + "y";
  CHECK_THAT(MarkerEvent("/run", "done", text, {}),
             ContainsSubstring(std::string(kMaxMarkerText - 1, 'x') + "\"}"));
  CHECK_THAT(MarkerEvent("/run", "done", "\xC4", {}), ContainsSubstring("\xEF\xBF\xBD\"}"));
}

// --- Files that wait ---

Options Waiting(const std::string& mode, Options more = {}) {
  Options options = {{"recursive", {"true"}},
                     {"marker", {"done.json"}},
                     {"marker-event", {"files"}},
                     {"mode", {mode}},
                     {"poll-interval", {"10ms"}}};
  for (auto& option : more) options.push_back(std::move(option));
  return options;
}

// Files are dropped into the folder ready, which has its marker.
class WaitingInbox : public Inbox {
 public:
  WaitingInbox() { WriteText("ready/done.json", ""); }
  bool NothingElse() {
    const std::string name = "last" + std::to_string(++last_);
    Drop("ready/" + name + ".json", name);
    return queue.TakeProtocols(1) == Strings{name} && queue.Empty();
  }

 private:
  int last_ = 0;
};

TEST_CASE("files wait for the marker in their folder", "[file][marker]") {
  WaitingInbox inbox;
  const std::string mode = GENERATE("auto", "poll");
  const std::string folder = GENERATE("", "run/");
  inbox.Write(folder + "before.json", "Before");
  Age(inbox / (folder + "before.json"), 100);
  REQUIRE(inbox.Watch(Waiting(mode)).WaitForSuccesses(1));
  inbox.Write(folder + "a.json", "A");
  inbox.Write(folder + "deep/b.json", "B");
  CHECK(inbox.NothingElse());
  inbox.WriteText(folder + "done.json", "");
  auto taken = inbox.queue.TakeProtocols(2);
  std::sort(taken.begin(), taken.end());
  CHECK(taken == Strings{"A", "Before"});
  CHECK(inbox.NothingElse());
  inbox.Write(folder + "late.json", "Late");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"Late"});
  inbox.WriteText(folder + "deep/done.json", "");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"B"});
  CHECK(inbox.NothingElse());
}

TEST_CASE("files that are moved in with their marker are taken, once", "[file][marker]") {
  WaitingInbox inbox;
  const std::string mode = GENERATE("auto", "poll");
  auto& watcher = inbox.Watch(Waiting(mode));
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.dir.Write("made/x/a.json", TriggerJson("A"));
  inbox.dir.Write("made/x/done.json", "not a trigger");
  std::filesystem::rename(inbox.dir / "made", inbox / "run");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(inbox.NothingElse());
  CHECK(watcher.rejected.value() == 0);
  inbox.watcher.reset();
  inbox.queue.Reopen();
  inbox.Watch(Waiting(mode));
  CHECK(inbox.NothingElse());
}

TEST_CASE("files that waited are moved, the marker is not", "[file][marker]") {
  WaitingInbox inbox;
  REQUIRE(inbox.Watch(Waiting("auto", {{"after", {"move"}}})).WaitForSuccesses(1));
  inbox.Write("run/a.json", "A");
  inbox.WriteText("run/done.json", "");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(inbox.Loses("run/a.json"));
  CHECK(inbox.Has("run/done/a.json"));
  CHECK(inbox.Has("run/done.json"));
}

TEST_CASE("a file that was linked in waits for the marker too", "[file][marker]") {
  WaitingInbox inbox;
  std::filesystem::create_directory(inbox / "run");
  REQUIRE(inbox.Watch(Waiting("inotify")).WaitForSuccesses(1));
  inbox.dir.Write("made.json", TriggerJson("A"));
  std::filesystem::create_hard_link(inbox.dir / "made.json", inbox / "run/a.json");
  // Long enough for it to settle.
  for (int i = 0; i < 5; ++i) CHECK(inbox.NothingElse());
  inbox.WriteText("run/done.json", "");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
}

TEST_CASE("a symbolic link is no marker", "[file][marker]") {
  WaitingInbox inbox;
  const std::string mode = GENERATE("auto", "poll");
  inbox.Write("run/a.json", "A");
  std::filesystem::create_symlink(inbox / "ready/done.json", inbox / "run/done.json");
  REQUIRE(inbox.Watch(Waiting(mode)).WaitForSuccesses(1));
  inbox.Write("run/b.json", "B");
  CHECK(inbox.NothingElse());
}

}  // namespace
}  // namespace tower::file
