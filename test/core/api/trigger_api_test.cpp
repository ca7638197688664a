#include "core/api/trigger_api.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "core/queue/queue.h"
#include "core/trigger/trace_context.h"
#include "test/support/eventually.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

const std::string kTrigger =
    R"({"apiVersion":"OT-2/v1alpha1","protocol":"Dilute","spec":{"v":1.0}})";
const std::string kLines = "Content-Type: application/x-ndjson\r\n";
constexpr std::string_view kTraceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct ApiServer : HttpFixture {
  explicit ApiServer(QueueOptions queue_options = {.path = ":memory:"},
                     HttpServerOptions given = {})
      : HttpFixture(std::move(given)) {
    auto opened = TriggerQueue::Open(queue_options, {}, metrics);
    if (!opened) throw std::runtime_error(opened.error().message);
    queue = std::move(*opened);
    AddTriggerApi(*server, *queue, metrics, std::make_shared<Lookups>());
    Start();
  }
  ~ApiServer() { server->Stop(); }

  HttpAnswer Post(std::string_view body, std::string_view headers = {}) const {
    RawHttpClient client(port());
    return client.PostJson("/triggers", body, headers).value_or(HttpAnswer{});
  }
  std::vector<AcceptedTrigger> Queued() const { return *queue->TryTake(100); }
  double Count(std::string_view line) const {  // of a metric, 0 where it is not there
    const auto text = metrics.Render();
    const auto at = text.find("control_tower_" + std::string(line) + " ");
    return at == std::string::npos ? 0 : std::atof(text.c_str() + at + 15 + line.size());
  }

  std::unique_ptr<TriggerQueue> queue;
};

std::string UuidIn(const HttpAnswer& answer) { return answer.body.substr(9, Uuid::kTextSize); }

TEST_CASE("a trigger that is posted is queued, and found under its Location", "[trigger_api]") {
  ApiServer fixture;
  const auto answer = fixture.Post(" " + kTrigger + "\n");
  CHECK(answer.status == 202);
  const auto uuid = UuidIn(answer);
  REQUIRE(Uuid::Parse(uuid));
  CHECK(answer.body == R"({"uuid":")" + uuid + R"(","status":"queued"})" + "\n");
  CHECK(answer.Header("Content-Type") == "application/json");
  CHECK(answer.Header("Location") == "/triggers/" + uuid);

  const auto queued = fixture.Queued();
  REQUIRE(queued.size() == 1);
  CHECK(queued[0].uuid.ToString() == uuid);
  CHECK(queued[0].source == "http");
  CHECK(queued[0].body == R"({"uuid":")" + uuid + "\"," + kTrigger.substr(1));
  CHECK(fixture.Count(R"(triggers_accepted_total{source="http"})") == 1);

  const auto found = Ask(fixture, "GET", answer.Header("Location"));
  CHECK(found.status == 200);
  CHECK_THAT(found.body, ContainsSubstring(R"({"uuid":")" + uuid + R"(","status":"queued",)" +
                                           R"("source":"http","acceptedAt":"2)"));
  CHECK_THAT(found.body, ContainsSubstring(R"("trigger":)" + queued[0].body + "}"));
}

