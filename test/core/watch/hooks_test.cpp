#include "core/watch/hooks.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <future>
#include <optional>
#include <stdexcept>
#include <thread>

#include "test/support/eventually.h"
#include "test/support/handoff.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

struct HookServer : HttpFixture {
  explicit HookServer(HttpServerOptions given = {}) : HttpFixture(std::move(given)) {
    AddHookRoutes(*server, hooks);
    Start();
  }
  ~HookServer() { server->Stop(); }  // before the hooks end

  HttpAnswer Post(std::string_view name, std::string_view body = "{}",
                  std::string_view headers = {}) {
    return Ask(*this, "POST", "/hooks/" + std::string(name), body, headers);
  }
  Hooks hooks;
};

HookHandler Echo() {
  return {.before_body = {}, .answer = [](const HttpRequest& request) {
            HttpResponse response;
            response.body = std::string(request.method) + "|" + std::string(request.path) + "|" +
                            std::string(request.content_type) + "|" + std::string(request.body);
            return response;
          }};
}

// What a client is told that has sent the head alone, of a body of `size` bytes.
int StatusBeforeBody(const HookServer& fixture, std::string_view name, std::size_t size = 5,
                     std::string_view headers = {}) {
  RawHttpClient client(fixture.port());
  client.Send("POST /hooks/" + std::string(name) + " HTTP/1.1\r\nHost: t\r\n" +
              std::string(headers) + "Content-Length: " + std::to_string(size) + "\r\n\r\n");
  const auto answer = client.Receive();
  return answer ? answer->status : 0;
}

TEST_CASE("a hook is answered while it is served, and only then", "[hooks]") {
  HookServer fixture;
  CHECK(fixture.Post("inbox").status == 404);
  {
    const auto served = fixture.hooks.Serve("inbox", Echo());
    const auto answer = fixture.Post("inbox", "{ }", "Content-Type: application/json\r\n");
    CHECK(answer.status == 200);
    CHECK(answer.body == "POST|/hooks/inbox|application/json|{ }");
    CHECK(Ask(fixture, "OPTIONS", "/hooks/inbox").body == "OPTIONS|/hooks/inbox||");
    CHECK(fixture.Post("other").status == 404);
    CHECK(fixture.Post("inbox/more").status == 404);
  }
  CHECK(fixture.Post("inbox").status == 404);
}

TEST_CASE("senders may come again to the hook of a watcher that does not run", "[hooks]") {
  HookServer fixture;
  auto expected = std::make_optional<Hooks::Expectation>(fixture.hooks, "inbox");
  const auto early = fixture.Post("inbox");
  CHECK(early.status == 503);
  CHECK(early.Header("Retry-After") == "5");
  CHECK(early.Header("Content-Type") == "application/problem+json");
  {
    const auto served = fixture.hooks.Serve("inbox", Echo());
    CHECK(fixture.Post("inbox").status == 200);
  }
  CHECK(fixture.Post("inbox").status == 503);
  CHECK(Ask(fixture, "OPTIONS", "/hooks/inbox").status == 503);
  {
    const Hooks::Expectation of_another(fixture.hooks, "inbox");
    expected.reset();
    CHECK(fixture.Post("inbox").status == 503);
  }
  CHECK(fixture.Post("inbox").status == 404);
}

