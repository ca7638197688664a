// Deliveries to a real server, and the triggers that come of them.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <ctime>
#include <future>
#include <memory>
#include <set>
#include <thread>

#include "core/base/digest.h"
#include "core/base/encode.h"
#include "core/json/json.h"
#include "test/support/http_fixture.h"
#include "test/support/watcher_harness.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr std::string_view kTrigger = R"({"apiVersion":"T/v1","protocol":"P","spec":{"v":1.0}})";
constexpr std::string_view kJson = "Content-Type: application/json\r\n";

// A webhook watcher called `ci` behind a server.
struct Hook {
  explicit Hook(const WatcherHarness::Options& options, HttpServerOptions server = {})
      : watcher(queue, "webhook", options, "ci"), http(std::move(server)) {
    AddHookRoutes(*http.server, watcher.hooks);
    http.Start();
    watcher.Start();
    if (!watcher.WaitForSuccesses(1)) throw std::runtime_error("it does not serve its hook");
  }

  HttpAnswer Post(std::string_view body, std::string_view headers = {},
                  std::string_view query = {}) {
    return Ask(http, "POST", "/hooks/ci" + std::string(query), body, headers);
  }
  bool Rejects(std::uint64_t count) const { return watcher.rejected.value() == count; }

  TestQueue queue;
  WatcherHarness watcher;
  HttpFixture http;  // ends first
};

WatcherHarness::Options Open() { return {{"verify", {"none"}}}; }
WatcherHarness::Options Scheme(const std::string& verify, const std::string& secret,
                               WatcherHarness::Options more = {}) {
  more.push_back({"verify", {verify}});
  more.push_back({"secret", {secret}});
  return more;
}

std::string GithubHeaders(std::string_view body, std::string_view more = {}) {
  return "X-Hub-Signature-256: sha256=" + HexEncode(Hmac(DigestKind::kSha256, "hunter2", {body})) +
         "\r\n" + std::string(kJson) + std::string(more);
}

std::string SlackHeaders(std::string_view body, std::string_view type = kJson) {
  const auto now = std::to_string(std::time(nullptr));
  return "X-Slack-Request-Timestamp: " + now + "\r\nX-Slack-Signature: v0=" +
         HexEncode(Hmac(DigestKind::kSha256, "hunter2", {"v0:", now, ":", body})) + "\r\n" +
         std::string(type);
}

TEST_CASE("a delivery that is a trigger is on disk when it is answered", "[webhook]") {
  Hook hook(Open());
  const auto answer = hook.Post(kTrigger, kJson);
  CHECK(answer.status == 202);
  CHECK(answer.Header("Content-Type") == "application/json");
  const auto taken = hook.queue.Take(1);
  REQUIRE(taken.size() == 1);
  CHECK(answer.body ==
        "{\"uuids\":[\"" + taken[0].uuid.ToString() + "\"],\"status\":\"queued\"}\n");
  CHECK(taken[0].source == "ci");
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("spec":{"v":1.0})"));
  CHECK(hook.watcher.accepted.value() == 1);
  CHECK(hook.watcher.successes() == 2);
}

TEST_CASE("several triggers in one delivery are taken together", "[webhook]") {
  Hook hook(Open());
  const auto two = "[" + std::string(kTrigger) + "," + std::string(kTrigger) + "]";
  CHECK(hook.Post(two).status == 202);
  CHECK(hook.queue.Take(2).size() == 2);
}

TEST_CASE("a delivery that is no trigger is refused with every fault", "[webhook]") {
  const CapturedLogs logs;
  Hook hook(Open());
  const auto answer = hook.Post(R"({"apiVersion":"T/v1","spec":7})", kJson);
  CHECK(answer.status == 400);
  CHECK(answer.Header("Content-Type") == "application/problem+json");
  CHECK_THAT(answer.body, ContainsSubstring("/protocol") && ContainsSubstring("/spec"));
  CHECK(hook.Post("{", kJson).status == 400);
  CHECK(hook.Post("", kJson).status == 400);
  CHECK(hook.Post("[]", kJson).status == 400);
  CHECK(hook.Post("a=b", "Content-Type: application/x-www-form-urlencoded\r\n").status == 400);
  CHECK(hook.Post("\xff", "Content-Type: text/plain\r\n").status == 400);
  CHECK(hook.Rejects(6));
  CHECK(hook.queue.Empty());
  CHECK_THAT(logs.text(), ContainsSubstring("delivery rejected"));
}

