#include "core/amqp/consumer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/amqp/library.h"
#include "core/amqp/table.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Error OutOfOrder() { return {ErrorCode::kUnavailable, "the broker sent frames out of order"}; }

}  // namespace

Status CheckAmqpConsumerOptions(const AmqpConsumerOptions& options) {
  const auto invalid = [&](std::string text) {
    return Error{ErrorCode::kInvalid, options.prefix + std::move(text)};
  };
  if (options.queue.size() > kMaxShortString) return invalid("queue: at most 255 bytes");
  if (options.exchange.size() > kMaxShortString) return invalid("exchange: at most 255 bytes");
  if (options.exchange.empty() != options.keys.empty()) {
    return invalid("exchange and " + options.prefix + "bind belong together");
  }
  for (const auto& key : options.keys) {
    if (key.size() > kMaxShortString) return invalid("bind: at most 255 bytes");
  }
  return Ok();
}

AmqpConsumer::AmqpConsumer(AmqpConsumerOptions options)
    : options_(std::move(options)), dialer_(options_) {}

Status AmqpConsumer::Open(const std::stop_token& stop) {
  const auto forget = [this] {
    arrived_.clear();
    coming_.reset();
    cancelled_ = false;
  };
  return dialer_.Connect(*this, stop, forget, [this] { return SetUpQueue(); });
}

Status AmqpConsumer::SetUpChannel(Deadline deadline) {
  amqp_basic_qos_t qos{};
  qos.prefetch_count = options_.prefetch;
  return Call(AMQP_BASIC_QOS_METHOD, &qos, AMQP_BASIC_QOS_OK_METHOD, deadline);
}

Status AmqpConsumer::SetUpQueue() {
  Status s = DeclareQuorumQueue(options_.queue, !options_.declare);
  if (!s) return QueueError("queue '" + options_.queue + "'", s.error(), true);
  for (const auto& key : options_.keys) {
    s = Bind(options_.queue, options_.exchange, key);
    if (!s) return QueueError("binding to exchange '" + options_.exchange + "'", s.error(), false);
  }
  amqp_basic_consume_t consume{};
  consume.queue = AmqpBytes(options_.queue);
  s = Call(AMQP_BASIC_CONSUME_METHOD, &consume, AMQP_BASIC_CONSUME_OK_METHOD);
  if (!s) return QueueError("consuming queue '" + options_.queue + "'", s.error(), true);
  return Ok();
}

Error AmqpConsumer::QueueError(std::string_view what, const Error& error, bool declarable) const {
  Error told = Annotate(what, error);
  switch (close_code()) {
    case AMQP_NOT_FOUND:
      told.message += " (create what is missing";
      if (!options_.declare && declarable) {
        told.message += ", or set " + options_.prefix + "declare=true";
      }
      told.message += ")";
      break;
    case AMQP_PRECONDITION_FAILED:
      told.code = ErrorCode::kPermanent;
      told.message += " (it exists with other settings: delete it, or set " + options_.prefix +
                      "declare=false)";
      break;
    case AMQP_ACCESS_REFUSED:
      // RabbitMQ reports an exclusive consumer with the code for missing permissions; only the text
      // differs.
      if (told.message.find("in exclusive use") != std::string::npos) {
        told.code = ErrorCode::kUnavailable;
        told.message += " (an exclusive consumer uses it: stop that one)";
        break;
      }
      told.code = ErrorCode::kPermanent;
      told.message += " (grant this permission to the user of " + options_.prefix + "url)";
      break;
    default:
      break;
  }
  return told;
}

Status AmqpConsumer::Wait(milliseconds timeout, int wake_fd, std::deque<AmqpDelivery>& deliveries) {
  const Deadline deadline = steady_clock::now() + timeout;
  for (bool woken = false; arrived_.empty() && !woken;) {
    if (Status s = link_.Pump(deadline, wake_fd, woken); !s) return s;
    if (!channel_open()) return ChannelClosed();
    if (cancelled_) {
      return Error{ErrorCode::kUnavailable, "the broker cancelled the consumer of queue '" +
                                                options_.queue +
                                                "': it was deleted, or its node is down"};
    }
    if (steady_clock::now() >= deadline) break;
  }
  std::move(arrived_.begin(), arrived_.end(), std::back_inserter(deliveries));
  arrived_.clear();
  return Ok();
}

Status AmqpConsumer::Ack(std::uint64_t tag, bool multiple) {
  amqp_basic_ack_t ack{};
  ack.delivery_tag = tag;
  ack.multiple = multiple;
  return Send(AMQP_BASIC_ACK_METHOD, &ack);
}

Status AmqpConsumer::Reject(std::uint64_t tag) {
  amqp_basic_reject_t reject{};
  reject.delivery_tag = tag;
  return Send(AMQP_BASIC_REJECT_METHOD, &reject);
}

Status AmqpConsumer::OnChannelMethod(const AmqpFrame& frame) {
  if (frame.method == AMQP_BASIC_CANCEL_METHOD) cancelled_ = true;
  if (frame.method != AMQP_BASIC_DELIVER_METHOD) return Ok();
  if (coming_) return OutOfOrder();
  const auto& deliver = *static_cast<const amqp_basic_deliver_t*>(frame.decoded);
  auto& delivery = coming_.emplace();
  delivery.tag = deliver.delivery_tag;
  delivery.redelivered = deliver.redelivered != 0;
  delivery.exchange = AmqpView(deliver.exchange);
  delivery.routing_key = AmqpView(deliver.routing_key);
  headed_ = false;
  return Ok();
}

Status AmqpConsumer::OnContent(const AmqpFrame& frame) {
  const bool header = frame.type == AmqpFrame::Type::kHeader;
  if (!coming_ || headed_ == header || (!header && frame.body_size > left_)) return OutOfOrder();
  if (header) {
    OnHeader(frame);
  } else {
    left_ -= frame.body_size;
    if (coming_->size <= options_.max_body) coming_->body += frame.body;
  }
  if (left_ > 0) return Ok();
  arrived_.push_back(std::move(*coming_));
  coming_.reset();
  return Ok();
}

void AmqpConsumer::OnHeader(const AmqpFrame& frame) {
  headed_ = true;
  auto& delivery = *coming_;
  delivery.size = left_ = frame.body_size;
  if (left_ <= options_.max_body) delivery.body.reserve(left_);
  if (frame.decoded == nullptr) return;
  const auto& properties = *static_cast<const amqp_basic_properties_t*>(frame.decoded);
  const auto take = [&properties](amqp_flags_t flag, amqp_bytes_t value, std::string& to) {
    if ((properties._flags & flag) != 0) to = AmqpView(value);
  };
  take(AMQP_BASIC_MESSAGE_ID_FLAG, properties.message_id, delivery.message_id);
  take(AMQP_BASIC_TYPE_FLAG, properties.type, delivery.type);
  take(AMQP_BASIC_CONTENT_TYPE_FLAG, properties.content_type, delivery.content_type);
  take(AMQP_BASIC_APP_ID_FLAG, properties.app_id, delivery.app_id);
  take(AMQP_BASIC_REPLY_TO_FLAG, properties.reply_to, delivery.reply_to);
  if ((properties._flags & AMQP_BASIC_TIMESTAMP_FLAG) != 0) {
    delivery.timestamp = properties.timestamp;
  }
  if ((properties._flags & AMQP_BASIC_HEADERS_FLAG) != 0) {
    delivery.headers = AmqpTableJson(properties.headers);
  }
}

}  // namespace tower
