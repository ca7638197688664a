// CSV: how it is read, and what its rows become without a map.
#include "plugins/file/read/csv.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "plugins/file/read/table.h"
#include "test/plugins/file/inbox.h"

namespace tower::file {
namespace {

using Catch::Matchers::ContainsSubstring;
using Options = WatcherHarness::Options;

// "line: cell | cell", where a cell in quotes is shown in quotes.
Strings RowsOf(std::string_view text, char delimiter = ',', std::size_t skip = 0) {
  CsvReader reader(text, {delimiter}, skip);
  Strings rows;
  CsvRow row;
  for (;;) {
    auto more = reader.Next(row);
    if (!more) {
      const auto& refusal = more.error();
      rows.push_back("refused at " + std::to_string(refusal.line) + ":" +
                     std::to_string(refusal.column) + ": " + refusal.why);
      return rows;
    }
    if (!*more) return rows;
    auto& shown = rows.emplace_back(std::to_string(row.line) + ": ");
    for (const auto& cell : row.cells) {
      if (&cell != &row.cells.front()) shown += " | ";
      shown += cell.quoted ? "\"" + cell.text + "\"" : cell.text;
    }
  }
}

OrRefusal<Strings> ColumnsOf(std::string_view text, const CsvFormat& format = {}) {
  auto table = Table::Open(text, format);
  if (!table) return tl::unexpected(table.error());
  Strings rows;
  CsvRow row;
  for (;;) {
    auto more = table->Next(row);
    if (!more) return tl::unexpected(more.error());
    if (!*more) return rows;
    table->AppendColumns(rows.emplace_back(), row);
  }
}

TEST_CASE("rows end with LF, CRLF or CR, the last one with or without", "[file][csv]") {
  const std::string end = GENERATE("\n", "\r\n", "\r");
  const std::string last = GENERATE("", "end");
  const auto text = "a,b" + end + "1,2" + end + "3,4" + (last.empty() ? "" : end);
  CHECK(RowsOf(text) == Strings{"1: a | b", "2: 1 | 2", "3: 3 | 4"});
}

TEST_CASE("cells in quotes hold delimiters, quotes and line breaks", "[file][csv]") {
  CHECK(RowsOf("\"a,b\",\"say \"\"hi\"\"\",\"\"\n\"x\r\ny\nz\",2\n3\n") ==
        Strings{"1: \"a,b\" | \"say \"hi\"\" | \"\"", "2: \"x\r\ny\nz\" | 2", "5: 3"});
  CHECK(RowsOf("\"\"\"\"") == Strings{"1: \"\"\""});
}

TEST_CASE("white space and empty cells stand as they are", "[file][csv]") {
  CHECK(RowsOf(" a , b\n,,\n\nx,") == Strings{"1:  a  |  b", "2:  |  | ", "3: ", "4: x | "});
  CHECK(RowsOf("").empty());
}

TEST_CASE("other delimiters, a byte order mark and lines above the header", "[file][csv]") {
  CHECK(RowsOf("\xEF\xBB\xBF"
               "a;b,c\r\n1;2\r\n",
               ';') == Strings{"1: a | b,c", "2: 1 | 2"});
  CHECK(RowsOf("a\tb\n", '\t') == Strings{"1: a | b"});
  CHECK(RowsOf("\xEF\xBB\xBFUser: \"x\r\n\xB5\r\n\r\na,b", ',', 3) == Strings{"4: a | b"});
  CHECK(RowsOf("a\n", ',', 5).empty());
}

TEST_CASE("what the RFC forbids is refused with its line and cell", "[file][csv]") {
  CHECK_THAT(RowsOf("a,b\n1,5\" tube\n").back(), ContainsSubstring("refused at 2:2: a quote in"));
  CHECK_THAT(RowsOf("a\n\n\"x\ny\" z\n").back(), ContainsSubstring("refused at 4:1: text after"));
  CHECK_THAT(RowsOf("a,\"b\nc\nd").back(), ContainsSubstring("refused at 1:2: the quote is never"));
  CHECK_THAT(RowsOf("a\n1,\xB5L\n").back(), ContainsSubstring("refused at 2:2: it is not UTF-8"));
  CHECK_THAT(RowsOf(std::string_view("a\n1\0,2\n", 7)).back(), ContainsSubstring("refused at 2:1"));
  CHECK_THAT(RowsOf(std::string(CsvReader::kMaxCells, ',')).back(),
             ContainsSubstring("more than 16384 cells"));
  CHECK(RowsOf(std::string(CsvReader::kMaxCells - 1, ',')).size() == 1);
}

TEST_CASE("numbers are those that JSON can write", "[file][csv]") {
  for (const auto* number : {"0", "-0", "1.0", "12345678901234567890", "1e5", "-2.50E-3", "0.1"}) {
    INFO(number);
    CHECK(IsJsonNumber(number));
  }
  for (const auto* text : {"", "-", "007", "1,5", ".5", "5.", "+1", "1e", "1e+", "NaN", "Infinity",
                           "0x10", " 1", "1 ", "1_000", "--1", "1.2.3", "-01"}) {
    INFO(text);
    CHECK_FALSE(IsJsonNumber(text));
  }
}

TEST_CASE("a row becomes an object of its cells, without the empty ones", "[file][csv]") {
  CHECK(ColumnsOf("name,volume,code,note\r\nWater,1.0,\"42\",\"\"\r\n,,,\r\n\r\nä \\,,007,\r\n")
            .value() == Strings{R"({"name":"Water","volume":1.0,"code":"42","note":""})",
                                R"({"name":"ä \\","code":"007"})"});
  CHECK(ColumnsOf("a,b\n1,\"2\"\n", {.numbers = CsvNumbers::kAll}).value() ==
        Strings{R"({"a":1,"b":2})"});
  CHECK(ColumnsOf("a,b\n1,\"2\"\n", {.numbers = CsvNumbers::kNone}).value() ==
        Strings{R"({"a":"1","b":"2"})"});
}

TEST_CASE("one column is a table, too", "[file][csv]") {
  CHECK(ColumnsOf("a\n1\n", {}).value() == Strings{R"({"a":1})"});
  CHECK(ColumnsOf("\"a;b\"\n1\n", {}).value() == Strings{R"({"a;b":1})"});
}

TEST_CASE("a header names each column once, and rows are as long as it is", "[file][csv]") {
  struct Case {
    std::string text, why;
    std::size_t line, column;
  };
  const auto [text, why, line, column] = GENERATE_COPY(
      Case{"", "no header row", 1, 0}, Case{"\n\n,,\n", "no header row", 4, 0},
      Case{"\na,,b\n", "without a name", 2, 2}, Case{"a,b,a\n", "two columns are named a", 1, 3},
      Case{std::string(256, 'n'), "longer than 255 bytes", 1, 1},
      Case{"a;b\n1;2\n", "only one column, \"a;b\": set delimiter", 1, 0},
      Case{"a\tb\n", "set delimiter", 1, 0}, Case{"sep=;\na;b\n", "csv-skip-lines", 1, 0},
      Case{"a,b\n1,2\n\n3\n", "1 cells, but the header has 2", 4, 0},
      Case{"a,b\n1,\"2\n\n\"\n3,4,5\n", "3 cells, but the header has 2", 5, 0},
      Case{std::string("\xFF\xFE") + "a", "UTF-16", 1, 0});
  INFO(text);
  const auto columns = ColumnsOf(text);
  REQUIRE_FALSE(columns);
  CHECK_THAT(columns.error().why, ContainsSubstring(why));
  CHECK(columns.error().line == line);
  CHECK(columns.error().column == column);
}

TEST_CASE("a delimiter is one character that is no part of a value, or tab", "[file][csv]") {
  using Codec = OptionCodec<Delimiter>;
  CHECK(Codec::Parse("tab")->value == '\t');
  CHECK(Codec::Parse("\t")->value == '\t');
  for (const std::string text : {",", ";", "|", ":"}) {
    CHECK(Codec::Parse(text)->value == text[0]);
    CHECK(Codec::Format({text[0]}) == text);
  }
  CHECK(Codec::Format({'\t'}) == "tab");
  for (const auto* text : {"", "\"", ".", "a", "1", "\n", "\r", ",,", " ", "-"}) {
    INFO(text);
    CHECK_FALSE(Codec::Parse(text));
  }
}

// --- Through the watcher ---

Options CsvOptions(Options more = {}) {
  Options options = {{"format", {"csv"}}, {"api-version", {"OT-2/v1alpha1"}}};
  for (auto& option : more) options.push_back(std::move(option));
  return options;
}

// Without the uuid.
std::string BodyOf(const AcceptedTrigger& trigger) {
  return "{" + trigger.body.substr(trigger.body.find("\"apiVersion\""));
}

TEST_CASE("each row of a CSV becomes a trigger, its columns the spec", "[file][csv]") {
  Inbox inbox;
  auto& watcher = inbox.Watch(CsvOptions({{"protocol", {"Dispense"}}}));
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("orders.csv", "sample,volume\nS-1,1.50\nS-2,20\n");
  const auto taken = inbox.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK(BodyOf(taken[0]) ==
        R"({"apiVersion":"OT-2/v1alpha1","protocol":"Dispense",)"
        R"("spec":{"sample":"S-1","volume":1.50},"metadata":{"source":"test","spec":{"path":")" +
            inbox.path() + R"(/orders.csv","row":1}}})");
  CHECK_THAT(BodyOf(taken[1]), ContainsSubstring(R"("spec":{"sample":"S-2","volume":20})"));
  CHECK(watcher.Stop());
  CHECK(watcher.accepted.value() == 2);
  CHECK(inbox.logs.text().find("\"triggers\":2") != std::string::npos);
  // In one transaction with the checkpoint: a restart takes nothing again.
  inbox.queue.Reopen();
  inbox.Watch(CsvOptions({{"protocol", {"Dispense"}}}));
  inbox.WriteText("more.csv", "sample\nS-3\n");
  CHECK_THAT(BodyOf(inbox.queue.Take(1).at(0)), ContainsSubstring("S-3"));
  CHECK(inbox.queue.Empty());
}

