// The event that a script is shown.
#include "plugins/webhook/delivery.h"

#include <catch2/catch_test_macros.hpp>

namespace tower::webhook {
namespace {

TEST_CASE("an event has headers, query, body and path, and is JSON", "[webhook]") {
  Delivery delivery;
  delivery.headers = {{"x-b", "2"}, {"host", "lab.example"}, {"x-a", "say \"1\"\xff"}};
  delivery.query = {{"run", "7"}, {"well", "A1"}, {"well", "B1"}, {"", "\n"}};
  delivery.path = "/hooks/ci";
  const auto event = MakeEvent(delivery, "", R"({ "v":1.0 })");
  CHECK(event == R"({"headers":{"host":"lab.example","x-a":"say \"1\")"
                 "\xEF\xBF\xBD"
                 R"(","x-b":"2"},"query":{"":"\n","run":"7","well":["A1","B1"]},)"
                 R"("body":{ "v":1.0 },"path":"/hooks/ci"})");
  JsonTape tape;
  CHECK(tape.Read(event));
  CHECK(MakeEvent({}, "", "null") == R"({"headers":{},"query":{},"body":null,"path":""})");
}

TEST_CASE("a header that comes again joins the first", "[webhook]") {
  Delivery delivery;
  delivery.headers = {{"x-a", "1"}, {"x-b", "2"}, {"x-a", "3"}};
  CHECK(MakeEvent(delivery, "", "1") ==
        R"({"headers":{"x-a":"1, 3","x-b":"2"},"query":{},"body":1,"path":""})");
  CHECK_FALSE(delivery.Header("x-a"));
  CHECK(delivery.Header("x-b") == "2");
  CHECK(delivery.HasHeader("x-a"));
  CHECK_FALSE(delivery.HasHeader("x-c"));
}

TEST_CASE("headers with secrets don't become part of an event", "[webhook]") {
  Delivery delivery;
  delivery.headers = {{"authorization", "s"},
                      {"proxy-authorization", "s"},
                      {"cookie", "s"},
                      {"x-gitlab-token", "s"},
                      {"x-hub-signature", "s"},
                      {"x-hub-signature-256", "s"},
                      {"stripe-signature", "s"},
                      {"webhook-signature", "s"},
                      {"x-slack-signature", "s"},
                      {"x-api-key", "s"},
                      {"x-apikey", "s"},
                      {"x-client-secret", "s"},
                      {"x-password", "s"},
                      {"x-lab-mac", "s"},
                      {"x-github-delivery", "kept"}};
  CHECK(MakeEvent(delivery, "x-lab-mac", "1") ==
        R"({"headers":{"x-github-delivery":"kept"},"query":{},"body":1,"path":""})");
}

TEST_CASE("a type says whether a body is JSON", "[webhook]") {
  for (const auto* json : {"", "application/json", "Application/JSON; charset=utf-8",
                           "application/json ;a=b", "application/cloudevents+json", "text/json"}) {
    CHECK(IsJson(json));
  }
  for (const auto* other : {"text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                            "application/x-ndjson", "text/plain; a=application/json", "json"}) {
    CHECK_FALSE(IsJson(other));
  }
}

TEST_CASE("text is UTF-8, or it is not", "[json]") {
  for (const auto* good : {"", "abc", "\xc3\xa4", "\xf0\x9f\xa7\xaa"}) CHECK(IsUtf8(good));
  for (const auto* bad : {"\xff", "abcdefgh\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    CHECK_FALSE(IsUtf8(bad));
  }
}

}  // namespace
}  // namespace tower::webhook
