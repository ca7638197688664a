#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <random>
#include <set>

#include "plugins/poll/ledger.h"
#include "plugins/poll/link.h"
#include "plugins/poll/settings.h"

namespace tower::poll {
namespace {

using namespace std::chrono_literals;

TEST_CASE("the next page is found in a Link header", "[poll]") {
  const auto next = [](std::string_view value) { return NextLink(value).value_or("none"); };
  CHECK(next("<https://a/?page=2>; rel=\"next\"") == "https://a/?page=2");
  CHECK(next("<a>; rel=prev, <b>; rel=next") == "b");
  CHECK(next("<a>;rel=\"prev first\" , , <b,c;d> ;title=\"x, y; rel=\\\"no\\\"\"; REL = \"last "
             "NEXT\"") == "b,c;d");
  CHECK(next("<>; rel=next") == "");
  CHECK(next("<a>; rel*=x; rel=next") == "a");
  for (const auto* none :
       {"", "<a>", "<a>; rel=prev", "<a>; rel=nextpage", "<a>; rel=prev; rel=next", "<a; rel=next",
        "a; rel=next", "<a>; title=\"rel=next\"", "<a>; rel=\"", "<a>;;", ",,", ";", "<",
        "<a>; rel", "<a>; title=\"unfinished, <b>; rel=next"}) {
    INFO(none);
    CHECK(next(none) == "none");
  }
}

TEST_CASE("what is known of an item survives being written and read", "[poll]") {
  const std::string digest(64, 'a');
  const auto there = Decode(Encode({.digest = digest, .missing = {}}));
  REQUIRE(there);
  CHECK(there->digest == digest);
  CHECK_FALSE(there->missing);
  const auto missing = Decode(Encode({.digest = digest, .missing = 1722222222123}));
  REQUIRE(missing);
  CHECK(missing->missing == 1722222222123);
  for (const auto& bad : {std::string(), std::string("1 "), "2 " + digest, "1 " + digest + "x",
                          "1 " + digest + " ", "1 " + digest + " 1x", "1 " + digest.substr(1)}) {
    INFO(bad);
    CHECK_FALSE(Decode(bad));
  }
}

TEST_CASE("no two ids have one key", "[poll]") {
  const std::string long_id(300, 'x');
  CHECK(Ledger::KeyOf("d") != Ledger::kDocument);
  CHECK(Ledger::KeyOf("cursor") != "cursor");
  CHECK(Ledger::KeyOf(long_id) != Ledger::KeyOf(long_id + "x"));
  CHECK(Ledger::KeyOf(long_id).size() < 100);
  CHECK(Ledger::KeyOf(Ledger::KeyOf(long_id)) != Ledger::KeyOf(long_id));
}

TEST_CASE("looks are an interval apart, give or take a tenth", "[poll]") {
  Settings settings;
  settings.interval = 60s;
  std::minstd_rand random(1);
  std::set<std::chrono::milliseconds> times;
  for (int n = 0; n < 1000; ++n) times.insert(settings.NextInterval(random));
  CHECK((*times.begin() >= 54s && *times.begin() < 55s));
  CHECK((*times.rbegin() <= 66s && *times.rbegin() > 65s));
}

}  // namespace
}  // namespace tower::poll