TEST_CASE("what a spreadsheet exports is read: a mark, semicolons, CRLF, empty rows",
          "[file][csv]") {
  Inbox inbox;
  REQUIRE(inbox.Watch(CsvOptions({{"delimiter", {";"}}})).WaitForSuccesses(1));
  inbox.WriteText("Auftr\xC3\xA4ge.CSV",
                  "\xEF\xBB\xBFprotocol;Probe;Volumen (\xC2\xB5L);Notiz\r\n"
                  "Mix;Wasser;12,5;\"heute;\r\n\"\"dringend\"\"\"\r\n"
                  "Heat;\xC3\x96l;7;\r\n"
                  ";;;\r\n"
                  ";;;\r\n");
  const auto taken = inbox.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].protocol == "Mix");
  CHECK_THAT(taken[0].body,
             ContainsSubstring("\"spec\":{\"Probe\":\"Wasser\",\"Volumen (\xC2\xB5L)\":\"12,5\","
                               "\"Notiz\":\"heute;\\u000d\\n\\\"dringend\\\"\"}"));
  CHECK(taken[1].protocol == "Heat");
  CHECK_THAT(taken[1].body, ContainsSubstring("\"spec\":{\"Probe\":\"\xC3\x96l\",\"Volumen "
                                              "(\xC2\xB5L)\":7}"));
  CHECK(inbox.queue.Empty());
}