TEST_CASE("who can't be verified is told nothing, and nothing is taken", "[webhook]") {
  const CapturedLogs logs;
  Hook hook(Scheme("github", "hunter2"));
  const auto none = hook.Post(kTrigger, kJson);
  CHECK(none.status == 401);
  CHECK_THAT(none.Header("WWW-Authenticate"), ContainsSubstring("realm="));
  const auto wrong = hook.Post(kTrigger, GithubHeaders("another body"));
  CHECK(wrong.status == 401);
  CHECK(wrong.body == none.body);
  const auto right = GithubHeaders(kTrigger);
  const auto twice = right + right.substr(0, right.find('\n') + 1);
  CHECK(hook.Post(kTrigger, twice).status == 401);
  CHECK(hook.Rejects(3));
  CHECK(hook.Post(kTrigger, GithubHeaders(kTrigger)).status == 202);
  CHECK(hook.queue.Take(1).size() == 1);
  CHECK(hook.queue.Empty());
  const auto text = logs.text();
  CHECK_THAT(text, ContainsSubstring("could not be verified") && !ContainsSubstring("hunter2"));
  const auto first = text.find("could not be verified");  // one warning, not one a try
  CHECK(text.find("could not be verified", first + 1) == std::string::npos);
}

TEST_CASE("a token that is wrong is refused before the body is read", "[webhook]") {
  for (const std::string scheme : {"bearer", "gitlab", "github", "stripe"}) {
    INFO(scheme);
    Hook hook(Scheme(scheme, "hunter2"));
    RawHttpClient client(hook.http.port());
    client.Send("POST /hooks/ci HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer hunter3\r\n");
    client.Send("Content-Length: 1000000\r\n\r\n{");
    const auto answer = client.Receive();
    REQUIRE(answer);
    CHECK(answer->status == 401);
    CHECK_THAT(answer->Header("WWW-Authenticate"),
               ContainsSubstring(scheme == "bearer" ? "Bearer" : "Signature"));
  }
}

