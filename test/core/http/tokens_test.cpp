#include "core/http/tokens.h"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>

#include "core/base/log_limit.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

constexpr std::string_view kFirst = "first:0123456789abcdef\n";
constexpr std::string_view kSecond = "second:fedcba9876543210\n";

int StatusWith(const HttpFixture& fixture, const std::string& token) {
  return Ask(fixture, "GET", "/closed", {}, "Authorization: Bearer " + token + "\r\n").status;
}

struct TokenServer : HttpFixture {
  explicit TokenServer(const TempDir& folder)
      : HttpFixture({.tokens_file = WriteTokens(folder, kFirst)}) {
    server->Route("GET", "/closed", [](const HttpRequest&) { return HttpResponse{}; });
    Start();
  }
};

TEST_CASE("a token that was revoked is refused at once, on connections that are open too",
          "[http_tokens]") {
  const TempDir folder;
  TokenServer fixture(folder);
  RawHttpClient client(fixture.port());
  const std::string first = "Authorization: Bearer 0123456789abcdef\r\n";
  REQUIRE(client.Request("GET", "/closed", {}, first)->status == 200);
  CHECK(StatusWith(fixture, "fedcba9876543210") == 401);
  WriteTokens(folder, kSecond);
  REQUIRE(fixture.server->ReloadTokens());
  CHECK(client.Request("GET", "/closed", {}, first)->status == 401);
  CHECK(StatusWith(fixture, "0123456789abcdef") == 401);
  CHECK(StatusWith(fixture, "fedcba9876543210") == 200);
}

TEST_CASE("a faulty tokens file is not taken on, the old tokens stay", "[http_tokens]") {
  const TempDir folder;
  TokenServer fixture(folder);
  WriteTokens(folder, std::string(kSecond) + "third:short\n");
  const auto reloaded = fixture.server->ReloadTokens();
  REQUIRE_FALSE(reloaded);
  CHECK_THAT(reloaded.error().message, ContainsSubstring("line 2") && ContainsSubstring("16 to"));
  CHECK_THAT(reloaded.error().message, !ContainsSubstring("short"));
  CHECK(StatusWith(fixture, "0123456789abcdef") == 200);
  CHECK(StatusWith(fixture, "fedcba9876543210") == 401);
  std::filesystem::remove(folder / "tokens");
  CHECK_FALSE(fixture.server->ReloadTokens());
  CHECK(StatusWith(fixture, "0123456789abcdef") == 200);
}

TEST_CASE("what is no file of a bounded size is not read", "[http_tokens]") {
  const TempDir folder;
  const auto fault = [](const std::string& path) {
    const auto loaded = HttpTokens::Load(path);
    return loaded ? "" : loaded.error().message;
  };
  const auto fifo = folder / "fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_THAT(fault(fifo), ContainsSubstring("not a regular file"));  // and does not wait
  CHECK_THAT(fault("/dev/zero"), ContainsSubstring("not a regular file"));
  CHECK_THAT(fault(folder.path().string()), ContainsSubstring("not a regular file"));
  const auto large = WriteTokens(folder, kFirst);
  std::filesystem::resize_file(large, (1UL << 20U) + 1);
  CHECK_THAT(fault(large), ContainsSubstring("larger than 1 MiB"));
}

TEST_CASE("a tokens file that others can write is refused, one that all can read is warned of",
          "[http_tokens]") {
  const TempDir folder;
  const auto path = WriteTokens(folder, kFirst);
  for (const mode_t mode : {0620U, 0602U, 0666U}) {
    REQUIRE(chmod(path.c_str(), mode) == 0);
    const auto loaded = HttpTokens::Load(path);
    REQUIRE_FALSE(loaded);
    CHECK_THAT(loaded.error().message, ContainsSubstring("chmod go-w"));
  }
  REQUIRE(chmod(path.c_str(), 0644) == 0);  // as Kubernetes mounts secrets
  const auto readable = HttpTokens::Load(path);
  REQUIRE(readable);
  CHECK_THAT(readable->warning(), ContainsSubstring("everyone"));
  REQUIRE(chmod(path.c_str(), 0640) == 0);
  CHECK(HttpTokens::Load(path)->warning().empty());
}

TEST_CASE("a wrong token is logged with its sender, never with the token, and not without end",
          "[http_tokens]") {
  const CapturedLogs logs;
  const TempDir folder;
  TokenServer fixture(folder);
  for (int i = 0; i < 50; ++i) CHECK(StatusWith(fixture, "hunter2-hunter2-hunter2") == 401);
  CHECK(Ask(fixture, "GET", "/closed").status == 401);
  const auto text = logs.text();
  CHECK_THAT(text, ContainsSubstring("token refused") &&
                       ContainsSubstring(R"("peer":"127.0.0.1")") && !ContainsSubstring("hunter2"));
  CHECK(std::count(text.begin(), text.end(), '\n') <= 20);
}

TEST_CASE("a quota of lines passes some a minute, and says how many it held back",
          "[http_tokens]") {
  LogQuota quota(2);
  const std::chrono::steady_clock::time_point start{};
  CHECK(quota.Pass(start) == 0);
  CHECK(quota.Pass(start + 1s) == 0);
  CHECK_FALSE(quota.Pass(start + 2s));
  CHECK_FALSE(quota.Pass(start + 59s));
  CHECK(quota.Pass(start + 60s) == 2);
  CHECK(quota.Pass(start + 61s) == 0);
  CHECK_FALSE(quota.Pass(start + 62s));
}

}  // namespace
}  // namespace tower
