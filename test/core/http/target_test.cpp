#include "core/http/target.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace tower {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("a target is a path and a query, of this host or of one that it names", "[http]") {
  const auto plain = ParseHttpTarget("/a/%62;c=d:@!?x=/?&{y}");
  REQUIRE(plain);
  CHECK(plain->path == "/a/%62;c=d:@!");
  CHECK(plain->query == "x=/?&{y}");
  CHECK_FALSE(plain->host);

  const auto absolute = ParseHttpTarget("HTTP://Tower.example:8000?x");
  REQUIRE(absolute);
  CHECK(absolute->path == "/");
  CHECK(absolute->query == "x");
  REQUIRE(absolute->host);
  CHECK(absolute->host->name == "Tower.example");
  CHECK(absolute->host->port == "8000");

  CHECK(ParseHttpTarget("https://[fe80::1]/x")->host->name == "[fe80::1]");
  CHECK(ParseHttpTarget("*")->path == "*");
  for (const auto* bad :
       {"",         "a",      "?x",      "*x",        "/a#",         "/a?b#c",     "/a b",
        "/\"",      "/a|b",   "/%",      "/%4",       "/%4g",        "/%00",       "/a?%",
        "http:/a",  "http:a", "http://", "http://?x", "http://a:b/", "httpx://a/", "mailto:a@b",
        "/\xC3\xA9"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseHttpTarget(bad));
  }
}

TEST_CASE("a decoded path has the slashes that were there before", "[http]") {
  std::string storage;
  CHECK(DecodeHttpPath("/a/b", storage) == "/a/b");
  CHECK(storage.empty());  // nothing was copied
  CHECK(DecodeHttpPath("/%61%20/%2f%2Fb/%252F/", storage) == "/a /%2F%2Fb/%2F/");
}

TEST_CASE("a query is decoded name by name, in its order", "[http]") {
  CHECK(ParseHttpQuery("") == Pairs{});
  CHECK(ParseHttpQuery("b=1&a=%26%3D&b=1&&c&=d&e=f=g+h%2B") ==
        Pairs{{"b", "1"}, {"a", "&="}, {"b", "1"}, {"c", ""}, {"", "d"}, {"e", "f=g h+"}});
}

}  // namespace
}  // namespace tower
