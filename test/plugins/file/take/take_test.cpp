// What becomes of the content of files: triggers, or a report.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstring>

#include "test/plugins/file/inbox.h"

namespace tower::file {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("a file that is moved in becomes a trigger", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.Drop("a.json", "A");
  const auto taken = inbox.queue.Take(1);
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].source == "test");
  CHECK(taken[0]
            .body.substr(taken[0].body.find("\"apiVersion\"") - 1)
            .ends_with(TriggerJson("A").substr(1)));
  CHECK(watcher.Stop());
  CHECK(watcher.accepted.value() == 1);
  CHECK(inbox.Has("a.json"));
}

TEST_CASE("a file that is written in place becomes a trigger when it is closed", "[file]") {
  Inbox inbox;
  REQUIRE(inbox.Watch().WaitForSuccesses(1));
  inbox.Write("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(inbox.NothingMore());
}

TEST_CASE("a file holds one trigger, an array, or one a line", "[file]") {
  Inbox inbox;
  const auto a = TriggerJson("A"), b = TriggerJson("B");
  inbox.WriteText("1.json", "[" + a + ",\n" + b + "]");
  Age(inbox / "1.json", 40);
  inbox.WriteText("2.ndjson", a + "\n\n" + b + "\r\n");
  Age(inbox / "2.ndjson", 30);
  inbox.WriteText("3.jsonl", b + "\n" + a);
  Age(inbox / "3.jsonl", 20);
  inbox.WriteText("4.json", " \n" + a + "\n");
  Age(inbox / "4.json", 10);
  inbox.Watch();
  CHECK(inbox.queue.TakeProtocols(7) == Strings{"A", "B", "A", "B", "B", "A", "A"});
  CHECK(inbox.NothingMore());
}

TEST_CASE("files that were there before are taken oldest first", "[file]") {
  Inbox inbox;
  int age = 0;
  for (const std::string name : {"c", "a", "d", "b"}) {
    inbox.Write(name + ".json", name);
    Age(inbox / (name + ".json"), 1000 - ++age);
  }
  inbox.Watch();
  CHECK(inbox.queue.TakeProtocols(4) == Strings{"c", "a", "d", "b"});
}

TEST_CASE("a bad file is reported with path, line and pointer, and blocks nobody", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("bad.json", "[\n" + TriggerJson("A") + ",\n{\"apiVersion\":\"OT-2/v1alpha1\",\n" +
                                  "\"protocol\": 5, \"spec\":{}}\n]");
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 1);
  CHECK(inbox.Has("bad.json"));
  const auto log = inbox.logs.text();
  CHECK_THAT(log, ContainsSubstring("file refused"));
  CHECK_THAT(log, ContainsSubstring(inbox / "bad.json"));
  CHECK_THAT(log, ContainsSubstring("/1/protocol"));
  CHECK(log.find("\"line\":4") != std::string::npos);
  const auto note = ReadFile(inbox / "bad.json.error");
  CHECK_THAT(note, ContainsSubstring("control-tower refused bad.json:\n") &&
                       ContainsSubstring(", line 4, pointer /1/protocol"));
  const auto told = watcher.notes.Read().last_rejection;
  REQUIRE(told);
  CHECK_THAT(told->why, ContainsSubstring((inbox / "bad.json") + ": ") &&
                            ContainsSubstring(", line 4, pointer /1/protocol"));
}

TEST_CASE("the line of a fault is told in NDJSON, and nothing of the file is taken", "[file]") {
  Inbox inbox;
  REQUIRE(inbox.Watch().WaitForSuccesses(1));
  inbox.WriteText("bad.ndjson", TriggerJson("A") + "\n\n" + TriggerJson("B") + "\n{oops\n");
  CHECK(inbox.NothingMore());
  CHECK(inbox.logs.text().find("\"line\":4") != std::string::npos);
}

TEST_CASE("a bad file is reported once for each content", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("bad.json", "{1");
  CHECK(inbox.NothingMore());
  inbox.WriteText("bad.json", "{1");
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 1);
  inbox.WriteText("bad.json", "{2");
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 2);
  CHECK(watcher.Stop());
  auto& again = inbox.Watch();
  CHECK(inbox.NothingMore());
  CHECK(again.rejected.value() == 0);
  CHECK(inbox.Has("bad.json.error"));
  inbox.Write("bad.json", "Good");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"Good"});
  CHECK(inbox.Loses("bad.json.error"));
}

