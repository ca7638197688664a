// A connection to a broker with one channel, as far as publishers and consumers are alike: login,
// methods and their answers, queues and bindings, and how either side ends it.
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
  std::chrono::milliseconds heartbeat{15'000};  // whole seconds, rounded up; a silence of twice
                                                // that means dead; 0: none asked for
  std::chrono::milliseconds timeout{10'000};    // for connecting, and for each answer
  std::string name;                             // shown by the broker's management pages
  bool external_login = false;   // by the client certificate (SASL EXTERNAL) instead of a password
  std::string prefix = "amqp.";  // of the options that all this comes from, for errors
};

// Used by one thread, except Interrupt. After an error the connection is dead, unless the derived
// class says otherwise; Open starts anew.
class AmqpSession : private AmqpFrameHandler {
 public:
  ~AmqpSession() override = default;
  AmqpSession(const AmqpSession&) = delete;
  AmqpSession& operator=(const AmqpSession&) = delete;

  // Connects, logs in and opens the channel. `tls` for an amqps URL only. Returns within twice the
  // timeout. kStopped, kPermanent (credentials, vhost, certificate), kTimeout, kUnavailable.
  Status Open(const AmqpUrl& url, const TlsClient* tls, const AmqpSettings& settings,
              std::stop_token stop);

  // Durable. With `passive` nothing is made: an error when it does not exist. close_code() tells
  // more.
  Status DeclareExchange(std::string_view name, std::string_view type, bool passive);
  Status DeclareQuorumQueue(std::string_view name, bool passive);
  Status Bind(std::string_view queue, std::string_view exchange, std::string_view key);

  void Close();  // in good order, within a second
  // Thread-safe: what is under way, and all until the next Open, fails soon.
  void Interrupt() { link_.Interrupt(); }

  // The reply code that the broker closed the channel or connection with; 0 when it did not.
  int close_code() const noexcept { return close_code_; }

 protected:
  AmqpSession() : link_(*this) {}

  // What a channel needs that has just been opened.
  virtual Status SetUpChannel(Deadline deadline) = 0;
  // A method on the channel that is neither an awaited answer nor the channel's end.
  virtual Status OnChannelMethod(const AmqpFrame& frame) = 0;
  // The header of a message, or a piece of its body.
  virtual Status OnContent(const AmqpFrame& frame) = 0;
  virtual void OnBlocked(std::string_view) {}
  virtual void OnUnblocked() {}

  Status OpenChannel(Deadline deadline);
  // Sends a method on the channel and waits for the reply, as long as the timeout.
  Status Call(std::uint32_t id, void* method, std::uint32_t reply);
  Status Call(std::uint32_t id, void* method, std::uint32_t reply, Deadline deadline) {
    return CallOn(kChannel, id, method, reply, deadline);
  }
  // Leaves with the next round of the link.
  Status Send(std::uint32_t id, void* method) { return SendOn(kChannel, id, method); }

  bool channel_open() const noexcept { return channel_open_; }
  bool blocked() const noexcept { return blocked_; }
  const AmqpSettings& settings() const noexcept { return settings_; }
  const std::string& close_text() const noexcept { return close_text_; }
  Error ChannelClosed() const { return {ErrorCode::kUnavailable, close_text_}; }

  static constexpr std::uint16_t kChannel = 1;
  static constexpr std::chrono::milliseconds kSilence{
      30'000};  // without heartbeats: how long sent bytes may stay unacknowledged

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
  bool no_vhost_ = false;  // the URL names the one without a name
  int close_code_ = 0;
  std::string close_text_;
};

}  // namespace tower

#endif  // CORE_AMQP_SESSION_H_
