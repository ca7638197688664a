#include "core/http/access.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "core/watch/hooks.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr std::string_view kOpen = "no tokens";      // on a loopback address
constexpr std::string_view kAnywhere = "anonymous";  // on any address, without tokens
constexpr std::string_view kTokens = "tokens";

HttpAccess Access(std::string_view kind) {
  return HttpAccess({.tokens = kind == kTokens,
                     .allow_anonymous = kind == kAnywhere,
                     .host = kind == kOpen ? "127.0.0.1" : "0.0.0.0",
                     .allowed_hosts = {"Tower.Lab", "fd00::7"}});
}

// 0 where the request passes. `headers`: "Name: value" lines, separated by '|'.
int StatusOf(const HttpAccess& access, std::string_view method, std::string_view headers) {
  std::string text = std::string(method) + " / HTTP/1.1\r\n";
  for (const char c : headers) text += c == '|' ? std::string("\r\n") : std::string(1, c);
  text += "\r\n\r\n";
  HttpHead head;
  INFO(text);
  REQUIRE_FALSE(ParseHttpHead(text, head));
  const auto refused = access.Check(head);
  return refused ? refused->status : 0;
}

struct Case {
  int status;
  std::string_view kind, method, headers;
};

TEST_CASE("a request is refused for the name it was sent to, or the page that sent it",
          "[http_access]") {
  for (const auto& [status, kind, method, headers] : std::initializer_list<Case>{
           // Names of loopback addresses, whatever the port.
           {0, kOpen, "POST", "Host: localhost"},
           {0, kOpen, "POST", "Host: LocalHost.:8000"},
           {0, kOpen, "DELETE", "Host: 127.0.0.1:8000"},
           {0, kOpen, "GET", "Host: 127.9.9.9"},
           {0, kOpen, "GET", "Host: [::1]:8000"},
           {0, kOpen, "GET", "Host: [0:0:0:0:0:0:0:1]"},
           // Those that were allowed.
           {0, kOpen, "POST", "Host: tower.lab:8000"},
           {0, kOpen, "GET", "Host: [FD00::7]:8000"},
           // Others: a page may have pointed its own name to this address.
           {421, kOpen, "GET", "Host: evil.example:8000"},
           {421, kOpen, "HEAD", "Host: evil.example"},
           {421, kOpen, "OPTIONS", "Host: evil.example"},
           {421, kOpen, "POST", "Host: evil.example|Origin: http://evil.example"},
           {421, kOpen, "POST", "Host: localhost.evil.example"},
           {421, kOpen, "POST", "Host: 127.0.0.1.evil.example"},
           {421, kOpen, "POST", "Host: 127.1"},
           {421, kOpen, "POST", "Host: 0.0.0.0:8000"},
           {421, kOpen, "POST", "Host: 192.0.2.1"},
           {421, kOpen, "POST", "Host: [::2]"},
           {421, kOpen, "POST", "Host: tower.lab.evil.example"},
           {421, kOpen, "POST", "Host: a.tower.lab"},
           // Who listens for others is asked by addresses too: probes of pods, load balancers.
           {0, kAnywhere, "GET", "Host: 10.1.2.3:8000"},
           {0, kAnywhere, "POST", "Host: [2001:db8::5]:8000"},
           {0, kAnywhere, "POST", "Host: 0.0.0.0:8000"},
           {0, kAnywhere, "POST", "Host: tower.lab"},
           {421, kAnywhere, "GET", "Host: evil.example"},
           {421, kAnywhere, "POST", "Host: 10.1.2.3.evil.example"},
           // With tokens any name will do, but for a page that has none and sends to a hook.
           {0, kTokens, "GET", "Host: any.example"},
           {0, kTokens, "POST", "Host: any.example"},
           {0, kTokens, "POST", "Host: a.example|Origin: http://a.example|Authorization: Bearer x"},
           {421, kTokens, "POST", "Host: evil.example|Origin: http://evil.example"},
           {0, kTokens, "POST", "Host: tower.lab|Origin: https://tower.lab"},
           // What a browser says of the page that sends the request.
           {0, kOpen, "POST", "Host: localhost|Sec-Fetch-Site: same-origin"},
           {0, kOpen, "POST", "Host: localhost|Sec-Fetch-Site: none"},
           {403, kOpen, "POST", "Host: localhost|Sec-Fetch-Site: cross-site"},
           {403, kOpen, "POST", "Host: localhost|Sec-Fetch-Site: same-site"},
           {403, kOpen, "POST", "Host: localhost|Sec-Fetch-Site: Same-Origin"},
           {403, kOpen, "POST", "Host: localhost|Sec-Fetch-Site:"},
           {403, kOpen, "POST",
            "Host: localhost|Sec-Fetch-Site: same-origin|Sec-Fetch-Site: cross-site"},
           {403, kOpen, "DELETE", "Host: localhost|sec-fetch-site: cross-site"},
           {403, kTokens, "POST", "Host: a|Authorization: Bearer x|Sec-Fetch-Site: cross-site"},
           {0, kOpen, "POST", "Host: localhost:8000|Origin: http://localhost:8000"},
           {0, kOpen, "POST", "Host: localhost|Origin: http://localhost"},
           {0, kOpen, "POST", "Host: localhost:80|Origin: http://LOCALHOST"},
           {0, kOpen, "POST", "Host: tower.lab:443|Origin: https://tower.lab"},
           {0, kOpen, "POST", "Host: [::1]:8000|Origin: http://[::1]:8000"},
           {403, kOpen, "POST", "Host: localhost:8000|Origin: http://localhost:3000"},
           {403, kOpen, "POST", "Host: localhost:8000|Origin: http://localhost"},
           {403, kOpen, "POST", "Host: localhost:8000|Origin: http://127.0.0.1:8000"},
           {403, kOpen, "POST", "Host: localhost|Origin: https://localhost:80"},
           {403, kOpen, "PUT", "Host: localhost|Origin: http://evil.example"},
           {403, kOpen, "POST", "Host: localhost|Origin: null"},
           {403, kOpen, "POST", "Host: localhost|Origin:"},
           {403, kOpen, "POST", "Host: localhost|Origin: file://localhost"},
           {403, kOpen, "POST",
            "Host: localhost|Origin: http://localhost|Origin: http://localhost"},
           {403, kOpen, "POST",
            "Host: localhost|Origin: http://localhost|Sec-Fetch-Site: cross-site"},
           {403, kOpen, "PATCH", "Host: localhost|Origin: http://localhost@evil.example"},
           // What changes nothing may be asked by any page; it can't read the answer.
           {0, kOpen, "GET", "Host: localhost|Sec-Fetch-Site: cross-site|Origin: http://a"},
           {0, kOpen, "HEAD", "Host: localhost|Sec-Fetch-Site: cross-site"},
           {0, kOpen, "OPTIONS", "Host: localhost|Origin: http://evil.example"},
       }) {
    CAPTURE(kind, method, headers);
    CHECK(StatusOf(Access(kind), method, headers) == status);
  }
  // No browser leaves Host out.
  HttpHead head;
  REQUIRE_FALSE(ParseHttpHead("POST / HTTP/1.0\r\n\r\n", head));
  CHECK_FALSE(Access(kOpen).Check(head));
  REQUIRE_FALSE(ParseHttpHead("POST / HTTP/1.0\r\nOrigin: http://a\r\n\r\n", head));
  CHECK(Access(kOpen).Check(head));
}

