// AMQP 0-9-1 over one connection with one channel. The only room that knows rabbitmq-c, which
// encodes and decodes the frames; the socket is ours (amqp_stream), because that library's own
// calls can block for ever and make three system calls a message.
#ifndef CORE_AMQP_H_
#define CORE_AMQP_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "core/amqp_link.h"
#include "core/amqp_url.h"
#include "core/result.h"

struct amqp_connection_start_t_;
struct amqp_connection_tune_t_;
struct amqp_connection_close_t_;

namespace tower {

struct AmqpSettings {
  std::chrono::milliseconds heartbeat{15'000};  // whole seconds, rounded up; a silence of twice
                                                // that means dead; 0: none asked for
  std::chrono::milliseconds timeout{10'000};    // for connecting, and for each answer
  std::string name;                             // shown by the broker's management pages
  bool external_login = false;  // by the client certificate (SASL EXTERNAL) instead of a password
};

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

// Used by one thread, except Interrupt. After any error but kInvalid of Publish the connection is
// dead; Open starts anew.
class AmqpConnection final : private AmqpFrameHandler {
 public:
  explicit AmqpConnection(AmqpListener& listener) : listener_(listener), link_(*this) {}

  // Connects, logs in and opens the channel in confirm mode. `tls` for an amqps URL only. Returns
  // within twice the timeout. kStopped, kPermanent (credentials, vhost, certificate), kTimeout,
  // kUnavailable.
  Status Open(const AmqpUrl& url, const AmqpTls* tls, const AmqpSettings& settings,
              std::stop_token stop);

  // Durable. With `passive` nothing is made: an error when it does not exist. close_code() tells
  // more.
  Status DeclareExchange(std::string_view name, std::string_view type, bool passive);
  Status DeclareQuorumQueue(std::string_view name, bool passive);
  Status Bind(std::string_view queue, std::string_view exchange, std::string_view key);

  // Persistent and mandatory. Returns the tag; the message leaves with the next Wait, or when
  // enough has come together. Waits only while the broker takes nothing and a megabyte has piled
  // up. kInvalid: it can't be expressed in AMQP; nothing was sent.
  Result<std::uint64_t> Publish(const AmqpMessage& message);

  // Sends what is waiting and tells the listener what has happened. When nothing has, waits until
  // something does, `wake_fd` (when >= 0) becomes readable, or `timeout` passes. Sends heartbeats
  // and notices their absence: call it at least once a second.
  Status Wait(std::chrono::milliseconds timeout, int wake_fd);

  void Close();  // in good order, within a second
  // Thread-safe: what is under way, and all until the next Open, fails soon.
  void Interrupt() { link_.Interrupt(); }

  // The reply code that the broker closed the channel or connection with; 0 when it did not.
  int close_code() const noexcept { return close_code_; }

 private:
  using OnReply = std::function<Status(const void*)>;
  Status Login(const AmqpUrl& url, Deadline deadline);
  Status SendStartOk(const AmqpUrl& url, const amqp_connection_start_t_& start);
  Status Tune(const amqp_connection_tune_t_& tune);
  Status OpenChannel(Deadline deadline);
  // Sends a method and waits for the reply.
  Status Call(std::uint16_t channel, std::uint32_t id, void* method, std::uint32_t reply,
              Deadline deadline);
  Status Declare(std::uint32_t id, void* method, std::uint32_t reply);
  Status Await(std::uint32_t reply, Deadline deadline, OnReply on_reply = {});
  Status Send(std::uint16_t channel, std::uint32_t id, void* method);
  Status MakeRoom();

  Status OnFrame(const AmqpFrame& frame) override;
  Status OnConnectionMethod(const AmqpFrame& frame);
  Status OnChannelMethod(const AmqpFrame& frame);
  Status OnContent(const AmqpFrame& frame);
  Status OnConnectionClose(const amqp_connection_close_t_& close);
  Error ChannelClosed() const { return {ErrorCode::kUnavailable, close_text_}; }

  AmqpListener& listener_;
  AmqpLink link_;
  AmqpSettings settings_;
  std::uint64_t next_tag_ = 1;
  bool logging_in_ = false;
  bool channel_open_ = false;
  bool blocked_ = false;
  bool heard_ = false;         // the listener was told something since Wait began
  std::uint32_t awaited_ = 0;  // the method that Await waits for
  OnReply on_reply_;
  std::optional<AmqpReturned> returned_;
  int close_code_ = 0;
  std::string close_text_;
};

}  // namespace tower

#endif  // CORE_AMQP_H_
