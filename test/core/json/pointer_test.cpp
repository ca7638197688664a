#include "core/json/pointer.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

namespace tower {
namespace {

TEST_CASE("a JSON pointer finds what RFC 6901 says", "[json]") {
  const std::string text =
      R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"k\"l":6," ":7,"m~n":8,"x":{"y":[[9]]}})";
  JsonTape tape;
  const auto root = tape.Read(text);
  REQUIRE(root);
  const auto at = [&](std::string_view pointer) -> std::string {
    const auto parsed = JsonPointer::Parse(pointer);
    if (!parsed) return "refused";
    const auto found = parsed->In(*root);
    return found ? std::string(found->text()) : "nothing";
  };
  CHECK(at("") == text);
  CHECK(at("/foo") == R"(["bar","baz"])");
  CHECK(at("/foo/0") == "\"bar\"");
  CHECK(at("/foo/1") == "\"baz\"");
  CHECK(at("/") == "0");
  CHECK(at("/a~1b") == "1");
  CHECK(at("/c%d") == "2");
  CHECK(at("/k\"l") == "6");
  CHECK(at("/ ") == "7");
  CHECK(at("/m~0n") == "8");
  CHECK(at("/x/y/0/0") == "9");
  for (const auto* nothing :
       {"/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/", "/foo/0/x", "/z",
        "/foo/99999999999999999999", "/x/y/0/0/0", "/foo/-1", "/foo/0/0", "/x/q", "/x/y/q"}) {
    INFO(nothing);
    CHECK(at(nothing) == "nothing");
  }
  for (const auto* bad : {"#", "foo", "#/foo", "/a~", "/a~2b", "a/b", "/~", "/~2"}) {
    INFO(bad);
    CHECK(at(bad) == "refused");
  }
  CHECK(JsonPointer::Parse("")->depth() == 0);
  CHECK(JsonPointer::Parse("/a/b")->depth() == 2);
}

}  // namespace
}  // namespace tower