TEST_CASE("a CSV may say apiVersion and protocol in columns", "[file][csv]") {
  Inbox inbox;
  auto& watcher = inbox.Watch({{"format", {"csv"}}});
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("a.csv", "apiVersion,protocol,n\nA/v1,P,1\nB/v1,42,2\n");
  const auto taken = inbox.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].api_version == "A/v1");
  CHECK(taken[1].protocol == "42");
  CHECK_THAT(taken[1].body, ContainsSubstring(R"("spec":{"n":2})"));
  inbox.WriteText("b.csv", "apiVersion,n\nA/v1,1\n");
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("no column protocol"));
  inbox.WriteText("c.csv", "apiVersion,protocol\nA/v1,P\nA/v1,\n");
  CHECK(Eventually([&] { return watcher.rejected.value() == 2; }));
  CHECK(inbox.logs.text().find("\"line\":3,\"pointer\":\"/protocol\"") != std::string::npos);
  CHECK(inbox.queue.Empty());
}

TEST_CASE("a bad CSV is refused whole, with path, line and column, and moved", "[file][csv]") {
  Inbox inbox;
  auto& watcher = inbox.Watch(CsvOptions({{"protocol", {"P"}}, {"on-failure", {"move"}}}));
  REQUIRE(watcher.WaitForSuccesses(1));
  inbox.WriteText("bad.csv", "a,b\n1,2\n1,\"2\" x\n");
  CHECK(inbox.Loses("bad.csv"));
  CHECK(inbox.Has("failed/bad.csv"));
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  const auto log = inbox.logs.text();
  CHECK_THAT(log, ContainsSubstring(inbox / "bad.csv"));
  CHECK(log.find("\"line\":3,\"column\":2") != std::string::npos);
  inbox.WriteText("header.csv", "a,b\n\n");
  CHECK(Eventually([&] { return watcher.rejected.value() == 2; }));
  CHECK_FALSE(inbox.Has("header.csv"));
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("no row below the header"));
  CHECK(inbox.queue.Empty());
}

