#include "core/json/json.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>
#include <vector>

namespace tower {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

bool IsJson(std::string_view text) { return JsonTape().Read(text).has_value(); }

// The first fault of a text, which must have one.
Fault FirstFault(std::string_view text, const JsonLimits& limits = {}) {
  JsonTape tape;
  const auto root = tape.Read(text, limits);
  if (root) return {"accepted", std::string(text), 0};
  return root.error().front();
}

std::string Nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST_CASE("what RFC 8259 allows is read", "[json]") {
  for (const auto* text : {"null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "-0.0",
                           "1E+2",
                           "1e-2",
                           "0.5",
                           "\"\"",
                           "[]",
                           "{}",
                           " \t\r\n[ 1 , 2 ]\n",
                           "[[],{},[{}]]",
                           R"({"":0})",
                           R"({"a":1,"A":2})",
                           R"(["\"\\\/\b\f\n\r\t"])",
                           R"(["\u0000\u0041\uD834\uDD1E\uffff"])",
                           "[\"\x7f\"]",
                           "[\"\xC2\x80\xEF\xBF\xBF\"]",
                           "[\"\xF4\x8F\xBF\xBF\"]",
                           "[\"\xEF\xBB\xBF\"]",
                           R"({"__proto__":null})"}) {
    CAPTURE(text);
    CHECK(IsJson(text));
  }
}

TEST_CASE("strings of any length are read to their end", "[json]") {
  for (std::size_t before = 0; before < 20; ++before) {
    for (std::size_t after = 0; after < 10; ++after) {
      auto head = std::string(before, "!#[]\x7f"[before % 5]);  // neighbours of the special ones
      if (before > 2) head.replace(before / 2, 2, "\xC3\xBF");
      const auto tail = std::string(after, '!');
      CAPTURE(before, after);
      JsonTape tape;
      for (const std::string escape : {"", R"(\")", R"(\\)", R"(\u00e9)"}) {
        const auto text = "[\"" + head + escape + tail + "\",1]";
        const auto root = tape.Read(text);
        REQUIRE(root);
        REQUIRE(root->size() == 2);
        CHECK(root->begin()->text() == text.substr(1, text.size() - 4));
      }
      for (const char bad : {'\x01', '\x1f', '\n'})
        CHECK_FALSE(IsJson("[\"" + head + bad + tail + "\"]"));
      CHECK_FALSE(IsJson("[\"" + head + tail));
      CHECK_FALSE(IsJson("[\"" + head + "\"" + tail + "!\"]"));
    }
  }
}

TEST_CASE("what RFC 8259 does not allow is refused", "[json]") {
  for (const auto* text : {"",
                           " ",
                           "\n",
                           "nul",
                           "nulll",
                           "True",
                           "NaN",
                           "nan",
                           "Infinity",
                           "-Infinity",
                           "[NaN]",
                           "[Infinity]",
                           "+1",
                           "01",
                           "-01",
                           "1.",
                           ".5",
                           "-",
                           "1e",
                           "1e+",
                           "1e1.5",
                           "0x10",
                           "1 2",
                           "1,",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "[1",
                           "1]",
                           "[",
                           "]",
                           "[}",
                           "{]",
                           "{",
                           "}",
                           R"({"a":1,})",
                           R"({"a"})",
                           R"({"a":})",
                           R"({"a" 1})",
                           "{a:1}",
                           "{'a':1}",
                           "{1:1}",
                           R"({"a":1 "b":2})",
                           R"({,"a":1})",
                           R"({"a"::1})",
                           "\"",
                           "\"abc",
                           "'abc'",
                           R"("\x41")",
                           R"("\u12")",
                           R"("\u12g4")",
                           R"("\U0041")",
                           R"("\)",
                           "\"\t\"",
                           "\"\n\"",
                           "\"\x01\"",
                           "// c\n1",
                           "1 // c",
                           "/* c */ 1",
                           "[1]x",
                           "{}{}",
                           "[]\n[]",
                           "\v1",
                           "\f1",
                           "\xC2\xA0[]",
                           "undefined",
                           "[1]\x1a"}) {
    CAPTURE(text);
    CHECK_FALSE(IsJson(text));
  }
}