TEST_CASE("what became of a trigger can be asked for", "[trigger_api]") {
  ApiServer fixture;
  const auto sent = UuidIn(fixture.Post(kTrigger));
  const auto lost = UuidIn(fixture.Post(kTrigger));
  const auto queued = fixture.Queued();
  const std::vector<Outcome> outcomes = {
      {.seq = queued[0].seq},
      {.seq = queued[1].seq, .fate = Fate::kUndeliverable, .reason = "unroutable"}};
  fixture.queue->Settle(outcomes);
  std::string published;
  CHECK(Eventually([&] {  // the outcomes are on disk soon after
    published = Ask(fixture, "GET", "/triggers/" + sent).body;
    return published.find("published") != std::string::npos;
  }));
  CHECK_THAT(published, ContainsSubstring(R"("status":"published")"));
  CHECK_THAT(published, ContainsSubstring(R"("publishedAt":"2)"));
  const auto undeliverable = Ask(fixture, "GET", "/triggers/" + lost).body;
  CHECK_THAT(undeliverable, ContainsSubstring(R"("status":"undeliverable")"));
  CHECK_THAT(undeliverable, ContainsSubstring(R"("undeliverableAt":"2)"));
  CHECK_THAT(undeliverable, ContainsSubstring(R"("reason":"unroutable")"));
}

TEST_CASE("an unknown uuid is 404, a malformed one 400", "[trigger_api]") {
  ApiServer fixture;
  CHECK(Ask(fixture, "GET", "/triggers/01890a5d-ac96-774b-bcce-b302099a8057").status == 404);
  const auto malformed = Ask(fixture, "GET", "/triggers/1");
  CHECK(malformed.status == 400);
  CHECK(malformed.Header("Content-Type") == "application/problem+json");
  CHECK(Ask(fixture, "DELETE", "/triggers").status == 405);
}

TEST_CASE("every fault is named with its pointer, and counted", "[trigger_api]") {
  ApiServer fixture;
  const auto answer = fixture.Post(R"({"apiVersion":"","spec":[],"extra":1})");
  CHECK(answer.status == 400);
  CHECK(answer.Header("Content-Type") == "application/problem+json");
  for (const auto* pointer : {"/apiVersion", "/spec", "/extra"}) {
    CHECK_THAT(answer.body, ContainsSubstring(R"({"pointer":")" + std::string(pointer) + "\""));
  }
  CHECK(fixture.Post("").status == 400);
  CHECK(fixture.Post("[").status == 400);
  CHECK(fixture.Queued().empty());
  CHECK(fixture.Count(R"(triggers_rejected_total{reason="invalid",source="http"})") == 3);
}

TEST_CASE("an array and NDJSON are batches, in order", "[trigger_api]") {
  ApiServer fixture;
  HttpAnswer answer;
  SECTION("array") { answer = fixture.Post("\n[" + kTrigger + "," + kTrigger + "]"); }
  SECTION("ndjson") {
    answer = Ask(fixture, "POST", "/triggers", kTrigger + "\r\n\n" + kTrigger, kLines);
  }
  CHECK(answer.status == 202);
  const auto queued = fixture.Queued();
  REQUIRE(queued.size() == 2);
  CHECK(answer.body == R"({"uuids":[")" + queued[0].uuid.ToString() + R"(",")" +
                           queued[1].uuid.ToString() + R"("],"status":"queued"})" + "\n");
  CHECK(fixture.Count(R"(triggers_accepted_total{source="http"})") == 2);
}

TEST_CASE("a batch with one bad trigger stores none", "[trigger_api]") {
  ApiServer fixture;
  HttpAnswer answer;
  SECTION("array") { answer = fixture.Post("[" + kTrigger + R"(,{"apiVersion":"a"}])"); }
  SECTION("ndjson") {
    answer = Ask(fixture, "POST", "/triggers", kTrigger + "\n{\"apiVersion\":\"a\"}\n", kLines);
  }
  SECTION("empty array") { CHECK(fixture.Post("[]").status == 400); }
  if (answer.status != 0) {
    CHECK(answer.status == 400);
    CHECK_THAT(answer.body, ContainsSubstring(R"({"pointer":"/1/protocol")"));
  }
  CHECK(fixture.Queued().empty());
}

TEST_CASE("an idempotency key gives the first answer again, or a conflict", "[trigger_api]") {
  ApiServer fixture;
  const std::string quoted = "Idempotency-Key: \"a \\\"b\\\"\"\r\n";
  const auto first = fixture.Post(kTrigger, quoted);
  REQUIRE(first.status == 202);
  const auto again = fixture.Post(kTrigger, "idempotency-key: a \"b\"\r\n");
  CHECK(again.status == 202);
  CHECK(again.body == first.body);
  CHECK(again.Header("Location") == first.Header("Location"));
  CHECK(fixture.Post(kTrigger + " ", quoted).status == 422);
  CHECK(fixture.Queued().size() == 1);
  CHECK(fixture.Count(R"(triggers_accepted_total{source="http"})") == 1);
  CHECK(fixture.Count(R"(triggers_rejected_total{reason="conflict",source="http"})") == 1);

  const std::string batch = "[" + kTrigger + "," + kTrigger + "]";
  const auto of_batch = fixture.Post(batch, "Idempotency-Key: \"batch\"\r\n");
  CHECK(of_batch.status == 202);
  CHECK(fixture.Post(batch, "Idempotency-Key: \"batch\"\r\n").body == of_batch.body);
}

TEST_CASE("a malformed idempotency key is refused, not ignored", "[trigger_api]") {
  ApiServer fixture;
  for (const std::string key : {"", "\"", "\"\"", "\"a", "\"a\\", "\"a\\b\"", "\"a\";x=1",
                                "caf\xC3\xA9", "a\r\nIdempotency-Key: a"}) {
    CAPTURE(key);
    CHECK(fixture.Post(kTrigger, "Idempotency-Key: " + key + "\r\n").status == 400);
  }
  CHECK(fixture.Post(kTrigger, "Idempotency-Key: " + std::string(256, 'a') + "\r\n").status == 400);
  CHECK(fixture.Post(kTrigger, "Idempotency-Key: " + std::string(255, 'a') + "\r\n").status == 202);
  CHECK(fixture.Queued().size() == 1);
}