TEST_CASE("a body over server.max-body is refused, however it is signed", "[webhook]") {
  Hook hook(Open(), {.max_body = 1000});
  CHECK(hook.Post(std::string(1001, ' ')).status == 413);
  RawHttpClient client(hook.http.port());
  client.Send("POST /hooks/ci HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.Send("3e9\r\n" + std::string(1001, ' ') + "\r\n0\r\n\r\n");
  CHECK(client.Receive()->status == 413);
}

TEST_CASE("a delivery that comes again is answered like the first, and taken once", "[webhook]") {
  Hook hook(Scheme("github", "hunter2"));
  const auto headers = GithubHeaders(kTrigger, "X-GitHub-Delivery: 72d3162e\r\n");
  const auto first = hook.Post(kTrigger, headers);
  const auto again = hook.Post(kTrigger, headers);
  CHECK(first.status == 202);
  CHECK(again.status == 202);
  CHECK(again.body == first.body);
  CHECK(hook.queue.Take(1).size() == 1);
  CHECK(hook.queue.Empty());
  CHECK(hook.watcher.Stop());
  hook.queue.Reopen();
  hook.watcher.Start();
  REQUIRE(hook.watcher.WaitForSuccesses(1));
  CHECK(hook.Post(kTrigger, headers).body == first.body);
  CHECK(hook.queue.Empty());
}

TEST_CASE("one delivery sent many times at once is taken once", "[webhook]") {
  Hook hook(Open());
  std::vector<std::future<HttpAnswer>> answers;
  for (int i = 0; i < 16; ++i) {
    answers.push_back(std::async(std::launch::async,
                                 [&] { return hook.Post(kTrigger, "Idempotency-Key: one\r\n"); }));
  }
  std::set<std::string> bodies;
  for (auto& answer : answers) {
    const auto got = answer.get();
    CHECK(got.status == 202);
    bodies.insert(got.body);
  }
  CHECK(bodies.size() == 1);
  CHECK(hook.queue.Take(1).size() == 1);
  CHECK(hook.queue.Empty());
  CHECK(hook.watcher.accepted.value() == 1);
}

TEST_CASE("another delivery under a known id is refused", "[webhook]") {
  const CapturedLogs logs;
  Hook hook(Open());
  CHECK(hook.Post(kTrigger, "Idempotency-Key: one\r\n").status == 202);
  const auto other =
      hook.Post(R"({"apiVersion":"T/v1","protocol":"Q","spec":{}})", "Idempotency-Key: one\r\n");
  CHECK(other.status == 422);
  CHECK(hook.Rejects(1));
  CHECK_THAT(logs.text(), ContainsSubstring("\"id\":\"one\""));
  CHECK(hook.queue.Take(1).size() == 1);
  CHECK(hook.queue.Empty());
}

TEST_CASE("an id that can't be one is refused", "[webhook]") {
  Hook hook(Open());
  CHECK(hook.Post(kTrigger, "Idempotency-Key: 1\r\nIdempotency-Key: 1\r\n").status == 400);
  CHECK(hook.Post(kTrigger, "Idempotency-Key: " + std::string(256, 'x') + "\r\n").status == 400);
  CHECK(hook.Post(kTrigger, "Idempotency-Key: " + std::string(255, 'x') + "\r\n").status == 202);
}

TEST_CASE("an id may stand in the body", "[webhook]") {
  auto options = Open();
  options.push_back({"id", {"/spec/runs/1/a~1b"}});
  Hook hook(options);
  const auto body = [](const std::string& id) {
    return R"({"apiVersion":"T/v1","protocol":"P","spec":{"runs":[0,{"a/b":)" + id + "}]}}";
  };
  const auto first = hook.Post(body(R"("7")"));
  CHECK(hook.Post(body(R"("\u0037")")).status == 422);  // the same id, another trigger
  CHECK(hook.Post(body(R"("7")")).body == first.body);
  CHECK(hook.Post(body("8")).status == 202);
  CHECK(hook.Post(body("null")).status == 202);  // no id at all
  CHECK(hook.Post(body("null")).status == 202);
  CHECK(hook.queue.Take(4).size() == 4);
  CHECK(hook.queue.Empty());
}

TEST_CASE("the ping of github is answered once it is verified", "[webhook]") {
  Hook hook(Scheme("github", "hunter2"));
  const std::string body = R"({"zen":"Design for failure."})";
  CHECK(hook.Post(body, GithubHeaders(body, "X-GitHub-Event: ping\r\n")).status == 200);
  CHECK(hook.Post(body, "X-GitHub-Event: ping\r\n").status == 401);
  CHECK(hook.Post(body, GithubHeaders(body, "X-GitHub-Event: push\r\n")).status == 400);
  CHECK(hook.queue.Empty());
}

TEST_CASE("the challenge of slack is answered once it is verified", "[webhook]") {
  Hook hook(Scheme("slack", "hunter2"));
  const std::string body = R"({"token":"x","challenge":"3eZb\"rZ","type":"url_verification"})";
  const auto answer = hook.Post(body, SlackHeaders(body));
  CHECK(answer.status == 200);
  CHECK(answer.body == R"({"challenge":"3eZb\"rZ"})"
                       "\n");
  CHECK(hook.Post(body, kJson).status == 401);
  // What is taken of Slack is answered without a word, which it might show to a person.
  const auto event = R"({"apiVersion":"T/v1","protocol":"P","spec":{}})";
  const auto taken = hook.Post(event, SlackHeaders(event));
  CHECK(taken.status == 200);
  CHECK(taken.body.empty());
  CHECK(hook.queue.Take(1).size() == 1);
}

