#include "plugins/amqp/event.h"

#include <string_view>

namespace tower::amqp {
namespace {

void AppendText(std::string& out, std::string_view name, std::string_view text) {
  out.append(",\"").append(name).append("\":");
  AppendJsonString(out, text);
}

void AppendOptional(std::string& out, std::string_view name, std::string_view text) {
  if (!text.empty()) AppendText(out, name, text);
}

}  // namespace

std::string EventJson(const AmqpDelivery& delivery, JsonTape& tape) {
  // The body is one level deeper in the event.
  constexpr JsonLimits kLimits{.depth = kMaxJsonDepth - 1, .record = 0};
  std::string out = R"({"body":)";
  out.reserve(delivery.body.size() + delivery.headers.size() + 512);
  if (tape.Read(delivery.body, kLimits)) {
    out += delivery.body;
  } else {
    AppendJsonString(out, delivery.body);
  }
  AppendText(out, "routingKey", delivery.routing_key);
  AppendText(out, "exchange", delivery.exchange);
  out += delivery.redelivered ? R"(,"redelivered":true)" : R"(,"redelivered":false)";
  out.append(",\"headers\":").append(delivery.headers);
  AppendOptional(out, "messageId", delivery.message_id);
  AppendOptional(out, "type", delivery.type);
  AppendOptional(out, "contentType", delivery.content_type);
  AppendOptional(out, "appId", delivery.app_id);
  AppendOptional(out, "replyTo", delivery.reply_to);
  if (delivery.timestamp) out += ",\"timestamp\":" + std::to_string(*delivery.timestamp);
  out += '}';
  return out;
}

std::string NameOf(const AmqpDelivery& delivery) {
  if (delivery.message_id.empty()) return "delivery " + std::to_string(delivery.tag);
  return "message " + delivery.message_id;
}

}  // namespace tower::amqp
