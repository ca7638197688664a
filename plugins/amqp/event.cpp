#include "plugins/amqp/event.h"

#include <string_view>

#include "core/json/writer.h"

namespace tower::amqp {
std::string EventJson(const AmqpDelivery& delivery, JsonTape& tape) {
  // The body is one level deeper in the event.
  constexpr JsonLimits kLimits{.depth = kMaxJsonDepth - 1, .record = 0};
  std::string out;
  out.reserve(delivery.body.size() + delivery.headers.size() + 512);
  JsonWriter json(out);
  json.BeginObject().Key("body");
  if (tape.Read(delivery.body, kLimits)) {
    json.Raw(delivery.body);
  } else {
    json.Value(delivery.body);
  }
  json.Member("routingKey", delivery.routing_key)
      .Member("exchange", delivery.exchange)
      .Member("redelivered", delivery.redelivered)
      .RawMember("headers", delivery.headers);
  const auto optional = [&json](std::string_view name, std::string_view text) {
    if (!text.empty()) json.Member(name, text);
  };
  optional("messageId", delivery.message_id);
  optional("type", delivery.type);
  optional("contentType", delivery.content_type);
  optional("appId", delivery.app_id);
  optional("replyTo", delivery.reply_to);
  if (delivery.timestamp) json.Member("timestamp", *delivery.timestamp);
  json.EndObject();
  return out;
}

std::string NameOf(const AmqpDelivery& delivery) {
  if (delivery.message_id.empty()) return "delivery " + std::to_string(delivery.tag);
  return "message " + delivery.message_id;
}

}  // namespace tower::amqp