TEST_CASE("numbers are checked for their form and never computed", "[json]") {
  const std::string digits(5000, '9');
  for (const auto& number :
       {"1.0000000000001e-2147483639"s, "1e400"s, "-1e400"s, "1e-400"s,
        "123456789012345678901234567890"s, "1e99999999999999999999"s, "1e-99999999999999999999"s,
        "0e999999999999"s, "1.0"s, "4294967296.5e+00000000000000000001"s, digits, "-" + digits,
        "0." + digits, "1e" + digits, "1e-" + digits, digits + "." + digits + "E-" + digits}) {
    CAPTURE(number.substr(0, 60));
    JsonTape tape;
    for (const auto& text : {number, "[" + number + "]"}) {
      const auto root = tape.Read(text);
      REQUIRE(root);
      const auto value = root->type() == JsonType::kArray ? *root->begin() : *root;
      CHECK(value.type() == JsonType::kNumber);
      CHECK(value.text() == number);
    }
  }
}

TEST_CASE("byte order marks are refused, also partial ones", "[json]") {
  for (const auto text :
       {"\xEF\xBB\xBF{}"sv, "\xFE\xFF\0{\0}"sv, "\xFF\xFE{\0}\0"sv, "\xEF\xBB\xBF"sv}) {
    const auto fault = FirstFault(text);
    CHECK(fault.detail.find("byte order mark") != std::string::npos);
    CHECK(fault.offset == 0);
  }
  for (const auto text : {"\xEF\xBB{}"sv, "\xEF{}"sv, "\xFF"sv, "\xFE{}"sv}) {
    const auto fault = FirstFault(text);
    CHECK(fault.detail.find("not UTF-8") != std::string::npos);
    CHECK(fault.offset == 0);
  }
}

TEST_CASE("a zero byte is refused wherever it stands", "[json]") {
  for (const auto& text :
       {"\0"sv, "123\0"sv, "123\0garbage"sv, "[\"a\0b\"]"sv, "{}\0"sv, "\0{}"sv}) {
    const auto fault = FirstFault(text);
    CHECK(fault.detail.find("zero byte") != std::string::npos);
    CHECK(fault.offset == text.find('\0'));
  }
}

TEST_CASE("bytes that are not UTF-8 are refused with their place", "[json]") {
  for (const auto bad : {"\x80"sv, "\xBF"sv, "\xC0\x80"sv, "\xC1\xBF"sv, "\xC2"sv, "\xC3("sv,
                         "\xE0\x80\x80"sv, "\xE0\x9F\xBF"sv, "\xED\xA0\x80"sv, "\xED\xBF\xBF"sv,
                         "\xE2\x82"sv, "\xF0\x80\x80\x80"sv, "\xF0\x8F\xBF\xBF"sv,
                         "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xF0\x9F\x98"sv, "\xFF"sv}) {
    for (const std::string before : {"[\"", "[\"abcdefghijklmnop", "[\"\xC3\xA9"}) {
      const std::string text = before + std::string(bad) + "\"]";
      CAPTURE(text);
      const auto fault = FirstFault(text);
      CHECK(fault.detail.find("UTF-8") != std::string::npos);
      CHECK(fault.offset == before.size());
    }
  }
  CHECK_FALSE(IsJson("\"\xE2\x82"));  // cut off at the end of the text
}

TEST_CASE("half of a surrogate pair is refused in either order", "[json]") {
  for (const auto half :
       {R"(\uDC00)", R"(\udfff)", R"(\uD800)", R"(\uDBFFx)", R"(\uD800\u0041)", R"(\uD800\uD800)",
        R"(\uDC00\uD800)", R"(\uD800\uDC00\uDC00)", R"(\\\uDC00)", R"(\uD800\n)"}) {
    CAPTURE(half);
    CHECK_FALSE(IsJson("[\""s + half + "\"]"));
    CHECK_FALSE(IsJson("{\""s + half + "\":1}"));
  }
  CHECK(IsJson(R"("\uD800\uDC00\uDBFF\uDFFF")"));
  CHECK(IsJson(R"("\\uDC00 \\\\uDC00")"));  // a backslash, then text
  const auto fault = FirstFault(R"({"a":[1,"x\uDC00"]})");
  CHECK(fault.pointer == "/a/1");
  CHECK(fault.offset == 10);
}

