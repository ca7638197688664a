#include "core/publish/amqp_broker.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "core/trigger/trigger.h"

namespace tower {
namespace {

constexpr std::string_view kAppId = "control-tower";
constexpr std::size_t kMaxShortString = 255;  // AMQP 0-9-1, section 4.2.5.3

// Reply codes of AMQP 0-9-1, section 1.1 of the reference.
constexpr int kAccessRefused = 403;
constexpr int kNotFound = 404;
constexpr int kPreconditionFailed = 406;
constexpr int kCommandInvalid = 503;

// RabbitMQ closes the channel with 406 for a message that is too large, for example, and with 403
// for one whose routing key the user may not write to (rabbit_access_control:check_topic_access).
// Any other 403 concerns the exchange, and so all messages.
bool MessageAtFault(int code, std::string_view reason) {
  return code == kPreconditionFailed ||
         (code == kAccessRefused && reason.find("access to topic '") != std::string_view::npos);
}

}  // namespace

Status CheckAmqpOptions(const AmqpOptions& options) {
  const auto invalid = [](std::string text) { return Error{ErrorCode::kInvalid, std::move(text)}; };
  if (Status servers = CheckAmqpServers(options); !servers) return servers;
  if (options.exchange.size() > kMaxShortString) return invalid("amqp.exchange: at most 255 bytes");
  if (options.queue.size() > kMaxShortString) return invalid("amqp.queue: at most 255 bytes");
  return CheckAmqpTlsFiles(options);
}

AmqpBroker::AmqpBroker(AmqpOptions options)
    : options_(std::move(options)), connection_(*this), dialer_(options_) {}

AmqpBroker::~AmqpBroker() = default;

Status AmqpBroker::Connect(std::stop_token stop) {
  const auto forget = [this] {
    events_.clear();
    sent_.clear();
    first_tag_ = 1;
  };
  return dialer_.Connect(connection_, stop, forget, [this] { return Topology(); });
}

Status AmqpBroker::Topology() {
  const bool passive = !options_.declare;
  Status s = connection_.DeclareExchange(options_.exchange, options_.exchange_type, passive);
  if (!s) return TopologyError("exchange", options_.exchange, s.error());
  if (options_.queue.empty()) return Ok();
  s = connection_.DeclareQuorumQueue(options_.queue, passive);
  if (!s) return TopologyError("queue", options_.queue, s.error());
  if (passive) return Ok();
  s = connection_.Bind(options_.queue, options_.exchange, "#");
  if (!s) return TopologyError("binding of queue", options_.queue, s.error());
  return Ok();
}

Error AmqpBroker::TopologyError(std::string_view what, const std::string& name,
                                const Error& error) const {
  std::string advice;
  auto code = connection_.close_code();
  // RabbitMQ 4.0 uses another code for it than 3.x.
  if (error.message.find("unknown exchange type") != std::string::npos) code = kCommandInvalid;
  switch (code) {
    case kNotFound:
      advice = options_.declare ? "create what is missing" : "create it, or set amqp.declare=true";
      break;
    case kPreconditionFailed:
      advice =
          "it exists with other settings: delete it, or name another by amqp." +
          std::string(what.starts_with("exchange") ? "exchange or its type by amqp.exchange-type"
                                                   : "queue");
      if (options_.declare) advice += ", or set amqp.declare=false";
      break;
    case kAccessRefused:
      advice = "let the user of amqp.url configure it";
      if (options_.declare) advice += ", or create it and set amqp.declare=false";
      break;
    case kCommandInvalid:
      advice = "see amqp.exchange-type";
      break;
    default:
      return Annotate(std::string(what) + " '" + name + "'", error);
  }
  return {ErrorCode::kPermanent,
          std::string(what) + " '" + name + "': " + error.message + " (" + advice + ")"};
}

Result<std::uint64_t> AmqpBroker::Publish(const AcceptedTrigger& trigger) {
  if (trigger.api_version != api_version_ || trigger.protocol != protocol_) {
    api_version_ = trigger.api_version;
    protocol_ = trigger.protocol;
    AssignRoutingKey(routing_key_, api_version_, protocol_);
  }
  std::array<char, Uuid::kTextSize> id;
  trigger.uuid.Write(id.data());
  std::array<std::pair<std::string_view, std::string_view>, 4> headers;
  std::size_t count = 0;
  headers[count++] = {"source", trigger.source};
  if (!trigger.client.empty()) headers[count++] = {"client", trigger.client};
  if (!trigger.traceparent.empty()) headers[count++] = {"traceparent", trigger.traceparent};
  if (!trigger.tracestate.empty()) headers[count++] = {"tracestate", trigger.tracestate};

  AmqpMessage message;
  message.exchange = options_.exchange;
  message.routing_key = routing_key_;
  message.content_type = "application/json";
  message.message_id = {id.data(), id.size()};
  message.type = trigger.protocol;
  message.app_id = kAppId;
  message.timestamp = static_cast<std::uint64_t>(
      std::chrono::floor<std::chrono::seconds>(trigger.accepted_at.time_since_epoch()).count());
  message.headers = std::span(headers).first(count);
  message.body = trigger.body;
  auto tag = connection_.Publish(message);
  if (tag) sent_.push_back({trigger.uuid});
  return tag;
}

Status AmqpBroker::Wait(std::chrono::milliseconds timeout, int wake_fd,
                        std::vector<BrokerEvent>& events) {
  if (!events_.empty()) timeout = std::chrono::milliseconds(0);  // arrived while publishing
  Status s = connection_.Wait(timeout, wake_fd);
  events.insert(events.end(), std::make_move_iterator(events_.begin()),
                std::make_move_iterator(events_.end()));
  events_.clear();
  return s;
}

std::string AmqpBroker::Address() const { return dialer_.Address(); }

void AmqpBroker::Settle(std::uint64_t tag, bool multiple) {
  if (tag < first_tag_) return;
  const std::size_t index = std::min<std::uint64_t>(tag - first_tag_, sent_.size());
  if (index < sent_.size()) sent_[index].settled = true;
  const std::size_t settled = multiple ? std::min(index + 1, sent_.size()) : 0;
  for (std::size_t i = 0; !sent_.empty() && (i < settled || sent_.front().settled); ++i) {
    sent_.pop_front();
    ++first_tag_;
  }
}

void AmqpBroker::OnConfirmed(std::uint64_t tag, bool multiple) {
  Settle(tag, multiple);
  events_.push_back(
      {.kind = BrokerEvent::Kind::kConfirmed, .tag = tag, .multiple = multiple, .reason = {}});
}

void AmqpBroker::OnRefused(std::uint64_t tag, bool multiple) {
  Settle(tag, multiple);
  events_.push_back(
      {.kind = BrokerEvent::Kind::kRefused, .tag = tag, .multiple = multiple, .reason = {}});
}

void AmqpBroker::OnReturned(std::string_view message_id, int code, std::string_view reason) {
  const auto uuid = Uuid::Parse(message_id);
  const auto found = std::find_if(sent_.begin(), sent_.end(), [&](const Sent& sent) {
    return uuid && sent.uuid == *uuid && !sent.settled && !sent.returned;
  });
  if (found == sent_.end()) return;
  found->returned = true;
  events_.push_back({.kind = BrokerEvent::Kind::kReturned,
                     .tag = first_tag_ + static_cast<std::uint64_t>(found - sent_.begin()),
                     .code = code,
                     .reason = std::string(reason)});
}

void AmqpBroker::OnReset(int code, std::string_view reason) {
  sent_.clear();
  first_tag_ = 1;
  events_.push_back({.kind = BrokerEvent::Kind::kReset,
                     .code = code,
                     .reason = std::string(reason),
                     .message_at_fault = MessageAtFault(code, reason)});
}

void AmqpBroker::OnBlocked(std::string_view reason) {
  events_.push_back({.kind = BrokerEvent::Kind::kBlocked, .reason = std::string(reason)});
}

void AmqpBroker::OnUnblocked() {
  events_.push_back({.kind = BrokerEvent::Kind::kUnblocked, .reason = {}});
}

}  // namespace tower
