// A connection to a broker with one channel: what publishers and consumers have in common. Login,
// methods and their replies, declarations and bindings, and closing by either side.
#ifndef CORE_AMQP_SESSION_H_
#define CORE_AMQP_SESSION_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/amqp/link.h"
#include "core/amqp/url.h"
#include "core/base/result.h"

struct amqp_connection_start_t_;
struct amqp_connection_tune_t_;
struct amqp_connection_close_t_;

namespace tower {

struct AmqpSettings {
  // Rounded up to whole seconds. Twice this time without input means that the connection is dead. 0
  // requests no heartbeats.
  std::chrono::milliseconds heartbeat{15'000};
  std::chrono::milliseconds timeout{10'000};  // for connecting, and for each reply
  std::string name;                           // connection name in the broker's management UI
  bool external_login = false;   // by the client certificate (SASL EXTERNAL) instead of a password
  std::string prefix = "amqp.";  // prefix of the options, for error messages
};

// Used by one thread, except Interrupt. After an error the connection is dead, unless the derived
// class says otherwise; Open starts a new one.
class AmqpSession : private AmqpFrameHandler {
 public:
  ~AmqpSession() override = default;
  AmqpSession(const AmqpSession&) = delete;
  AmqpSession& operator=(const AmqpSession&) = delete;

  // Connects, logs in and opens the channel. `tls` is used for an amqps URL only. Returns within
  // twice the timeout. Errors: kStopped, kPermanent (credentials, vhost, certificate), kTimeout,
  // kUnavailable.
  Status Open(const AmqpUrl& url, const TlsClient* tls, const AmqpSettings& settings,
              std::stop_token stop);

  // Declare a durable exchange or queue, and bind a queue. With `passive` nothing is created, and
  // an exchange or queue that does not exist is an error. After an error, close_code() returns the
  // reply code.
  Status DeclareExchange(std::string_view name, std::string_view type, bool passive);
  Status DeclareQuorumQueue(std::string_view name, bool passive);
  Status Bind(std::string_view queue, std::string_view exchange, std::string_view key);

  void Close();  // with the closing handshake, within a second
  // Calls in progress and calls before the next Open fail soon. Thread-safe.
  void Interrupt() { link_.Interrupt(); }

  // The reply code with which the broker closed the channel or connection; 0 if it did not.
  int close_code() const noexcept { return close_code_; }

 protected:
  AmqpSession() : link_(*this) {}

  // Sets up a newly opened channel.
  virtual Status SetUpChannel(Deadline deadline) = 0;
  // Receives methods on the channel other than awaited replies and the close of the channel.
  virtual Status OnChannelMethod(const AmqpFrame& frame) = 0;
  // Receives the content header of a message, or a part of its body.
  virtual Status OnContent(const AmqpFrame& frame) = 0;
  virtual void OnBlocked(std::string_view) {}
  virtual void OnUnblocked() {}

  Status OpenChannel(Deadline deadline);
  // Sends a method on the channel and waits for the reply, at most for the timeout.
  Status Call(std::uint32_t id, void* method, std::uint32_t reply);
  Status Call(std::uint32_t id, void* method, std::uint32_t reply, Deadline deadline) {
    return CallOn(kChannel, id, method, reply, deadline);
  }
  // Buffers a method; the next round of the link sends it.
  Status Send(std::uint32_t id, void* method) { return SendOn(kChannel, id, method); }

  bool channel_open() const noexcept { return channel_open_; }
  bool blocked() const noexcept { return blocked_; }
  const AmqpSettings& settings() const noexcept { return settings_; }
  const std::string& close_text() const noexcept { return close_text_; }
  Error ChannelClosed() const { return {ErrorCode::kUnavailable, close_text_}; }

  static constexpr std::uint16_t kChannel = 1;
  // Maximum time that sent bytes may stay unacknowledged if there are no heartbeats.
  static constexpr std::chrono::milliseconds kSilence{30'000};

  AmqpLink link_;

 private:
  using OnReply = std::function<Status(const void*)>;
  Status Login(const AmqpUrl& url, Deadline deadline);
  Status SendStartOk(const AmqpUrl& url, const amqp_connection_start_t_& start);
  Status Tune(const amqp_connection_tune_t_& tune);
  Status CallOn(std::uint16_t channel, std::uint32_t id, void* method, std::uint32_t reply,
                Deadline deadline);
  Status Await(std::uint32_t reply, Deadline deadline, OnReply on_reply = {});
  Status SendOn(std::uint16_t channel, std::uint32_t id, void* method);

  Status OnFrame(const AmqpFrame& frame) final;
  Status OnConnectionMethod(const AmqpFrame& frame);
  Status OnConnectionClose(const amqp_connection_close_t_& close);
  Status OnChannelClose(const void* close);

  AmqpSettings settings_;
  bool logging_in_ = false;
  bool channel_open_ = false;
  bool blocked_ = false;
  std::uint32_t awaited_ = 0;  // the method that Await waits for
  OnReply on_reply_;
  bool no_vhost_ = false;  // the URL selects the vhost with the empty name
  int close_code_ = 0;
  std::string close_text_;
};

}  // namespace tower

#endif  // CORE_AMQP_SESSION_H_
