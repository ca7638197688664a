// What the log tells of requests.
#include "core/base/log.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

struct DebugLevel {
  DebugLevel() { SetLogLevel(LogLevel::kDebug); }
  ~DebugLevel() { SetLogLevel(LogLevel::kInfo); }
};

TEST_CASE("each request is an event at level debug, without its query and its token", "[http]") {
  const TempDir folder;
  const auto tokens = folder.Write("tokens", "lab-7:0123456789abcdef0123456789abcdef\n");
  const CapturedLogs logs;
  HttpServerOptions options;
  options.tokens_file = tokens;
  HttpFixture fixture(options);
  fixture.server->Route("GET", "/things/{id}", [](const HttpRequest&) { return HttpResponse{}; });
  fixture.Start();
  const auto ask = [&fixture](std::string_view target, std::string_view headers) {
    return Ask(fixture, "GET", target, {}, headers).status;
  };
  constexpr std::string_view kToken = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n";
  CHECK(ask("/things/4?key=hunter2", kToken) == 200);
  CHECK_THAT(logs.text(), !ContainsSubstring("request"));
  {
    const DebugLevel debug;
    CHECK(ask("/things/5%20?key=hunter2", kToken) == 200);
    CHECK(ask("/things/6", "") == 401);
    CHECK(ask("/nothing", kToken) == 404);
    CHECK(RawHttpClient(fixture.port()).Request("GET", " nonsense ")->status == 400);
  }
  const auto text = logs.text();
  CHECK_THAT(text, ContainsSubstring("\"msg\":\"request\",\"method\":\"GET\",\"path\":"
                                     "\"/things/5%20\",\"status\":200,\"ms\":"));
  CHECK_THAT(text, ContainsSubstring("\"peer\":\"127.0.0.1\",\"client\":\"lab-7\""));
  CHECK_THAT(text, ContainsSubstring("\"path\":\"/things/6\",\"status\":401"));
  CHECK_THAT(text, ContainsSubstring("\"path\":\"/nothing\",\"status\":404"));
  CHECK_THAT(text, ContainsSubstring("\"status\":400"));
  CHECK_THAT(text, !ContainsSubstring("hunter2") && !ContainsSubstring("0123456789abcdef"));
}

}  // namespace
}  // namespace tower