TEST_CASE("a sender of cloudevents is shaken hands with where it is welcome", "[webhook]") {
  const auto ask = [](Hook& hook, std::string_view headers) {
    return Ask(hook.http, "OPTIONS", "/hooks/ci", {}, headers);
  };
  Hook closed(Scheme("bearer", "hunter2"));
  const auto refused = ask(closed, "WebHook-Request-Origin: a.example\r\n");
  CHECK(refused.status == 405);
  CHECK(refused.Header("Allow") == "POST");
  CHECK(refused.Header("WebHook-Allowed-Origin").empty());

  Hook some(Scheme("bearer", "hunter2", {{"allowed-origins", {"a.example", "b.example"}}}));
  const auto agreed =
      ask(some, "WebHook-Request-Origin: B.example\r\nWebHook-Request-Rate: 120\r\n");
  CHECK(agreed.status == 200);
  CHECK(agreed.Header("WebHook-Allowed-Origin") == "B.example");
  CHECK(agreed.Header("WebHook-Allowed-Rate") == "*");
  CHECK(agreed.Header("Allow") == "POST");
  const auto stranger = ask(some, "WebHook-Request-Origin: c.example\r\n");
  CHECK(stranger.status == 403);
  CHECK(stranger.Header("WebHook-Allowed-Origin").empty());
  CHECK(ask(some, "").status == 400);
  CHECK(some.Post(kTrigger, kJson).status == 401);  // to be welcome is not to be known

  Hook any(Scheme("bearer", "hunter2", {{"allowed-origins", {"*"}}}));
  CHECK(ask(any, "WebHook-Request-Origin: c.example\r\n").Header("WebHook-Allowed-Origin") ==
        "c.example");
}

TEST_CASE("other methods are not for hooks", "[webhook]") {
  Hook hook(Open());
  for (const auto* method : {"GET", "PUT", "DELETE", "PATCH"}) {
    const auto answer = Ask(hook.http, method, "/hooks/ci");
    CHECK(answer.status == 405);
    CHECK(answer.Header("Allow") == "POST, OPTIONS");
  }
}

TEST_CASE("a watcher that has stopped serves its hook no more", "[webhook]") {
  Hook hook(Open());
  CHECK(hook.watcher.Stop());
  CHECK(hook.Post(kTrigger).status == 404);  // behind the supervisor it would be 503
  hook.watcher.Start();
  CHECK(hook.watcher.WaitForSuccesses(1));
  CHECK(hook.Post(kTrigger).status == 202);
}