TEST_CASE("a name that stands twice in one object is refused at every level", "[json]") {
  const auto pointer = [](std::string_view text) { return FirstFault(text).pointer; };
  CHECK(pointer(R"({"a":1,"a":1})") == "/a");
  CHECK(pointer(R"({"b":{"c":[0,{"a":1,"x":2,"a":3}]}})") == "/b/c/1/a");
  CHECK(pointer(R"({"a":1,"\u0061":2})") == "/a");  // the same name, written otherwise
  CHECK(pointer(R"({"\u0061":1,"\u0061":2})") == "/a");
  CHECK(pointer(R"({"/":1,"\/":2})") == "/~1");
  CHECK(pointer(R"({"":1,"":2})") == "/");
  CHECK(pointer(R"({"\uD83D\uDE00":1,"😀":2})") == "/😀");
  CHECK(IsJson(R"({"a":{"a":{"a":[{"a":1},{"a":1}]}}})"));
  CHECK(IsJson(R"({"a":{"\u0061b":1},"\u0062":{"b":1,"a":2}})"));
  CHECK(FirstFault(R"({"a":1, "a":1})").offset == 8);

  JsonTape tape;
  const auto several = tape.Read(R"({"x":{"a":1,"a":2,"a":3},"y":[{"b":1,"b":2}],"x":0})");
  REQUIRE_FALSE(several);
  CHECK(several.error().size() == 4);
}

TEST_CASE("duplicates are found among many names, whatever the names", "[json]") {
  for (const std::size_t count : {11U, 12U, 13U, 14U, 1000U, 100000U}) {
    std::string text = "{";
    for (std::size_t i = 0; i < count; ++i) text += "\"n" + std::to_string(i) + "\":[],";
    CAPTURE(count);
    CHECK(IsJson(text + "\"last\":1}"));
    const std::size_t second = text.size();
    text += "\"\\u006E7\":1}";  // n7 again
    const auto fault = FirstFault(text);
    CHECK(fault.pointer == "/n7");
    CHECK(fault.offset == second);
  }
}

TEST_CASE("the list of faults is bounded, and so is each pointer", "[json]") {
  std::string text = "{\"" + std::string(5000, 'x') + "\":{\"y\":1";
  for (int i = 0; i < 1000; ++i) text += ",\"y\":1";
  JsonTape tape;
  const auto root = tape.Read(text + "}}");
  REQUIRE_FALSE(root);
  CHECK(root.error().size() == kMaxFaults + 1);
  for (const Fault& fault : root.error()) CHECK(fault.pointer.size() <= kMaxPointerBytes);
  CHECK(root.error().back().detail.find("more faults") != std::string::npos);
}

TEST_CASE("nesting is bounded", "[json]") {
  CHECK(IsJson(Nested(kMaxJsonDepth)));
  CHECK_FALSE(IsJson(Nested(kMaxJsonDepth + 1)));
  CHECK_FALSE(IsJson(std::string(1000000, '[')));
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  CHECK_FALSE(IsJson(objects));
  const auto fault = FirstFault(R"({"a":[{"b":[]}]})", {.depth = 3});
  CHECK(fault.pointer == "/a/0/b");
  CHECK(fault.offset == 11);
  CHECK(fault.detail == "nested deeper than 3");
}

TEST_CASE("a syntax error tells its place", "[json]") {
  const auto fault = FirstFault(R"({"a": tru})");
  CHECK(fault.detail == "not valid JSON: expected a value (byte 9)");
  CHECK(fault.offset == 9);
  CHECK(FirstFault("[1] x").offset == 4);
  CHECK(FirstFault("").detail == "not valid JSON: the text is empty (byte 0)");
}

TEST_CASE("values keep their bytes, names and order", "[json]") {
  JsonTape tape;
  constexpr auto kText =
      R"( {"z" : 1.0, "a\/b":"x\n\u00e9" ,"list":[ null,true,false,{"k": [1] } ],"e":{}} )"sv;
  const auto root = tape.Read(kText);
  REQUIRE(root);
  CHECK(root->type() == JsonType::kObject);
  CHECK(root->text() == kText.substr(1, kText.size() - 2));
  CHECK(root->size() == 4);
  std::vector<std::string> names;
  for (const JsonValue& member : *root) names.push_back(member.Name());
  CHECK(names == std::vector<std::string>{"z", "a/b", "list", "e"});
  CHECK(root->Find("z")->text() == "1.0");
  CHECK(root->Find("z")->name_offset() == 2);
  CHECK(root->Find("a/b")->String() == "x\n\xC3\xA9");
  CHECK(root->Find("a/b")->text() == R"("x\n\u00e9")");
  CHECK_FALSE(root->Find("k"));
  CHECK(root->Find("e")->begin() == root->Find("e")->end());
  const JsonValue list = *root->Find("list");
  std::vector<JsonType> types;
  for (const JsonValue& item : list) types.push_back(item.type());
  CHECK(types ==
        std::vector{JsonType::kNull, JsonType::kTrue, JsonType::kFalse, JsonType::kObject});
  CHECK(list.text() == R"([ null,true,false,{"k": [1] } ])");
  CHECK(kText.substr(list.offset(), list.text().size()) == list.text());
  CHECK_FALSE(list.Find("k"));
}

