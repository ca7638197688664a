#include "core/json/writer.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <limits>
#include <string>

namespace tower {
namespace {

TEST_CASE("a writer separates names and values", "[json]") {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Member("a", 1).Key("b").BeginArray();
  json.Value("x").Value(true).Null().BeginObject().EndObject().BeginArray().EndArray().Raw("1.50");
  json.EndArray().Member("c", false).Key("d").BeginObject().Member("e", std::string("f"));
  json.EndObject().RawMember("g", "[]").EndObject();
  CHECK(out == R"({"a":1,"b":["x",true,null,{},[],1.50],"c":false,"d":{"e":"f"},"g":[]})");
  JsonTape tape;
  CHECK(tape.Read(out));
}

TEST_CASE("a writer appends, and escapes names and strings", "[json]") {
  std::string out = "before ";
  JsonWriter json(out);
  json.BeginObject().Member("a\"b", "c\n\xff").EndObject();
  CHECK(out == "before {\"a\\\"b\":\"c\\n\xEF\xBF\xBD\"}");
}

TEST_CASE("a writer writes every digit of a number", "[json]") {
  std::string out;
  JsonWriter json(out);
  json.BeginArray().Value(std::numeric_limits<std::int64_t>::min());
  json.Value(std::numeric_limits<std::uint64_t>::max()).Value(0).Value(std::uint16_t{65535});
  json.EndArray();
  CHECK(out == "[-9223372036854775808,18446744073709551615,0,65535]");
}

}  // namespace
}  // namespace tower
