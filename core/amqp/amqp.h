// Publishing over AMQP 0-9-1. rabbitmq-c encodes and decodes the frames; the socket is ours
// (net/stream), because that library's own calls can block for ever and make three system calls a
// message.
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

// A message to publish. Refers to memory of the caller.
struct AmqpMessage {
  std::string_view exchange, routing_key;
  std::string_view content_type, message_id, type, app_id;
  std::uint64_t timestamp = 0;  // seconds since 1970
  std::span<const std::pair<std::string_view, std::string_view>> headers;
  std::string_view body;
};

// Who hears of a message's fate; called within Publish and Wait.
class AmqpListener {
 public:
  virtual ~AmqpListener() = default;
  virtual void OnConfirmed(std::uint64_t tag, bool multiple) = 0;
  virtual void OnRefused(std::uint64_t tag, bool multiple) = 0;
  // Its confirm follows.
  virtual void OnReturned(std::string_view message_id, int code, std::string_view reason) = 0;
  // The broker closed the channel; a new one is open and tags start at 1 again. Within Wait only.
  virtual void OnReset(int code, std::string_view reason) = 0;
  virtual void OnBlocked(std::string_view reason) = 0;
  virtual void OnUnblocked() = 0;
};

// A message that comes back, until its last byte was read.
struct AmqpReturned {
  int code = 0;
  std::string reason;
  std::string message_id;
  bool headed = false;     // its header was read
  std::uint64_t left = 0;  // bytes of its body
};

// A session whose channel is in confirm mode. After any error but kInvalid of Publish the
// connection is dead; Open starts anew.
class AmqpConnection final : public AmqpSession {
 public:
  explicit AmqpConnection(AmqpListener& listener) : listener_(listener) {}

  // Persistent and mandatory. Returns the tag; the message leaves with the next Wait, or when
  // enough has come together. Waits only while the broker takes nothing and a megabyte has piled
  // up. kInvalid: it can't be expressed in AMQP; nothing was sent.
  Result<std::uint64_t> Publish(const AmqpMessage& message);

  // Sends what is waiting and tells the listener what has happened. When nothing has, waits until
  // something does, `wake_fd` (when >= 0) becomes readable, or `timeout` passes. Sends heartbeats
  // and notices their absence: call it at least once a second.
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
  bool heard_ = false;  // the listener was told something since Wait began
  std::optional<AmqpReturned> returned_;
};

}  // namespace tower

#endif  // CORE_AMQP_AMQP_H_