TEST_CASE("idempotency keys of two clients don't meet", "[trigger_api]") {
  TempDir folder;
  ApiServer fixture(
      {.path = ":memory:"},
      {.tokens_file = WriteTokens(folder, "a:token-of-client-1\nb:token-of-client-2\n")});
  const std::string key = "Idempotency-Key: \"k\"\r\nAuthorization: Bearer ";
  const auto first = fixture.Post(kTrigger, key + "token-of-client-1\r\n");
  const auto second = fixture.Post(kTrigger, key + "token-of-client-2\r\n");
  CHECK(second.status == 202);
  CHECK(UuidIn(first) != UuidIn(second));
  CHECK(fixture.Post(kTrigger).status == 401);
  // The token's name goes with the trigger.
  const auto record = Ask(fixture, "GET", "/triggers/" + UuidIn(second), {},
                          "Authorization: Bearer token-of-client-1\r\n");
  CHECK_THAT(record.body, ContainsSubstring(R"("source":"http","client":"b")"));
  CHECK(fixture.Queued()[1].client == "b");
}

TEST_CASE("a uuid given by the client makes the post idempotent", "[trigger_api]") {
  ApiServer fixture;
  const std::string uuid = "01890a5d-ac96-774b-bcce-b302099a8057";
  const auto with = [&](int v) {
    return R"({"uuid":")" + uuid + R"(","apiVersion":"a","protocol":"b","spec":{"v":)" +
           std::to_string(v) + "}}";
  };
  CHECK(UuidIn(fixture.Post(with(1))) == uuid);
  CHECK(fixture.Post(with(1)).status == 202);
  CHECK(fixture.Post(with(2)).status == 422);
  CHECK(fixture.Queued().size() == 1);
}

TEST_CASE("trace context is passed on when it is valid", "[trigger_api]") {
  ApiServer fixture;
  const std::string valid = "traceparent: " + std::string(kTraceparent) + "\r\n";
  fixture.Post(kTrigger, valid + "tracestate: a=1,b@c=2\r\n");
  fixture.Post(kTrigger, valid + "tracestate: not valid\r\n");
  fixture.Post(kTrigger, "traceparent: 00-1-2-3\r\ntracestate: a=1\r\n");
  const auto queued = fixture.Queued();
  REQUIRE(queued.size() == 3);
  CHECK(queued[0].traceparent == kTraceparent);
  CHECK(queued[0].tracestate == "a=1,b@c=2");
  CHECK(queued[1].traceparent == kTraceparent);
  CHECK(queued[1].tracestate.empty());
  CHECK(queued[2].traceparent.empty());
  CHECK(queued[2].tracestate.empty());
}

TEST_CASE("trace context is checked as W3C says", "[trace_context]") {
  CHECK(IsTraceparent(kTraceparent));
  CHECK(IsTraceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later"));
  for (const std::string_view wrong :
       {"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01later"}) {
    CAPTURE(wrong);
    CHECK(!IsTraceparent(wrong));
  }
  CHECK(IsTracestate("rojo=00f067aa0ba902b7, congo=t61 rcWkgMzE ,,t/e-*_@x=1"));
  CHECK(!IsTracestate("a"));
  CHECK(!IsTracestate("A=1"));
  CHECK(!IsTracestate("a=1=2"));
  CHECK(!IsTracestate("a=" + std::string(600, 'b')));
}

TEST_CASE("a full queue and a closed one are 503 with Retry-After", "[trigger_api]") {
  ApiServer fixture({.path = ":memory:", .max_bytes = 4000});
  HttpAnswer answer;
  int accepted = 0;
  while ((answer = fixture.Post(kTrigger)).status == 202 && accepted < 1000) ++accepted;
  CHECK(accepted > 0);
  CHECK(answer.status == 503);
  CHECK(answer.Header("Retry-After") == "1");
  CHECK(fixture.Count(R"(triggers_rejected_total{reason="full",source="http"})") == 1);

  const auto spec = std::string(8000, 'x');
  const auto larger = R"({"apiVersion":"a","protocol":"b","spec":{"x":")" + spec + "\"}}";
  CHECK(fixture.Post(larger).status == 413);
  CHECK(fixture.Count(R"(triggers_rejected_total{reason="full",source="http"})") == 1);
  CHECK(fixture.Count(R"(triggers_rejected_total{reason="invalid",source="http"})") == 1);

  fixture.queue->Close();
  const auto closed = fixture.Post(kTrigger);
  CHECK(closed.status == 503);
  CHECK(closed.Header("Retry-After") == "1");
  CHECK(fixture.Count(R"(triggers_rejected_total{reason="unavailable",source="http"})") == 1);
}

}  // namespace
}  // namespace tower