TEST_CASE("what can't be a host is no allowed one", "[http_access]") {
  for (const auto* host : {"tower", "tower.lab", "tower_1.lab.", "192.0.2.1", "::1", "[fd00::7]"}) {
    CAPTURE(host);
    CHECK(CheckAllowedHost(host));
  }
  for (const auto* host : {"", "http://tower", "tower:8000", "192.0.2.1:80", "[::1]:80", "[tower]",
                           "*.lab", "a b", "a/b", "[", ":", "1::2::3"}) {
    CAPTURE(host);
    CHECK_FALSE(CheckAllowedHost(host));
  }
}

TEST_CASE("a refused request reaches no handler, is counted and logged without flooding",
          "[http_access]") {
  const CapturedLogs logs;
  HttpFixture fixture;
  Hooks hooks;
  int handled = 0;
  const auto count = [&handled](const HttpRequest&) {
    ++handled;
    return HttpResponse{};
  };
  fixture.server->Route("POST", "/change", count, {.open = true, .content_types = {"*/*"}});
  AddHookRoutes(*fixture.server, hooks);
  fixture.Start();
  {
    const auto served = hooks.Serve("inbox", {.before_body = {}, .answer = count});
    const std::string cross = "Sec-Fetch-Site: cross-site\r\nOrigin: http://evil.example\r\n";
    for (int i = 0; i < 50; ++i) {
      const auto answer = Ask(fixture, "POST", "/change", "x", cross);
      CHECK(answer.status == 403);
      CHECK(answer.Header("Content-Type") == "application/problem+json");
    }
    CHECK(Ask(fixture, "POST", "/hooks/inbox", "x", cross).status == 403);
    RawHttpClient rebound(fixture.port());
    rebound.Send("POST /hooks/inbox HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n");
    const auto answer = rebound.Receive();
    REQUIRE(answer);
    CHECK(answer->status == 421);
    CHECK_THAT(answer->body, ContainsSubstring("Misdirected Request") &&
                                 ContainsSubstring("server.allowed-hosts"));
    CHECK(handled == 0);
    CHECK(Ask(fixture, "POST", "/hooks/inbox", "x").status == 200);
    CHECK(Ask(fixture, "POST", "/change", "x").status == 200);
  }
  CHECK(handled == 2);
  const auto metrics = fixture.metrics.Render();
  CHECK_THAT(metrics, ContainsSubstring(R"({code="403",method="POST",route="/change"} 50)"));
  CHECK_THAT(metrics,
             ContainsSubstring(R"({code="421",method="POST",route="/hooks/{watcher}"} 1)"));
  const auto text = logs.text();
  CHECK_THAT(text, ContainsSubstring(R"("origin":"http://evil.example")") &&
                       ContainsSubstring(R"("peer":"127.0.0.1")"));
  std::size_t lines = 0;
  for (auto at = text.find("because of its origin"); at != std::string::npos; ++lines) {
    at = text.find("because of its origin", at + 1);
  }
  CHECK(lines >= 10);
  CHECK(lines < 50);
  fixture.server->Stop();
}

TEST_CASE("a page that shows a token is logged by its name", "[http_access]") {
  const CapturedLogs logs;
  const TempDir folder;
  HttpFixture fixture({.tokens_file = WriteTokens(folder, "robot:0123456789abcdef\n")});
  fixture.Start();
  const auto answer =
      Ask(fixture, "POST", "/", "",
          "Sec-Fetch-Site: same-site\r\nAuthorization: Bearer 0123456789abcdef\r\n");
  CHECK(answer.status == 403);
  CHECK_THAT(logs.text(),
             ContainsSubstring(R"("client":"robot")") && !ContainsSubstring("0123456789abcdef"));
}

}  // namespace
}  // namespace tower