TEST_CASE("a file with more triggers than a batch may have is refused whole", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  std::string text;
  for (std::size_t i = 0; i <= kMaxBatch; ++i) text += TriggerJson("A") + "\n";
  inbox.WriteText("many.ndjson", text);
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 1);
}

TEST_CASE("a file over max-size is refused unread", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch({{"max-size", {"1KiB"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("large.json", TriggerJson(std::string(190, 'A')) + std::string(1000, ' '));
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 1);
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("larger than max-size"));
  const int fd = open((inbox / "large.json").c_str(), O_WRONLY | O_CLOEXEC);
  close(fd);
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 1);
}

TEST_CASE("an empty file is given time, then refused", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("empty.json", "");
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  inbox.Write("empty.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
}

TEST_CASE("an empty file may be one whose writer comes back", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch({{"settle", {"1h"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("a.json", "");
  CHECK(inbox.NothingMore());
  inbox.Write("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(watcher.rejected.value() == 0);
}

TEST_CASE("a uuid that is known with other content refuses the file, not the watcher", "[file]") {
  Inbox inbox;
  auto& watcher = inbox.Watch();
  REQUIRE(watcher.WaitForSuccesses(1));
  const std::string uuid = R"("uuid":"01890a5d-ac96-774b-bcce-b302099a8057","apiVersion":"X/v1",)";
  inbox.WriteText("a.json", "{" + uuid + R"("protocol":"A","spec":{}})");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
  inbox.WriteText("b.json", "{" + uuid + R"("protocol":"B","spec":{}})");
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 1);
  CHECK_FALSE(watcher.ended());
}

TEST_CASE("what is no plain file is left alone and blocks nobody", "[file]") {
  Inbox inbox;
  const bool before = GENERATE(true, false);
  auto& watcher = inbox.Make();
  if (!before) {
    watcher.Start();
    REQUIRE(watcher.WaitForSuccesses(1));
  }
  REQUIRE(mkfifo((inbox / "fifo.json").c_str(), 0600) == 0);
  std::filesystem::create_directory(inbox / "folder.json");
  std::filesystem::create_symlink("loop.json", inbox / "loop.json");
  const int bound = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (inbox / "s.json").c_str(), sizeof address.sun_path - 1);
  REQUIRE(bind(bound, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  close(bound);
  if (before) watcher.Start();
  CHECK(inbox.NothingMore());
  CHECK(watcher.rejected.value() == 0);
  CHECK(inbox.Has("fifo.json"));
}

TEST_CASE("no symbolic link leads out of a watched folder", "[file]") {
  Inbox inbox;
  const bool before = GENERATE(true, false);
  inbox.dir.Write("secret/secret.json", TriggerJson("Secret"));
  auto& watcher = inbox.Make({{"recursive", {"true"}}});
  if (!before) {
    watcher.Start();
    REQUIRE(watcher.WaitForSuccesses(1));
  }
  const auto make = [&](const std::string& name, const std::string& target) {
    std::filesystem::create_symlink(target, inbox.dir / "link");
    std::filesystem::rename(inbox.dir / "link", inbox / name);
  };
  make("file.json", inbox.dir / "secret/secret.json");
  make("relative.json", "../secret/secret.json");
  make("folder", inbox.dir / "secret");
  if (before) watcher.Start();
  CHECK(inbox.NothingMore());
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("symbolic links are not followed"));
}

TEST_CASE("the watched path itself may be a symbolic link", "[file]") {
  Inbox inbox;
  std::filesystem::create_directory_symlink(inbox.path(), inbox.dir / "link");
  REQUIRE(inbox.Watch({{"path", {inbox.dir / "link"}}}).WaitForSuccesses(1));
  inbox.Drop("a.json", "A");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"A"});
}

TEST_CASE("other names, hidden and temporary files are left alone", "[file]") {
  Inbox inbox;
  const bool before = GENERATE(true, false);
  auto& watcher = inbox.Make({{"pattern", {"*"}}});
  if (!before) {
    watcher.Start();
    REQUIRE(watcher.WaitForSuccesses(1));
  }
  for (const auto* name : {".hidden.json", "a.json~", "a.tmp", "a.part", ".a.json.swp", "a.swp"}) {
    inbox.Drop(name, "Temporary");
  }
  if (before) watcher.Start();
  CHECK(inbox.NothingMore());
  inbox.watcher.reset();
  inbox.Drop("a.txt", "Text");
  inbox.Watch();
  CHECK(inbox.NothingMore());
}

}  // namespace
}  // namespace tower::file
