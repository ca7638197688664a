#include "core/amqp/amqp.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/amqp/library.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Buffered bytes from which on Publish sends without waiting for Wait.
constexpr std::size_t kSendAt = 64 * 1024;
constexpr std::size_t kMostUnsent = 1024 * 1024;  // bytes

// Such a confirm would settle messages that the broker has not received, so no confirm of this
// connection can be trusted.
Error NeverSent() {
  return {ErrorCode::kUnavailable, "the broker confirmed a message that was not sent"};
}

}  // namespace

Status AmqpConnection::SetUpChannel(Deadline deadline) {
  amqp_confirm_select_t select{};
  next_tag_ = 1;
  returned_.reset();
  return Call(AMQP_CONFIRM_SELECT_METHOD, &select, AMQP_CONFIRM_SELECT_OK_METHOD, deadline);
}

Result<std::uint64_t> AmqpConnection::Publish(const AmqpMessage& message) {
  if (!link_.is_open()) return Error{ErrorCode::kUnavailable, "not connected"};
  if (message.routing_key.size() > kMaxShortString) return AmqpTooLong("the routing key");
  for (const std::string_view text :
       {message.exchange, message.content_type, message.message_id, message.type, message.app_id}) {
    if (text.size() > kMaxShortString) return AmqpTooLong("a property of the message");
  }
  // After it closed the channel, the broker ignores messages; this one is lost like those in
  // flight.
  if (!channel_open()) return next_tag_++;

  std::array<amqp_table_entry_t, 8> entries{};
  const std::size_t count = std::min(message.headers.size(), entries.size());
  for (std::size_t i = 0; i < count; ++i) {
    entries[i] = AmqpTextEntry(message.headers[i].first, message.headers[i].second);
  }
  amqp_basic_publish_t publish{};
  publish.exchange = AmqpBytes(message.exchange);
  publish.routing_key = AmqpBytes(message.routing_key);
  publish.mandatory = 1;
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                      AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG |
                      AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_HEADERS_FLAG;
  properties.content_type = AmqpBytes(message.content_type);
  properties.delivery_mode = 2;  // persistent
  properties.message_id = AmqpBytes(message.message_id);
  properties.timestamp = message.timestamp;
  properties.type = AmqpBytes(message.type);
  properties.app_id = AmqpBytes(message.app_id);
  properties.headers = {static_cast<int>(count), entries.data()};

  std::string& out = link_.out();
  const std::size_t before = out.size();
  Status s = Send(AMQP_BASIC_PUBLISH_METHOD, &publish);
  if (s) s = link_.frames().AppendHeader(out, kChannel, message.body.size(), &properties);
  if (!s) {
    out.resize(before);
    return s.error();
  }
  link_.frames().AppendBody(out, kChannel, message.body);
  const std::uint64_t tag = next_tag_++;
  if (link_.unsent() >= kSendAt) {
    if (s = MakeRoom(); !s) return s.error();
  }
  return tag;
}

// Waits until the send buffer has room. Does not wait for a blocked connection, which accepts
// nothing until the alarm is cleared; the next Wait reports it to the listener.
Status AmqpConnection::MakeRoom() {
  if (Status s = link_.Flush(); !s) return s;
  const Deadline deadline = steady_clock::now() + kSilence;
  while (link_.unsent() > kMostUnsent && !blocked()) {
    bool woken = false;
    if (Status s = link_.Pump(deadline, -1, woken); !s) return s;
    if (steady_clock::now() >= deadline) {
      return Error{ErrorCode::kTimeout, "the broker does not read any data"};
    }
  }
  return Ok();
}

Status AmqpConnection::Wait(milliseconds timeout, int wake_fd) {
  const Deadline deadline = steady_clock::now() + timeout;
  heard_ = false;
  for (;;) {
    bool woken = false;
    if (Status s = link_.Pump(deadline, wake_fd, woken); !s) return s;
    if (!channel_open()) {
      const int code = close_code();
      const std::string text = close_text();
      if (Status s = OpenChannel(steady_clock::now() + settings().timeout); !s) return s;
      listener_.OnReset(code, text);
      return Ok();
    }
    if (heard_ || woken || steady_clock::now() >= deadline) return Ok();
  }
}

void AmqpConnection::OnBlocked(std::string_view reason) {
  heard_ = true;
  listener_.OnBlocked(reason);
}

void AmqpConnection::OnUnblocked() {
  heard_ = true;
  listener_.OnUnblocked();
}

Status AmqpConnection::OnChannelMethod(const AmqpFrame& frame) {
  switch (frame.method) {
    case AMQP_BASIC_ACK_METHOD: {
      const auto& ack = *static_cast<const amqp_basic_ack_t*>(frame.decoded);
      if (ack.delivery_tag >= next_tag_) return NeverSent();
      heard_ = true;
      listener_.OnConfirmed(ack.delivery_tag, ack.multiple != 0);
      return Ok();
    }
    case AMQP_BASIC_NACK_METHOD: {
      const auto& nack = *static_cast<const amqp_basic_nack_t*>(frame.decoded);
      if (nack.delivery_tag >= next_tag_) return NeverSent();
      heard_ = true;
      listener_.OnRefused(nack.delivery_tag, nack.multiple != 0);
      return Ok();
    }
    case AMQP_BASIC_RETURN_METHOD: {
      const auto& back = *static_cast<const amqp_basic_return_t*>(frame.decoded);
      returned_.emplace();
      returned_->code = back.reply_code;
      returned_->reason = AmqpView(back.reply_text);
      return Ok();
    }
    default:
      return Ok();
  }
}

// Handles the frames after basic.return: the content header, then the parts of the body.
Status AmqpConnection::OnContent(const AmqpFrame& frame) {
  if (!returned_ || returned_->headed == (frame.type == AmqpFrame::Type::kHeader)) {
    return Error{ErrorCode::kUnavailable, "the broker sent frames out of order"};
  }
  if (frame.type == AmqpFrame::Type::kHeader) {
    const auto* properties = static_cast<const amqp_basic_properties_t*>(frame.decoded);
    if (properties != nullptr && (properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) != 0) {
      returned_->message_id = AmqpView(properties->message_id);
    }
    returned_->headed = true;
    returned_->left = frame.body_size;
  } else {
    returned_->left -= std::min(returned_->left, frame.body_size);
  }
  if (returned_->left == 0) {
    heard_ = true;
    listener_.OnReturned(returned_->message_id, returned_->code, returned_->reason);
    returned_.reset();
  }
  return Ok();
}

}  // namespace tower
