#include "core/base/result.h"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <memory>

namespace tower {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return Error{ErrorCode::kInvalid, "odd"};
  return n / 2;
}

Status Quarter(int n, int& out) {
  const auto half = Half(n);
  if (!half) return Annotate("quarter", half.error());
  const auto quarter = Half(*half);
  if (!quarter) return quarter.error();
  out = *quarter;
  return Ok();
}

TEST_CASE("an error passes from one kind of result to another, context outward", "[result]") {
  int out = 0;
  CHECK(Quarter(8, out));
  CHECK(out == 2);
  const auto failed = Quarter(3, out);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == ErrorCode::kInvalid);
  CHECK(failed.error().message == "quarter: odd");
  CHECK(Quarter(6, out).error().message == "odd");
}

TEST_CASE("what may pass later is retryable, what was refused is not", "[result]") {
  for (const auto code : {ErrorCode::kFull, ErrorCode::kTimeout, ErrorCode::kUnavailable}) {
    CHECK(Error{code, ""}.retryable());
  }
  for (const auto code : {ErrorCode::kInvalid, ErrorCode::kNotFound, ErrorCode::kConflict,
                          ErrorCode::kStopped, ErrorCode::kPermanent}) {
    CHECK_FALSE(Error{code, ""}.retryable());
  }
  CHECK(ToString(ErrorCode::kNotFound) == "not_found");
}

TEST_CASE("a result holds what can only be moved", "[result]") {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  auto made = make();
  REQUIRE(made);
  const std::unique_ptr<int> mine = std::move(*made);
  CHECK(*mine == 7);
}

TEST_CASE("an errno value has a text", "[result]") {
  CHECK(ErrnoText(ENOENT) == "no such file or directory");
  CHECK_FALSE(ErrnoText(987654).empty());
}

}  // namespace
}  // namespace tower
