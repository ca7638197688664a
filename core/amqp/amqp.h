// Publishing over AMQP 0-9-1. rabbitmq-c encodes and decodes the frames; the socket is a NetStream
// (core/net/stream.h), because the library's own calls can block without limit and make three
// system calls per message.
#ifndef CORE_AMQP_AMQP_H_
#define CORE_AMQP_AMQP_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/amqp/session.h"
#include "core/base/result.h"

namespace tower {

// A message to publish. It refers to memory of the caller.
struct AmqpMessage {
  std::string_view exchange, routing_key;
  std::string_view content_type, message_id, type, app_id;
  std::uint64_t timestamp = 0;  // seconds since 1970
  std::span<const std::pair<std::string_view, std::string_view>> headers;
  std::string_view body;
};

// Receives confirms, returns and connection events. Called within Publish and Wait.
class AmqpListener {
 public:
  virtual ~AmqpListener() = default;
  virtual void OnConfirmed(std::uint64_t tag, bool multiple) = 0;
  virtual void OnRefused(std::uint64_t tag, bool multiple) = 0;
  // The message was unroutable. Its confirm follows.
  virtual void OnReturned(std::string_view message_id, int code, std::string_view reason) = 0;
  // The broker closed the channel. A new channel is open, and tags start at 1 again. Called within
  // Wait only.
  virtual void OnReset(int code, std::string_view reason) = 0;
  virtual void OnBlocked(std::string_view reason) = 0;
  virtual void OnUnblocked() = 0;
};

// A returned message that is not read completely yet.
struct AmqpReturned {
  int code = 0;
  std::string reason;
  std::string message_id;
  bool headed = false;     // the content header has been read
  std::uint64_t left = 0;  // unread bytes of the body
};

// A session whose channel is in confirm mode. After any error except kInvalid from Publish the
// connection is dead; Open starts a new one.
class AmqpConnection final : public AmqpSession {
 public:
  explicit AmqpConnection(AmqpListener& listener) : listener_(listener) {}

  // Publishes a persistent, mandatory message and returns its delivery tag. The message is buffered
  // and sent by the next Wait, or once enough bytes are buffered. Blocks only while the broker
  // reads nothing and a megabyte is buffered. kInvalid: AMQP cannot represent the message; nothing
  // was sent.
  Result<std::uint64_t> Publish(const AmqpMessage& message);

  // Sends buffered bytes and reports events to the listener. If there are none, waits until there
  // is one, `wake_fd` (if >= 0) becomes readable, or `timeout` passes. Sends heartbeats and detects
  // missing ones: call it at least once a second.
  Status Wait(std::chrono::milliseconds timeout, int wake_fd);

 private:
  Status MakeRoom();

  Status SetUpChannel(Deadline deadline) override;
  Status OnChannelMethod(const AmqpFrame& frame) override;
  Status OnContent(const AmqpFrame& frame) override;
  void OnBlocked(std::string_view reason) override;
  void OnUnblocked() override;

  AmqpListener& listener_;
  std::uint64_t next_tag_ = 1;
  bool heard_ = false;  // the listener was called since Wait began
  std::optional<AmqpReturned> returned_;
};

}  // namespace tower

#endif  // CORE_AMQP_AMQP_H_