TEST_CASE("every answer comes, while the watcher stops under load", "[webhook]") {
  Hook hook(Open());
  std::atomic<bool> stop = false;
  std::atomic<int> accepted = 0, unanswered = 0;
  std::vector<std::thread> senders;
  for (int i = 0; i < 3; ++i) {
    senders.emplace_back([&] {
      RawHttpClient client(hook.http.port());
      while (!stop) {
        const auto answer = client.Request("POST", "/hooks/ci", kTrigger);
        unanswered += answer ? 0 : 1;
        if (!answer) return;
        accepted += answer->status == 202 ? 1 : 0;
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    const int before = accepted;
    CHECK(Eventually([&] { return accepted > before; }));
    CHECK(hook.watcher.Stop());
    hook.watcher.Start();
  }
  stop = true;
  for (auto& sender : senders) sender.join();
  CHECK(unanswered == 0);
  CHECK(hook.watcher.accepted.value() == static_cast<std::uint64_t>(accepted));
  CHECK(hook.queue.Take(static_cast<std::size_t>(accepted)).size() ==
        static_cast<std::size_t>(accepted));
  CHECK(hook.queue.Empty());
}

TEST_CASE("options that don't fit together are named", "[webhook]") {
  const auto why = [](const WatcherHarness::Options& options) -> std::string {
    TestQueue queue;
    try {
      const WatcherHarness watcher(queue, "webhook", options, "ci");
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  };
  CHECK(why(Open()).empty());
  CHECK(why(Scheme("basic", "x", {{"user", {"lab"}}})).empty());
  CHECK_THAT(why({{"verify", {"maybe"}}}), ContainsSubstring("github, gitlab"));
  CHECK_THAT(why({{"verify", {"github"}}}), ContainsSubstring("needs secret"));
  CHECK_THAT(why(Scheme("github", "x", {{"user", {"lab"}}})), ContainsSubstring("verify=basic"));
  CHECK_THAT(why(Scheme("github", "x", {{"tolerance", {"1m"}}})), ContainsSubstring("tolerance"));
  CHECK_THAT(why(Scheme("slack", "x", {{"tolerance", {"0s"}}})), ContainsSubstring("from 1s"));
  for (const std::string option : {"header", "algorithm", "encoding", "prefix"}) {
    const std::string value = option == "algorithm" ? "sha512" : option == "encoding" ? "hex" : "a";
    CHECK_THAT(why(Scheme("github", "x", {{"hmac-" + option, {value}}})),
               ContainsSubstring("verify=hmac"));
  }
  for (const auto* bad : {"a b", "/~", "/~2", "X-Id:"}) {
    CHECK_THAT(why(Scheme("github", "x", {{"id", {bad}}})), ContainsSubstring("JSON pointer"));
  }
}

TEST_CASE("a script makes triggers of what was delivered", "[webhook]") {
  const CapturedLogs logs;
  Hook hook(Scheme("github", "hunter2", {{"map", {R"(
    event.headers["x-github-event"] == "push" and {
      apiVersion = "L/v1", protocol = "Update", spec = {
        commit = event.body.after, lab = event.query.lab, path = event.path,
        secret = event.headers["x-hub-signature-256"] or event.headers.authorization
      }
    } or event.body.fails and error("no") or print("star", event.path))"}}}));
  const std::string push = R"({"after":"6113728f","size":12345678901234567890})";
  const auto headers = GithubHeaders(push, "X-GitHub-Event: push\r\nAuthorization: x\r\n");
  CHECK(hook.Post(push, headers, "?lab=3").status == 202);
  const auto taken = hook.queue.Take(1);
  REQUIRE(taken.size() == 1);
  for (const auto* part : {R"("commit":"6113728f")", R"("lab":"3")", R"("path":"/hooks/ci")"}) {
    CHECK_THAT(taken[0].body, ContainsSubstring(part));
  }
  CHECK_THAT(taken[0].body, !ContainsSubstring("secret"));

  const auto ignored = hook.Post("{}", GithubHeaders("{}", "X-GitHub-Event: star\r\n"));
  CHECK(ignored.status == 200);
  CHECK(ignored.body == "{\"uuids\":[],\"status\":\"ignored\"}\n");
  CHECK(hook.Rejects(0));
  CHECK_THAT(logs.text(), ContainsSubstring("map output") && ContainsSubstring("star\\t/hooks/ci"));

  const std::string fails = R"({"fails":true})";
  const auto failed = hook.Post(
      fails, GithubHeaders(fails, "X-GitHub-Event: star\r\nX-GitHub-Delivery: 72d3162e\r\n"));
  CHECK(failed.status == 422);
  CHECK_THAT(failed.body, !ContainsSubstring("map:"));
  CHECK(hook.Rejects(1));
  CHECK_THAT(logs.text(), ContainsSubstring("delivery 72d3162e"));
  CHECK(hook.queue.Empty());
}

TEST_CASE("a script sees a form as text, and no body as null", "[webhook]") {
  Hook hook(Scheme("slack", "hunter2", {{"map", {R"(
    {apiVersion = "L/v1", protocol = type(event.body) == "string" and "Text" or "None",
     spec = {body = event.body}})"}}}));
  const std::string form = "command=%2Fdilute&text=a+%22b%22";
  const auto slack =
      hook.Post(form, SlackHeaders(form, "Content-Type: application/x-www-form-urlencoded\r\n"));
  CHECK(slack.status == 200);
  CHECK(hook.Post("", SlackHeaders("")).status == 200);
  const auto taken = hook.queue.Take(2);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].protocol == "Text");
  CHECK_THAT(taken[0].body, ContainsSubstring(R"("body":"command=%2Fdilute&text=a+%22b%22")"));
  CHECK(taken[1].protocol == "None");
  const std::string bytes = "\xff\xfe";
  CHECK(hook.Post(bytes, SlackHeaders(bytes, "Content-Type: image/png\r\n")).status == 400);
  CHECK(hook.Post("{", SlackHeaders("{")).status == 400);
  CHECK(hook.queue.Empty());
}

TEST_CASE("one script serves many deliveries at once", "[webhook]") {
  auto options = Open();
  options.push_back({"map", {"event.body"}});
  Hook hook(options);
  std::vector<std::future<int>> statuses;
  for (int i = 0; i < 8; ++i) {
    statuses.push_back(std::async(std::launch::async, [&] {
      RawHttpClient client(hook.http.port());
      int taken = 0;
      for (int j = 0; j < 10; ++j) {
        const auto answer = client.PostJson("/hooks/ci", kTrigger);
        taken += answer && answer->status == 202 ? 1 : 0;
      }
      return taken;
    }));
  }
  for (auto& status : statuses) CHECK(status.get() == 10);
  CHECK(hook.queue.Take(80).size() == 80);
  CHECK(hook.watcher.accepted.value() == 80);
}

// Holds the watcher's thread in a script that runs until its steps are used up.
constexpr auto kSlow = R"(event.body.slow and (function() while true do end end)() or event.body)";

TEST_CASE("a script that takes its time holds up nobody else", "[webhook]") {
  const CapturedLogs logs;
  auto options = Open();
  options.push_back({"map", {kSlow}});
  Hook hook(options);
  RawHttpClient slow(hook.http.port());
  slow.Send("POST /hooks/ci HTTP/1.1\r\nHost: t\r\nContent-Length: 13\r\n\r\n{\"slow\":true}");
  for (int i = 0; i < 20; ++i) {  // on whatever thread of the server
    CHECK(Ask(hook.http, "POST", "/hooks/none").status == 404);
  }
  CHECK(hook.Post(kTrigger).status == 202);  // behind it
  const auto answer = slow.Receive();
  REQUIRE(answer);
  CHECK(answer->status == 422);
}

TEST_CASE("deliveries that wait for a script are few, and are answered when the watcher stops",
          "[webhook]") {
  const CapturedLogs logs;
  auto options = Open();
  options.push_back({"map", {kSlow}});
  Hook hook(options, {.max_body = 8U << 20U});
  const std::string large = "{\"slow\":true,\"x\":\"" + std::string(6U << 20U, 'x') + "\"}";
  std::vector<std::unique_ptr<RawHttpClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<RawHttpClient>(hook.http.port()));
    clients.back()->Send("POST /hooks/ci HTTP/1.1\r\nHost: t\r\nContent-Length: " +
                         std::to_string(large.size()) + "\r\n\r\n" + large);
  }
  CHECK(hook.watcher.Stop());
  int refused = 0;
  for (auto& client : clients) {
    const auto answer = client->Receive();
    REQUIRE(answer);
    if (answer->status == 503) ++refused;
    if (answer->status == 503) CHECK(answer->Header("Retry-After") == "1");
  }
  CHECK(refused > 0);
  CHECK(hook.queue.Empty());
}

TEST_CASE("a body may be as deep as any trigger, or one level less where a script sees it",
          "[webhook]") {
  const auto deep = [](std::size_t levels) {  // one is the trigger, one its spec
    const std::string open(levels - 2, '['), close(levels - 2, ']');
    return R"({"apiVersion":"T/v1","protocol":"P","spec":{"a":)" + open + close + "}}";
  };
  Hook plain(Open());
  CHECK(plain.Post(deep(kMaxJsonDepth), kJson).status == 202);
  CHECK(plain.Post(deep(kMaxJsonDepth + 1), kJson).status == 400);
  auto options = Open();
  options.push_back({"map", {"event.body"}});
  Hook mapped(options);
  CHECK(mapped.Post(deep(kMaxJsonDepth - 1), kJson).status == 202);
  CHECK(mapped.Post(deep(kMaxJsonDepth), kJson).status == 400);
}

TEST_CASE("while the queue takes nothing, senders are told to come again", "[webhook]") {
  Hook hook(Open());
  hook.queue->Close();
  const auto answer = hook.Post(kTrigger);
  CHECK(answer.status == 503);
  CHECK(answer.Header("Retry-After") == "1");
  CHECK(hook.Rejects(0));
}

TEST_CASE("a script that can't be read is found before the watcher serves", "[webhook]") {
  TestQueue queue;
  auto options = Open();
  options.push_back({"map", {"{"}});
  WatcherHarness broken(queue, "webhook", options, "ci");
  const auto checked = broken.Check();
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == ErrorCode::kInvalid);
  broken.Start();
  CHECK(Eventually([&] { return broken.ended(); }));
  CHECK_FALSE(broken.result());
  CHECK(broken.watcher().ServesHook());
}

}  // namespace
}  // namespace tower