TEST_CASE("what a hook does not take is refused before its body is read", "[hooks]") {
  HookServer fixture({.max_body = 1000});
  const Hooks::Expectation expected(fixture.hooks, "away");
  HookHandler handler = Echo();
  handler.before_body = [](const HttpRequest& request) -> std::optional<HttpResponse> {
    if (request.Header("X-Fails")) throw std::runtime_error("broken");
    if (request.Header("Authorization")) return std::nullopt;
    return Problem(401, "who are you");
  };
  const auto served = fixture.hooks.Serve("inbox", handler);
  CHECK(StatusBeforeBody(fixture, "none") == 404);
  CHECK(StatusBeforeBody(fixture, "away") == 503);
  CHECK(StatusBeforeBody(fixture, "inbox") == 401);
  CHECK(StatusBeforeBody(fixture, "inbox", 1001, "Authorization: x\r\n") == 413);
  CHECK(StatusBeforeBody(fixture, "inbox", 5, "Content-Encoding: gzip\r\n") == 415);
  const CapturedLogs logs;
  CHECK(StatusBeforeBody(fixture, "inbox", 5, "X-Fails: 1\r\n") == 500);
  CHECK_THAT(logs.text(), ContainsSubstring("broken"));

  RawHttpClient client(fixture.port());
  client.Send("POST /hooks/inbox HTTP/1.1\r\nHost: t\r\nAuthorization: x\r\n");
  client.Send("Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(client.Receive()->status == 100);
  client.Send("{}");
  CHECK(client.Receive()->status == 200);
}

TEST_CASE("a body of a hook may be of any type, or of none", "[hooks]") {
  HookServer fixture;
  const auto served = fixture.hooks.Serve("inbox", Echo());
  CHECK(fixture.Post("inbox", "a").body == "POST|/hooks/inbox||a");
  CHECK(fixture.Post("inbox", "a", "Content-Type: text/plain; charset=latin1\r\n").body ==
        "POST|/hooks/inbox|text/plain; charset=latin1|a");
  CHECK(fixture.Post("inbox", "a", "Content-Type: a/b\r\nContent-Type: c/d\r\n").status == 415);
  CHECK(fixture.Post("inbox", "").status == 200);
}

TEST_CASE("a handler sees all headers, in their order", "[hooks]") {
  HookServer fixture;
  HookHandler handler = Echo();
  handler.answer = [](const HttpRequest& request) {
    HttpResponse response;
    for (const auto& [name, value] : request.Headers()) {
      response.body += std::string(name) + "=" + std::string(value) + ";";
    }
    return response;
  };
  const auto served = fixture.hooks.Serve("inbox", handler);
  CHECK(fixture.Post("inbox", "", "X-B: 1\r\nX-a:  2 \r\nX-B: 3\r\n").body ==
        "Host=localhost;X-B=1;X-a=2;X-B=3;Content-Length=0;");
}

TEST_CASE("a hook needs no token of the server, and all else does", "[hooks]") {
  const TempDir folder;
  HttpServerOptions options;
  options.tokens_file = WriteTokens(folder, "lab:0123456789abcdef\n");
  HookServer fixture(options);
  const auto served = fixture.hooks.Serve("inbox", Echo());
  CHECK(fixture.Post("inbox").status == 200);
  CHECK(Ask(fixture, "POST", "/elsewhere", "{}").status == 401);
  const auto wrong = Ask(fixture, "PUT", "/hooks/inbox");
  CHECK(wrong.status == 405);
  CHECK(wrong.Header("Allow") == "POST, OPTIONS");
}

TEST_CASE("hooks are not answered while the server drains", "[hooks]") {
  HookServer fixture;
  Told<HttpLater> held;
  HookHandler handler = Echo();
  handler.answer = [tell = held.Teller()](const HttpRequest& request) {
    tell(request.Defer());
    return HttpResponse{};
  };
  const auto served = fixture.hooks.Serve("inbox", handler);
  auto first = std::async(std::launch::async, [&] { return fixture.Post("inbox").status; });
  const auto later = held.Get();
  std::thread drain([&] { fixture.server->Drain(60s); });
  CHECK(Eventually([&] { return fixture.server->draining(); }));
  const auto answer = fixture.Post("inbox");
  CHECK(answer.status == 503);
  CHECK(answer.Header("Retry-After") == "1");
  later.Send();
  CHECK(first.get() == 200);
  drain.join();
}

TEST_CASE("the end of a registration waits for calls that are under way", "[hooks]") {
  Hooks hooks;
  const Hooks::Expectation expected(hooks, "inbox");
  const Gate entered, release;
  HookHandler handler;
  handler.answer = [enter = entered.Opener(), wait = release.Waiter()](const HttpRequest&) {
    enter();
    wait();
    return HttpResponse{};
  };
  auto served = std::make_optional(hooks.Serve("inbox", handler));
  HttpRequest request;
  request.param = "inbox";
  auto call = std::async(std::launch::async, [&] { return hooks.Answer(request).status; });
  entered.Wait();
  auto end = std::async(std::launch::async, [&] { served.reset(); });
  CHECK(Eventually([&] { return hooks.BeforeBody(request).has_value(); }));  // it has begun
  CHECK(end.wait_for(20ms) == std::future_status::timeout);
  release.Open();
  end.get();
  CHECK(call.get() == 200);
  CHECK(hooks.Answer(request).status == 503);
}

TEST_CASE("many callers and registrations of one hook get along", "[hooks]") {
  Hooks hooks;
  const Hooks::Expectation expected(hooks, "inbox");
  std::atomic<bool> stop = false;
  std::atomic<int> answered = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      HttpRequest request;
      request.param = "inbox";
      while (!stop) answered += hooks.Answer(request).status == 200 ? 1 : 0;
    });
  }
  int alive = 0;  // not atomic: only a call may touch it, and none outlasts its registration
  for (int i = 0; i < 200 || answered == 0; ++i) {
    auto owned = std::make_unique<int>(0);
    std::mutex mutex;
    HookHandler handler;
    handler.answer = [&mutex, &count = *owned](const HttpRequest&) {
      const std::lock_guard lock(mutex);
      ++count;
      return HttpResponse{};
    };
    {
      const auto served = hooks.Serve("inbox", handler);
      std::this_thread::yield();
    }
    alive += *owned;
  }
  stop = true;
  for (auto& caller : callers) caller.join();
  CHECK(alive == answered);
}

TEST_CASE("the name of a hook is no label of a metric", "[hooks]") {
  HookServer fixture;
  const auto served = fixture.hooks.Serve("inbox", Echo());
  fixture.Post("inbox");
  fixture.Post("chosen-by-a-client");
  const auto metrics = fixture.metrics.Render();
  CHECK_THAT(metrics, ContainsSubstring("route=\"/hooks/{watcher}\""));
  CHECK_THAT(metrics, !ContainsSubstring("inbox") && !ContainsSubstring("chosen-by-a-client"));
}

}  // namespace
}  // namespace tower
