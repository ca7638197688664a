// What becomes of files afterwards, and what a restart knows of them.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <set>

#include "test/plugins/file/inbox.h"

namespace tower::file {
namespace {

using Catch::Matchers::ContainsSubstring;
using Options = WatcherHarness::Options;

std::size_t CheckpointsOf(Inbox& inbox) { return inbox.queue->Checkpoints("test").value().size(); }

TEST_CASE("a file that is touched is not taken again, one that is changed is", "[file]") {
  Inbox inbox;
  const std::string mode = GENERATE("auto", "poll");
  auto& watcher = inbox.Watch({{"mode", {mode}}, {"poll-interval", {"10ms"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.Write("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  const auto before = inbox.queue->Checkpoints("test").value();
  inbox.Drop("a.json", "A");
  CHECK(inbox.NothingMore());
  // The checkpoint follows, so that the file is not read again at each look.
  CHECK(Eventually([&] {
    return inbox.queue->Checkpoint("test", inbox / "a.json").value() != before.front().second;
  }));
  inbox.Write("a.json", "B");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"B"});
  inbox.Write("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(inbox.NothingMore());
}

TEST_CASE("a restart neither repeats nor misses", "[file]") {
  Inbox inbox;
  const std::string mode = GENERATE("auto", "poll");
  const Options options = {{"mode", {mode}}, {"poll-interval", {"10ms"}}};
  inbox.Write("a.json", "A");
  inbox.Write("changed.json", "Before");
  inbox.Write("gone.json", "Gone");
  inbox.Watch(options);
  CHECK(inbox.queue.Take(3).size() == 3);
  inbox.watcher.reset();
  inbox.queue.Reopen();
  inbox.Write("changed.json", "After");
  inbox.Write("new.json", "New");
  Age(inbox / "changed.json", 20);
  Age(inbox / "new.json", 10);
  std::filesystem::remove(inbox / "gone.json");
  auto& watcher = inbox.Watch(options);
  CHECK(inbox.queue.TakeProtocols(2) == Strings{"After", "New"});
  CHECK(inbox.NothingMore());
  CHECK(watcher.Stop());
  CHECK(watcher.accepted.value() == 3);
}

TEST_CASE("a file that is gone is forgotten, and taken when it comes again", "[file]") {
  Inbox inbox;
  const std::string mode = GENERATE("auto", "poll");
  inbox.Watch({{"mode", {mode}}, {"poll-interval", {"10ms"}}});
  inbox.Drop("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(Eventually([&] { return CheckpointsOf(inbox) == 1; }));
  std::filesystem::remove(inbox / "a.json");
  CHECK(Eventually([&] { return CheckpointsOf(inbox) == 0; }));
  inbox.Drop("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
}

TEST_CASE("nothing is forgotten while the folder itself is away", "[file]") {
  Inbox inbox;
  inbox.Watch();
  inbox.Drop("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  inbox.watcher.reset();
  std::filesystem::rename(inbox.path(), inbox.dir / "away");
  // The path is then a file that is not there yet, below a folder that is.
  REQUIRE(inbox.Watch().WaitForSuccesses(1));
  inbox.watcher.reset();
  CHECK(CheckpointsOf(inbox) == 1);
  std::filesystem::rename(inbox.dir / "away", inbox.path());
  inbox.Watch();
  CHECK(inbox.NothingMore());
}

TEST_CASE("a file is deleted after its triggers are in the queue", "[file]") {
  Inbox inbox;
  inbox.Write("old.json", "Old");
  inbox.Watch({{"after", {"delete"}}});
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"Old"});
  CHECK(inbox.Loses("old.json"));
  for (int i = 0; i < 3; ++i) {
    inbox.Drop("same.json", "Same");
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"Same"});
    CHECK(inbox.Loses("same.json"));
  }
  CHECK(Eventually([&] { return std::filesystem::is_empty(inbox.path()); }));
  CHECK(Eventually([&] { return CheckpointsOf(inbox) == 0; }));
}

TEST_CASE("a file is moved after its triggers are in the queue, and overwrites nothing", "[file]") {
  Inbox inbox;
  inbox.Watch({{"after", {"move"}}, {"recursive", {"true"}}});
  for (const auto* content : {"A", "B", "C"}) {
    inbox.Drop("same.json", content);
    CHECK(inbox.queue.TakeProtocols(1) == Strings{content});
    CHECK(inbox.Loses("same.json"));
  }
  CHECK(ReadFile(inbox / "done/same.json") == TriggerJson("A"));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(inbox / "done")) {
    CHECK(entry.path().extension() == ".json");
    ++files;
  }
  CHECK(files == 3);
  // In the folder of the file, and never watched.
  inbox.Write("deep/x.json", "X");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"X"});
  CHECK(inbox.Loses("deep/x.json"));
  CHECK(inbox.Has("deep/done/x.json"));
  inbox.Write("done/y.json", "Y");
  CHECK(inbox.NothingMore());
}

TEST_CASE("files are moved into a folder elsewhere, by an absolute path", "[file]") {
  Inbox inbox;
  inbox.Watch({{"after", {"move"}}, {"done-dir", {inbox.dir / "archive"}}});
  inbox.Drop("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(inbox.Loses("a.json"));
  CHECK(ReadFile(inbox.dir / "archive/a.json") == TriggerJson("A"));
}

TEST_CASE("a file that comes again is taken again where files are moved away", "[file]") {
  Inbox inbox;
  const std::string after = GENERATE("move", "delete");
  inbox.Watch({{"after", {after}}});
  // The same content and the same time each time.
  const auto original = inbox.dir.Write("original", TriggerJson("A"));
  for (int i = 0; i < 3; ++i) {
    std::filesystem::copy_file(original, inbox.dir / "copy");
    std::filesystem::last_write_time(inbox.dir / "copy",
                                     std::filesystem::last_write_time(original));
    std::filesystem::rename(inbox.dir / "copy", inbox / "a.json");
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
    CHECK(inbox.Loses("a.json"));
  }
}

TEST_CASE("a file that comes again is taken again even where the first one could not be moved",
          "[file]") {
  Inbox inbox;
  inbox.WriteText("done", "in the way");
  inbox.Watch({{"after", {"move"}}});
  for (int i = 0; i < 3; ++i) {
    inbox.Drop("a.json", "A");
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  }
  CHECK(inbox.NothingMore());
}

TEST_CASE("a bad file is moved to the folder for failures, when asked for", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch({{"on-failure", {"move"}}, {"failed-dir", {"bad"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("a.json", "{1");
  CHECK(inbox.Loses("a.json"));
  CHECK(ReadFile(inbox / "bad/a.json") == "{1");
  inbox.WriteText("a.json", "{1");
  CHECK(inbox.Loses("a.json"));
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 2);
  CHECK(inbox.Has("sentinel1.json"));
}

TEST_CASE("a refused file says in log, notes and beside it where it went and why", "[file]") {
  Inbox inbox;
  const std::string failed_dir = GENERATE("bad", "/archive");
  const auto bad = failed_dir == "bad" ? inbox / "bad" : inbox.dir / "archive";
  auto& watcher = inbox.Watch({{"on-failure", {"move"}},
                               {"failed-dir", {failed_dir == "bad" ? failed_dir : bad}},
                               {"pattern", {"*"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("a.json", "{1");
  CHECK(inbox.Loses("a.json"));
  CHECK(inbox.NothingMore());
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("\"moved_to\":\"" + bad + "/a.json\""));
  CHECK_THAT(ReadFile(bad + "/a.json.error"),
             ContainsSubstring("control-tower refused a.json:\n") && ContainsSubstring("line 1"));
  CHECK_FALSE(inbox.Has("a.json.error"));
  CHECK_THAT(watcher.notes.Read().last_rejection.value().why,
             ContainsSubstring((inbox / "a.json") + ", now " + bad + "/a.json: "));
  // The second of a name has another one, and its note goes with it.
  inbox.WriteText("a.json", "{2");
  CHECK(inbox.Loses("a.json"));
  CHECK(inbox.NothingMore());
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(bad)) {
    names.insert(entry.path().filename());
  }
  CHECK(names.size() == 4);
  for (const auto& name : names) {
    CHECK((name.ends_with(".error") || names.contains(name + ".error")));
  }
  CHECK(watcher.rejected.value() == 2);  // no note was taken for a file
}

TEST_CASE("a note beside a kept file is no event, and overwrites nobody's file", "[file]") {
  Inbox inbox;
  auto& watcher =
      inbox.Watch({{"pattern", {"*"}}, {"mode", {"poll"}}, {"poll-interval", {"10ms"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("theirs.error", "theirs");
  inbox.WriteText("theirs", "{1");
  inbox.WriteText("ours", "{1");
  CHECK(Eventually([&] { return watcher.rejected.value() == 2; }));
  CHECK(inbox.NothingMore());
  CHECK(Eventually([&] { return inbox.Has("ours.error"); }));
  CHECK(ReadFile(inbox / "theirs.error") == "theirs");
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("there is another file of that name"));
  CHECK(watcher.WaitForSuccesses(watcher.successes() + 3));
  CHECK(watcher.rejected.value() == 2);
  inbox.Write("theirs", "Good");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"Good"});
  CHECK(inbox.NothingMore());
  CHECK(ReadFile(inbox / "theirs.error") == "theirs");
}

TEST_CASE("what can't be moved is shown as retried, until it could be", "[file]") {
  Inbox inbox;
  inbox.WriteText("done", "in the way");
  auto& watcher = inbox.Watch({{"after", {"move"}}, {"rescan-interval", {"50ms"}}});
  inbox.Drop("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  const auto retries = [&] { return watcher.notes.Read().retries; };
  REQUIRE(Eventually([&] { return !retries().empty(); }));
  const auto retry = retries()[0];
  CHECK(retry.what == inbox / "a.json");
  CHECK_THAT(retry.error, ContainsSubstring("not a directory"));
  CHECK(retry.at < WallNow() + std::chrono::minutes(1));
  std::filesystem::remove(inbox / "done");
  CHECK(inbox.Loses("a.json"));
  CHECK(Eventually([&] { return retries().empty(); }));
}

TEST_CASE("a good file is moved and a bad one kept, when asked for", "[file]") {
  Inbox inbox;
  REQUIRE(inbox.Watch({{"after", {"move"}}, {"on-failure", {"keep"}}}).WaitForSuccesses(1));
  inbox.WriteText("bad.json", "{1");
  inbox.Drop("good.json", "Good");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"Good"});
  CHECK(inbox.Loses("good.json"));
  CHECK(inbox.Has("bad.json"));
}

TEST_CASE("a death between the put and the move repeats nothing, and the move is done", "[file]") {
  Inbox inbox;
  const std::string kind = GENERATE("good", "bad");
  const Options options = {{"after", {"move"}}, {"on-failure", {"move"}}};
  // A file in the place of the folder: the move cannot be done.
  inbox.WriteText("done", "");
  inbox.WriteText("failed", "");
  auto& watcher = inbox.Watch(options);
  REQUIRE(watcher.WaitForSuccesses(1));
  if (kind == "good") {
    inbox.Drop("a.json", "A");
    CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  } else {
    inbox.WriteText("a.json", "{");
  }
  CHECK(Eventually([&] { return inbox.logs.text().find("not a directory") != std::string::npos; }));
  CHECK(Eventually([&] { return CheckpointsOf(inbox) == 1; }));
  CHECK_FALSE(watcher.ended());
  inbox.watcher.reset();
  inbox.queue.Reopen();
  std::filesystem::remove(inbox / "done");
  std::filesystem::remove(inbox / "failed");
  auto& again = inbox.Watch(options);
  CHECK(inbox.Loses("a.json"));
  CHECK(inbox.Has(kind == "good" ? "done/a.json" : "failed/a.json"));
  CHECK(inbox.Has("failed/a.json.error") == (kind == "bad"));
  CHECK_FALSE(inbox.Has("a.json.error"));
  CHECK(inbox.NothingMore());
  CHECK(again.rejected.value() == 0);
  CHECK(Eventually([&] { return CheckpointsOf(inbox) == 0; }));
}

TEST_CASE("a death between the put and the delete repeats nothing", "[file]") {
  Inbox inbox;
  inbox.Write("a.json", "A");
  inbox.Watch();  // keeps the file: what a death leaves behind
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  inbox.watcher.reset();
  inbox.queue.Reopen();
  inbox.Watch({{"after", {"delete"}}});
  CHECK(inbox.Loses("a.json"));
  CHECK(inbox.NothingMore());
}

TEST_CASE("no symbolic link in the place of the done folder leads elsewhere", "[file]") {
  Inbox inbox;
  std::filesystem::create_directory(inbox.dir / "outside");
  std::filesystem::create_directory_symlink(inbox.dir / "outside", inbox / "done");
  REQUIRE(inbox.Watch({{"after", {"move"}}}).WaitForSuccesses(1));
  inbox.Drop("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(Eventually([&] {
    return inbox.logs.text().find("symbolic links are not followed") != std::string::npos;
  }));
  CHECK(inbox.Has("a.json"));
  CHECK(std::filesystem::is_empty(inbox.dir / "outside"));
}

TEST_CASE("a newer file that takes the name before the move is taken too", "[file]") {
  Inbox inbox;
  const std::string after = GENERATE("move", "delete");
  auto& watcher = inbox.Watch({{"after", {after}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  watcher.HoldAtNextSuccess();  // after the put, before the move
  inbox.Drop("a.json", "First");
  REQUIRE(watcher.WaitUntilHeld());
  inbox.Drop("a.json", "TheSecond");
  watcher.Release();
  CHECK(inbox.queue.TakeProtocols(2) == Strings{"First", "TheSecond"});
  CHECK(inbox.Loses("a.json"));
}

TEST_CASE("options that make no sense are refused", "[file]") {
  Inbox inbox;
  for (const auto& [option, value] :
       std::vector<std::pair<std::string, std::string>>{{"after", "burn"},
                                                        {"mode", "guess"},
                                                        {"done-dir", "a/b"},
                                                        {"failed-dir", ".."},
                                                        {"done-dir", ""},
                                                        {"settle", "soon"},
                                                        {"rescan-interval", "0s"},
                                                        {"max-size", "2GiB"},
                                                        {"pattern", ""}}) {
    INFO(option << "=" << value);
    CHECK_THROWS(inbox.Make({{option, {value}}}));
  }
}

TEST_CASE("many files at the start are all taken", "[file]") {
  Inbox inbox;
  constexpr int kFiles = 300;
  for (int i = 0; i < kFiles; ++i)
    inbox.Write(std::to_string(i) + ".json", "P" + std::to_string(i));
  inbox.Watch({{"after", {"delete"}}});
  const auto taken = inbox.queue.Take(kFiles);
  std::set<std::string> protocols;
  for (const auto& each : taken) protocols.insert(each.protocol);
  CHECK(protocols.size() == kFiles);
  CHECK(Eventually([&] { return std::filesystem::is_empty(inbox.path()); }));
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("many files found"));
}

}  // namespace
}  // namespace tower::file