TEST_CASE("a CSV with more rows than a batch may have triggers is refused whole", "[file][csv]") {
  Inbox inbox;
  auto& watcher = inbox.Watch(CsvOptions({{"protocol", {"P"}}}));
  REQUIRE(watcher.WaitForSuccesses(1));
  std::string text = "n\n";
  for (std::size_t i = 0; i <= kMaxBatch; ++i) text += std::to_string(i) + "\n";
  inbox.dir.Write("many.csv", text);
  std::filesystem::rename(inbox.dir / "many.csv", inbox / "many.csv");
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("more than 10000 triggers"));
  CHECK(inbox.queue.Empty());
}

TEST_CASE("few bytes of a CSV can't become many of triggers", "[file][csv]") {
  Inbox inbox;
  auto& watcher = inbox.Watch(CsvOptions({{"protocol", {"P"}}}));
  REQUIRE(watcher.WaitForSuccesses(1));
  std::string header, row;
  for (int i = 0; i < 1000; ++i) {
    header += (i > 0 ? "," : "") + std::to_string(i) + std::string(240, 'n');
    row += i > 0 ? ",1" : "1";
  }
  std::string text = header + "\n";
  for (int i = 0; i < 1200; ++i) text += row + "\n";
  inbox.WriteText("large.csv", text);
  CHECK(Eventually([&] { return watcher.rejected.value() == 1; }));
  CHECK_THAT(inbox.logs.text(), ContainsSubstring("more than 256MiB"));
  CHECK(inbox.queue.Empty());
}

TEST_CASE("options of formats that make no sense together are refused", "[file][csv]") {
  Inbox inbox;
  const auto options =
      GENERATE(Options{{"format", {"xml"}}}, Options{{"format", {"text"}}},
               Options{{"format", {"csv"}}, {"csv-events", {"file"}}},
               Options{{"format", {"csv"}}, {"csv-events", {"plate"}}, {"plate", {"96"}}},
               Options{{"format", {"csv"}},
                       {"csv-events", {"plate"}},
                       {"api-version", {"A"}},
                       {"protocol", {"P"}}},
               Options{{"format", {"csv"}}, {"plate", {"96"}}}, Options{{"delimiter", {";"}}},
               Options{{"csv-skip-lines", {"1"}}}, Options{{"api-version", {"A"}}},
               Options{{"format", {"csv"}}, {"api-version", {"not one"}}},
               Options{{"format", {"csv"}}, {"protocol", {"P"}}, {"map", {"nil"}}},
               Options{{"format", {"csv"}}, {"delimiter", {"tabs"}}},
               Options{{"marker", {"a/b"}}, {"map", {"nil"}}}, Options{{"marker", {"done"}}},
               Options{{"marker-event", {"files"}}},
               Options{{"marker", {"done"}}, {"map", {"nil"}}, {"format", {"text"}}},
               Options{{"marker", {"done"}}, {"map", {"nil"}}, {"after", {"move"}}});
  CHECK_THROWS(inbox.Make(options));
}

}  // namespace
}  // namespace tower::file
