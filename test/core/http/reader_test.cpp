#include "core/http/reader.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace tower {
namespace {

constexpr std::string_view kPost = "POST /t HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
constexpr std::string_view kChunks =
    "POST /t HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n";

TEST_CASE("a request is read the same in whatever pieces it comes", "[http]") {
  for (const auto request : {kPost, kChunks}) {
    for (std::size_t piece = 1; piece <= request.size(); ++piece) {
      CAPTURE(request, piece);
      HttpReader reader(100);
      for (std::size_t at = 0; at < request.size(); at += piece) {
        REQUIRE_FALSE(reader.complete());
        const auto bytes = request.substr(at, piece);
        REQUIRE(reader.Take(bytes) == bytes.size());
      }
      REQUIRE(reader.complete());
      CHECK_FALSE(reader.refusal());
      CHECK(reader.head().method == "POST");
      CHECK(reader.head().target.path == "/t");
      CHECK(reader.head().Find("host") == "h");
      CHECK(reader.body() == "hello");
    }
  }
}

TEST_CASE("what follows a request is left for the next one", "[http]") {
  HttpReader reader(100);
  std::string bytes = "\r\n";  // means nothing between requests
  bytes += kPost;
  bytes += kChunks;
  const auto first = reader.Take(bytes);
  CHECK(first == 2 + kPost.size());
  CHECK(reader.Take("more") == 0);
  reader.Next(0);
  CHECK_FALSE(reader.begun());
  CHECK(reader.Take(std::string_view(bytes).substr(first)) == kChunks.size());
  CHECK(reader.body() == "hello");
}

TEST_CASE("a body is refused where it passes its limit", "[http]") {
  HttpReader reader(4);
  const auto taken = reader.Take(kChunks);
  REQUIRE(reader.refusal());
  CHECK(reader.refusal()->status == 413);
  CHECK(taken < kChunks.size());
  CHECK_FALSE(reader.complete());
  // One that says its length is read no further than that; whether it may come is the service's.
  HttpReader announced(4);
  CHECK(announced.Take(kPost) == kPost.size());
  CHECK(announced.complete());
}

}  // namespace
}  // namespace tower
