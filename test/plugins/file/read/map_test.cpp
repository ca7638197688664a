// The events that a map sees of files, and what becomes of a file when the map fails.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "core/watch/mapping.h"
#include "test/plugins/file/inbox.h"

namespace tower::file {
namespace {

using Catch::Matchers::ContainsSubstring;
using Options = WatcherHarness::Options;

// Makes a trigger whose spec is the event.
constexpr const char* kWhole = R"({apiVersion = "A/v1", protocol = "P", spec = event})";

class Mapped : public Inbox {
 public:
  WatcherHarness& WatchWith(const std::string& map, Options more = {}) {
    Options options = {{"map", {map}}};
    for (auto& option : more) options.push_back(std::move(option));
    auto& made = Watch(options);
    REQUIRE(made.WaitForSuccesses(1));
    return made;
  }
  // The specs of the next triggers. What Lua writes has its members sorted.
  Strings Specs(std::size_t count) {
    Strings specs;
    for (const auto& trigger : queue.Take(count)) {
      const auto begin = trigger.body.find("\"spec\":") + 7;
      specs.push_back(trigger.body.substr(begin, trigger.body.size() - begin - 1));
    }
    return specs;
  }
  std::string PathOf(const std::string& name) const {
    return "\"path\":\"" + (*this / name) + "\"";
  }
};

TEST_CASE("with a map, a JSON file is an event with path, name and content", "[file][map]") {
  Mapped inbox;
  inbox.WatchWith(kWhole);
  inbox.WriteText("order.json", " [{\"n\": 1.0}, null, 12345678901234567890]\n");
  CHECK(inbox.Specs(1) == Strings{R"({"content":[{"n":1.0},null,12345678901234567890],)"
                                  R"("name":"order.json",)" +
                                  inbox.PathOf("order.json") + "}"});
}

TEST_CASE("with a map, each line of NDJSON is an event", "[file][map]") {
  Mapped inbox;
  inbox.WatchWith(kWhole);
  inbox.WriteText("log.jsonl", "{\"n\":1}\r\n\n 2 ");
  CHECK(inbox.Specs(2) ==
        Strings{
            R"({"content":{"n":1},"line":1,"name":"log.jsonl",)" + inbox.PathOf("log.jsonl") + "}",
            R"({"content":2,"line":3,"name":"log.jsonl",)" + inbox.PathOf("log.jsonl") + "}"});
  CHECK(inbox.queue.Empty());
}

TEST_CASE("a text file is an event with its text", "[file][map]") {
  Mapped inbox;
  inbox.WatchWith(kWhole, {{"format", {"text"}}});
  inbox.WriteText("note.txt", "\xEF\xBB\xBF\xC3\x84rger \"1\"\n\t");
  CHECK(inbox.Specs(1) == Strings{"{\"name\":\"note.txt\"," + inbox.PathOf("note.txt") +
                                  ",\"text\":\"\xC3\x84rger \\\"1\\\"\\n\\u0009\"}"});
}

TEST_CASE("a row of a CSV is an event with its columns", "[file][map]") {
  Mapped inbox;
  inbox.WatchWith(kWhole, {{"format", {"csv"}}});
  inbox.WriteText("a.csv", "id,volume\nx,1.50\n\n\"y\nz\",\n\"7\",7\n");
  const auto rest = "\"name\":\"a.csv\"," + inbox.PathOf("a.csv");
  CHECK(inbox.Specs(3) ==
        Strings{R"({"columns":{"id":"x","volume":1.5},"line":2,)" + rest + ",\"row\":1}",
                R"({"columns":{"id":"y\nz"},"line":4,)" + rest + ",\"row\":2}",
                R"({"columns":{"id":"7","volume":7},"line":6,)" + rest + ",\"row\":3}"});
}

TEST_CASE("a CSV can be one event with all its rows", "[file][map]") {
  Mapped inbox;
  inbox.WatchWith(kWhole, {{"format", {"csv"}}, {"csv-events", {"file"}}});
  inbox.WriteText("a.csv", "id,n\nx,1\ny,2\n");
  CHECK(inbox.Specs(1) == Strings{"{\"name\":\"a.csv\"," + inbox.PathOf("a.csv") +
                                  R"(,"rows":[{"id":"x","n":1},{"id":"y","n":2}]})"});
}

TEST_CASE("a plate map can be an event with its wells", "[file][map]") {
  Mapped inbox;
  inbox.WatchWith(kWhole, {{"format", {"csv"}}, {"csv-events", {"plate"}}, {"plate", {"2x2"}}});
  inbox.WriteText("a.csv", "well,n\nB1,1\nA2,2\n");
  CHECK(inbox.Specs(1) == Strings{"{\"name\":\"a.csv\"," + inbox.PathOf("a.csv") +
                                  R"(,"plate":{"columns":2,"rows":2},)"
                                  R"("wells":[null,{"n":1},{"n":2},null]})"});
}

TEST_CASE("a map may make several triggers of an event, all go in with the checkpoint",
          "[file][map]") {
  Mapped inbox;
  const std::string map = R"({{apiVersion = "A/v1", protocol = event.columns.id, spec = {}},)"
                          R"( {apiVersion = "A/v1", protocol = event.name, spec = {}}})";
  auto& watcher = inbox.WatchWith(map, {{"format", {"csv"}}, {"after", {"move"}}});
  inbox.WriteText("a.csv", "id\nX\nY\n");
  CHECK(inbox.queue.TakeProtocols(4) == Strings{"X", "a.csv", "Y", "a.csv"});
  CHECK(inbox.Loses("a.csv"));
  CHECK(inbox.Has("done/a.csv"));
  CHECK(watcher.Stop());
  CHECK(watcher.accepted.value() == 4);
}

TEST_CASE("a file of which the map makes nothing is handled, not refused", "[file][map]") {
  Mapped inbox;
  auto& watcher = inbox.WatchWith("nil", {{"format", {"csv"}}});
  inbox.WriteText("a.csv", "id\nX\nY\n");
  CHECK(Eventually([&] {
    return inbox.logs.text().find("file ignored: the mapping returned nil") != std::string::npos;
  }));
  CHECK(watcher.Stop());
  CHECK(watcher.rejected.value() == 0);
  CHECK(inbox.queue->Checkpoint("test", inbox / "a.csv").value().has_value());
  CHECK(inbox.queue.Empty());
}

TEST_CASE("a row of which the map fails refuses the file whole, and names both lines",
          "[file][map]") {
  Mapped inbox;
  const auto script = inbox.dir.Write("map.lua",
                                      "local c = event.columns\n"
                                      "if c.id == 'bad' then error('what is this?') end\n"
                                      "return {apiVersion = 'A/v1', protocol = c.id, spec = {}}\n");
  auto& watcher =
      inbox.Watch({{"map-file", {script}}, {"format", {"csv"}}, {"on-failure", {"move"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("a.csv", "id\nX\nbad\n");
  CHECK(inbox.Loses("a.csv"));
  CHECK(inbox.Has("failed/a.csv"));
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  const auto log = inbox.logs.text();
  CHECK_THAT(log, ContainsSubstring("map.lua:2"));
  CHECK_THAT(log, ContainsSubstring("what is this?"));
  CHECK_THAT(log, ContainsSubstring("line 3"));
  CHECK_THAT(log, ContainsSubstring(inbox / "a.csv"));
  inbox.WriteText("b.csv", "id\nY\n");
  CHECK(inbox.queue.TakeProtocols(1) == Strings{"Y"});
  CHECK(inbox.queue.Empty());
  CHECK(watcher.rejected.value() == 1);
}

TEST_CASE("what is no JSON or no text never reaches the map", "[file][map]") {
  Mapped inbox;
  const auto [format, name, text, why, line] =
      GENERATE(table<std::string, std::string, std::string, std::string, std::string>(
          {{"json", "a.json", "1}, {\"x\": 2", "", "\"line\":1"},
           {"json", "a.json", "{\"a\":\n1,\n\"a\":2}", "", "\"line\":3"},
           {"json", "a.json", std::string(64, '[') + std::string(64, ']'), "deep", ""},
           {"json", "a.ndjson", "{}\n\n{]\n", "", "\"line\":3"},
           {"json", "a.ndjson", "\n\n", "no line with JSON", ""},
           {"text", "a.txt", "fine\n\xB5L", "not UTF-8", "\"line\":2"},
           {"text", "a.txt", std::string("a\n\n\0", 4), "a zero byte", "\"line\":3"},
           {"text", "a.txt",
            "\xFE\xFF"
            "a",
            "UTF-16", "\"line\":1"}}));
  INFO(text);
  auto& watcher = inbox.WatchWith(kWhole, {{"format", {format}}});
  inbox.WriteText(name, text);
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  const auto log = inbox.logs.text();
  CHECK_THAT(log, ContainsSubstring(why));
  CHECK(log.find(line) != std::string::npos);
  CHECK(inbox.queue.Empty());
}

TEST_CASE("a map may not make more triggers of a file than a batch has", "[file][map]") {
  Mapped inbox;
  const auto script = inbox.dir.Write(
      "map.lua",
      "local all = {}\n"
      "for i = 1, 6000 do all[i] = {apiVersion = 'A/v1', protocol = 'P', spec = {}} end\n"
      "return all\n");
  auto& watcher = inbox.Watch({{"map-file", {script}}, {"format", {"csv"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("a.csv", "id\n1\n2\n");
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("more than 10000 triggers"));
  CHECK(inbox.logs.text().find("\"line\":3") != std::string::npos);
  CHECK(inbox.queue.Empty());
}

TEST_CASE("a stop ends a file of many rows, which is taken again", "[file][map]") {
  Mapped inbox;
  std::string text = "id\n";
  for (int i = 0; i < 1'000'000; ++i) text += "x\n";
  const auto script = inbox.dir.Write("map.lua",
                                      "if event.row == 1 then print('begun') end\n"
                                      "for i = 1, 10000 do end\n");
  auto& watcher = inbox.Watch({{"map-file", {script}}, {"format", {"csv"}}});
  inbox.dir.Write("many.csv", text);
  std::filesystem::rename(inbox.dir / "many.csv", inbox / "many.csv");
  REQUIRE(Eventually([&] { return inbox.logs.text().find("begun") != std::string::npos; }));
  CHECK(watcher.Stop());
  CHECK_FALSE(inbox.queue->Checkpoint("test", inbox / "many.csv").value().has_value());
  CHECK(watcher.rejected.value() == 0);
}

TEST_CASE("the map can be tried without a source", "[file][map]") {
  Mapped inbox;
  auto* mapping = inbox.Make({{"map", {kWhole}}}).watcher().mapping();
  REQUIRE(mapping != nullptr);
  REQUIRE(mapping->Load());
  CHECK(mapping->Apply("{}", "a try").value().size() == 1);
}

TEST_CASE("a map that is no Lua ends the watcher, and the check says so", "[file][map]") {
  Mapped inbox;
  auto& watcher = inbox.Watch({{"map", {"{apiVersion = "}}});
  CHECK(Eventually([&] { return watcher.ended(); }));
  for (const auto& status : {watcher.Stop(), watcher.Check()}) {
    REQUIRE_FALSE(status);
    CHECK(status.error().code == ErrorCode::kInvalid);
  }
}

}  // namespace
}  // namespace tower::file
