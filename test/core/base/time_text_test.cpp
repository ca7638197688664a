#include "core/base/time_text.h"

#include <catch2/catch_test_macros.hpp>
#include <chrono>

namespace tower {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

// The examples of RFC 9110, section 5.6.7.
TEST_CASE("dates of HTTP are written in one form and read in three", "[time_text]") {
  const sys_seconds time(seconds(784'111'777));
  CHECK(HttpDate(time) == "Sun, 06 Nov 1994 08:49:37 GMT");
  for (const auto* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    INFO(text);
    CHECK(ParseHttpDate(text) == time);
  }
  for (const auto* text : {"", "0", "Sun, 06 Nov 1994 08:49:37", "1994-11-06T08:49:37Z",
                           "Sun, 06 Nov 1994 08:49:37 GMT x"}) {
    INFO(text);
    CHECK_FALSE(ParseHttpDate(text));
  }
}

TEST_CASE("times are written in UTC with milliseconds, and read back", "[time_text]") {
  const WallTime time(std::chrono::milliseconds(1'714'555'800'007));
  CHECK(TimeText(time) == "2024-05-01T09:30:00.007Z");
  const auto read = ParseTimeText(TimeText(time));
  REQUIRE(read);
  CHECK(read->offset == seconds(0));
  CHECK(read->local.time_since_epoch() == time.time_since_epoch());
}

}  // namespace
}  // namespace tower
