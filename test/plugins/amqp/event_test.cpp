#include "plugins/amqp/event.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace tower::amqp {
namespace {

std::string Body(const std::string& body) {
  JsonTape tape;
  AmqpDelivery delivery;
  delivery.body = body;
  const auto event = EventJson(delivery, tape);
  const auto read = tape.Read(event);
  REQUIRE(read);
  return std::string(read->Find("body")->text());
}

TEST_CASE("a body that is JSON stands in the event byte for byte", "[amqp]") {
  for (const auto* body :
       {R"({"a": 1.0, "b":[1e3,12345678901234567890]})", "42", "null", "\"x\"", "[]"}) {
    CHECK(Body(body) == body);
  }
  CHECK(Body(" \r\n7\n") == "7");
}

TEST_CASE("any other body is a text in the event", "[amqp]") {
  CHECK(Body("") == R"("")");
  CHECK(Body("on") == R"("on")");
  CHECK(Body("{\"a\":1} trailing") == R"("{\"a\":1} trailing")");
  CHECK(Body("NaN") == R"("NaN")");
  CHECK(Body("\xFF\x01") ==
        "\"\xEF\xBF\xBD"
        "\\u0001\"");
  CHECK(Body("{\"a\":1,\"a\":2}")[0] == '"');
}

TEST_CASE("a body nested as deep as JSON may be is not too deep for an event", "[amqp]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(Body(nested(kMaxJsonDepth - 1)) == nested(kMaxJsonDepth - 1));
  CHECK(Body(nested(kMaxJsonDepth)) == '"' + nested(kMaxJsonDepth) + '"');
}

TEST_CASE("an event has what the message has", "[amqp]") {
  JsonTape tape;
  AmqpDelivery delivery;
  delivery.body = "1";
  delivery.routing_key = "lab.\"a\"";
  CHECK(EventJson(delivery, tape) ==
        R"({"body":1,"routingKey":"lab.\"a\"","exchange":"","redelivered":false,"headers":{}})");
  CHECK(NameOf(delivery) == "delivery 0");
  delivery.exchange = "amq.topic";
  delivery.redelivered = true;
  delivery.headers = R"({"source":"x"})";
  delivery.message_id = "id";
  delivery.type = "T";
  delivery.content_type = "text/plain";
  delivery.app_id = "app";
  delivery.reply_to = "q";
  delivery.timestamp = 17;
  CHECK(EventJson(delivery, tape) ==
        R"({"body":1,"routingKey":"lab.\"a\"","exchange":"amq.topic","redelivered":true,)"
        R"("headers":{"source":"x"},"messageId":"id","type":"T","contentType":"text/plain",)"
        R"("appId":"app","replyTo":"q","timestamp":17})");
  CHECK(NameOf(delivery) == "message id");
}

}  // namespace
}  // namespace tower::amqp