TEST_CASE("what lies below the recorded depth is checked all the same", "[json]") {
  JsonTape tape;
  const auto root = tape.Read(R"({"a":{"b":{"c":1}},"d":2})", {.record = 2});
  REQUIRE(root);
  CHECK(root->size() == 2);
  CHECK(root->Find("a")->Find("b")->text() == R"({"c":1})");
  CHECK(root->Find("a")->Find("b")->size() == 0);
  CHECK(root->Find("d")->text() == "2");
  CHECK_FALSE(tape.Read(R"({"a":{"b":{"c":1,"c":2}}})", {.record = 0}));
  CHECK(tape.Read(R"({"a":{"b":{"c":1}}})", {.record = 0})->size() == 0);
}

TEST_CASE("the items of an array can be had one by one", "[json]") {
  JsonTape tape;
  std::vector<std::string> items;
  std::size_t stop_after = 100;
  const auto read = [&](std::string_view text) {
    items.clear();
    return tape.ReadItems(text, {}, [&](const JsonValue& item) {
      std::string seen(item.text());
      for (const JsonValue& member : item) seen += " " + member.Name();
      items.push_back(seen);
      return items.size() < stop_after;
    });
  };
  const auto root = read(R"([ 1,"\n",[2,[3]], {"a":[{}],"b":2} , [] ])");
  REQUIRE(root);
  CHECK(root->type() == JsonType::kArray);
  CHECK(root->size() == 0);
  CHECK(root->text().size() == 41);
  CHECK(items ==
        std::vector<std::string>{"1", R"("\n")", "[2,[3]]  ", R"({"a":[{}],"b":2} a b)", "[]"});
  CHECK(read(R"([{"a":1},{"a":1,"a":2}])").error().front().pointer == "/1/a");
  CHECK_FALSE(read("[1,2"));
  CHECK(items.size() == 2);
  stop_after = 1;
  CHECK(read("[1,2"));
  CHECK(items.size() == 1);
  CHECK(read(R"({"a":[1,2]})")->Find("a")->size() == 2);
  CHECK(items.empty());
}

TEST_CASE("a tape can be used again after a fault", "[json]") {
  JsonTape tape;
  CHECK_FALSE(tape.Read(R"({"a":1,"a":[)"));
  const auto root = tape.Read(R"({"a":1})");
  REQUIRE(root);
  CHECK(root->Find("a")->text() == "1");
}

TEST_CASE("a written string is read back as it was", "[json]") {
  const auto written = [](std::string_view text) {
    std::string out;
    AppendJsonString(out, text);
    return out;
  };
  CHECK(written("a\"b\\c\n\x01\x1f/\x7f") == "\"a\\\"b\\\\c\\n\\u0001\\u001f/\x7f\"");
  CHECK(written("\xF0\x9F\x98\x80 \xC3\xA9") == "\"\xF0\x9F\x98\x80 \xC3\xA9\"");
  CHECK(written("x\xFFy\xC3") == "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\"");
  CHECK(written("\xED\xA0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  CHECK(written("\0"sv) == "\"\\u0000\"");

  std::mt19937 random(1);
  JsonTape tape;
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 20, '\0');
    const bool ascii = round % 2 == 0;
    for (char& c : text) c = static_cast<char>(random() % (ascii ? 128 : 256));
    const std::string json = written(text);
    CAPTURE(json);
    const auto root = tape.Read(json);
    REQUIRE(root);
    if (ascii) CHECK(root->String() == text);
  }
}

TEST_CASE("faults are described in one line, at most so many", "[json]") {
  const Faults faults = {{"", "odd", 0}, {"/a", "bad", 1}, {"/b", "worse", 2}};
  CHECK(Describe(faults) == "odd; /a: bad; /b: worse");
  CHECK(Describe(faults, 2) == "odd; /a: bad; and 1 more");
}

TEST_CASE("a pointer escapes its tokens and stays short", "[json]") {
  std::string pointer;
  CHECK(AppendPointer(pointer, "a/b~c"));
  CHECK(AppendPointer(pointer, ""));
  CHECK(pointer == "/a~1b~0c/");
  CHECK_FALSE(AppendPointer(pointer, std::string(kMaxPointerBytes, '/')));
  CHECK(pointer == "/a~1b~0c/");
}

}  // namespace
}  // namespace tower
