#include "core/amqp/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/amqp/library.h"
#include "core/base/build_info.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kCloseTimeout{1000};

amqp_table_entry_t TrueEntry(std::string_view key) {
  amqp_table_entry_t entry{};
  entry.key = AmqpBytes(key);
  entry.value.kind = AMQP_FIELD_KIND_BOOLEAN;
  entry.value.value.boolean = 1;
  return entry;
}

template <std::size_t N>
amqp_table_t Table(std::array<amqp_table_entry_t, N>& entries) {
  return {static_cast<int>(N), entries.data()};
}

bool HasWord(std::string_view words, std::string_view word) {
  const std::string padded = " " + std::string(words) + " ";
  return padded.find(" " + std::string(word) + " ") != std::string::npos;
}

}  // namespace

Status AmqpSession::Open(const AmqpUrl& url, const TlsClient* tls, const AmqpSettings& settings,
                         std::stop_token stop) {
  settings_ = settings;
  close_code_ = 0;
  close_text_.clear();
  channel_open_ = blocked_ = false;
  awaited_ = 0;
  link_.Arm();
  std::stop_callback on_stop(stop, [this] { Interrupt(); });
  const milliseconds silence = settings_.heartbeat.count() > 0 ? 2 * settings_.heartbeat : kSilence;
  if (Status s = link_.Open(url, tls, settings_.timeout, silence); !s) return s;
  logging_in_ = true;
  Status done = Login(url, steady_clock::now() + settings_.timeout);
  logging_in_ = false;
  if (!done) link_.Close();
  return done;
}

Status AmqpSession::Login(const AmqpUrl& url, Deadline deadline) {
  no_vhost_ = url.vhost.empty();
  link_.out().append("AMQP\0\0\x09\x01", 8);
  Status s = Await(AMQP_CONNECTION_START_METHOD, deadline, [&](const void* start) {
    return SendStartOk(url, *static_cast<const amqp_connection_start_t*>(start));
  });
  if (!s) return s;
  s = Await(AMQP_CONNECTION_TUNE_METHOD, deadline, [&](const void* tune) {
    return Tune(*static_cast<const amqp_connection_tune_t*>(tune));
  });
  if (!s) return s;
  amqp_connection_open_t open{};
  open.virtual_host = AmqpBytes(url.vhost);
  s = CallOn(0, AMQP_CONNECTION_OPEN_METHOD, &open, AMQP_CONNECTION_OPEN_OK_METHOD, deadline);
  if (!s) return s;
  return OpenChannel(deadline);
}

Status AmqpSession::SendStartOk(const AmqpUrl& url, const amqp_connection_start_t& start) {
  const std::string_view mechanism = settings_.external_login ? "EXTERNAL" : "PLAIN";
  if (!HasWord(AmqpView(start.mechanisms), mechanism)) {
    return Error{ErrorCode::kPermanent, "the broker does not offer the login mechanism " +
                                            std::string(mechanism) + ", only " +
                                            std::string(AmqpView(start.mechanisms))};
  }
  std::array capabilities = {TrueEntry("publisher_confirms"), TrueEntry("basic.nack"),
                             TrueEntry("connection.blocked"), TrueEntry("consumer_cancel_notify"),
                             TrueEntry("authentication_failure_close")};
  amqp_table_entry_t capable{};
  capable.key = AmqpBytes("capabilities");
  capable.value.kind = AMQP_FIELD_KIND_TABLE;
  capable.value.value.table = Table(capabilities);
  std::array properties = {
      AmqpTextEntry("product", "control-tower"), AmqpTextEntry("version", GetBuildInfo().version),
      AmqpTextEntry("platform", "C++"), AmqpTextEntry("connection_name", settings_.name), capable};
  std::string response;
  if (!settings_.external_login) {
    response.append(1, '\0').append(url.user).append(1, '\0').append(url.password);
  }
  amqp_connection_start_ok_t ok{};
  ok.client_properties = Table(properties);
  ok.mechanism = AmqpBytes(mechanism);
  ok.response = AmqpBytes(response);
  ok.locale = AmqpBytes("en_US");
  return SendOn(0, AMQP_CONNECTION_START_OK_METHOD, &ok);
}

Status AmqpSession::Tune(const amqp_connection_tune_t& tune) {
  const std::size_t frame_max =
      tune.frame_max == 0 ? kAmqpFrameMax : std::min<std::size_t>(tune.frame_max, kAmqpFrameMax);
  if (Status s = link_.frames().SetFrameMax(frame_max); !s) return s;
  const auto wanted = std::chrono::ceil<std::chrono::seconds>(settings_.heartbeat).count();
  const auto heartbeat = static_cast<std::uint16_t>(std::clamp<std::int64_t>(wanted, 0, 65535));
  link_.SetHeartbeat(std::chrono::seconds(heartbeat));
  amqp_connection_tune_ok_t ok{};
  ok.channel_max = tune.channel_max;
  ok.frame_max = static_cast<std::uint32_t>(frame_max);
  ok.heartbeat = heartbeat;
  return SendOn(0, AMQP_CONNECTION_TUNE_OK_METHOD, &ok);
}

Status AmqpSession::OpenChannel(Deadline deadline) {
  amqp_channel_open_t open{};
  channel_open_ = true;
  Status s = Call(AMQP_CHANNEL_OPEN_METHOD, &open, AMQP_CHANNEL_OPEN_OK_METHOD, deadline);
  return s ? SetUpChannel(deadline) : s;
}

Status AmqpSession::DeclareExchange(std::string_view name, std::string_view type, bool passive) {
  if (name.size() > kMaxShortString) return AmqpTooLong("the exchange");
  amqp_exchange_declare_t declare{};
  declare.exchange = AmqpBytes(name);
  declare.type = AmqpBytes(type);
  declare.passive = passive;
  declare.durable = 1;
  return Call(AMQP_EXCHANGE_DECLARE_METHOD, &declare, AMQP_EXCHANGE_DECLARE_OK_METHOD);
}

Status AmqpSession::DeclareQuorumQueue(std::string_view name, bool passive) {
  if (name.size() > kMaxShortString) return AmqpTooLong("the queue");
  std::array arguments = {AmqpTextEntry("x-queue-type", "quorum")};
  amqp_queue_declare_t declare{};
  declare.queue = AmqpBytes(name);
  declare.passive = passive;
  declare.durable = 1;
  declare.arguments = Table(arguments);
  return Call(AMQP_QUEUE_DECLARE_METHOD, &declare, AMQP_QUEUE_DECLARE_OK_METHOD);
}

Status AmqpSession::Bind(std::string_view queue, std::string_view exchange, std::string_view key) {
  amqp_queue_bind_t bind{};
  bind.queue = AmqpBytes(queue);
  bind.exchange = AmqpBytes(exchange);
  bind.routing_key = AmqpBytes(key);
  return Call(AMQP_QUEUE_BIND_METHOD, &bind, AMQP_QUEUE_BIND_OK_METHOD);
}

Status AmqpSession::Call(std::uint32_t id, void* method, std::uint32_t reply) {
  return Call(id, method, reply, steady_clock::now() + settings_.timeout);
}

Status AmqpSession::CallOn(std::uint16_t channel, std::uint32_t id, void* method,
                           std::uint32_t reply, Deadline deadline) {
  if (!link_.is_open()) return Error{ErrorCode::kUnavailable, "not connected"};
  if (Status s = SendOn(channel, id, method); !s) return s;
  return Await(reply, deadline);
}

Status AmqpSession::SendOn(std::uint16_t channel, std::uint32_t id, void* method) {
  return link_.frames().AppendMethod(link_.out(), channel, id, method);
}

Status AmqpSession::Await(std::uint32_t reply, Deadline deadline, OnReply on_reply) {
  const bool on_channel = channel_open_;
  awaited_ = reply;
  on_reply_ = std::move(on_reply);
  while (awaited_ != 0) {
    bool woken = false;
    if (Status s = link_.Pump(deadline, -1, woken); !s) return s;
    if (awaited_ == 0) break;
    if (on_channel && !channel_open_) return ChannelClosed();
    if (steady_clock::now() >= deadline) {
      return Error{ErrorCode::kTimeout, "no answer from the broker in time"};
    }
  }
  return Ok();
}

void AmqpSession::Close() {
  if (link_.is_open()) {
    amqp_connection_close_t close{};
    close.reply_code = AMQP_REPLY_SUCCESS;
    close.reply_text = AmqpBytes("goodbye");
    // Best effort: the result does not matter.
    (void)CallOn(0, AMQP_CONNECTION_CLOSE_METHOD, &close, AMQP_CONNECTION_CLOSE_OK_METHOD,
                 steady_clock::now() + kCloseTimeout);
  }
  link_.Close();
}

Status AmqpSession::OnFrame(const AmqpFrame& frame) {
  if (frame.channel > kChannel) {
    return Error{ErrorCode::kUnavailable, "the broker sent a frame on a channel that is not open"};
  }
  switch (frame.type) {
    case AmqpFrame::Type::kMethod:
      if (awaited_ != 0 && frame.method == awaited_) {
        awaited_ = 0;
        return on_reply_ ? std::exchange(on_reply_, {})(frame.decoded) : Ok();
      }
      if (frame.channel == 0) return OnConnectionMethod(frame);
      if (frame.method == AMQP_CHANNEL_CLOSE_METHOD) return OnChannelClose(frame.decoded);
      return OnChannelMethod(frame);
    case AmqpFrame::Type::kHeader:
    case AmqpFrame::Type::kBody:
      return OnContent(frame);
    default:
      return Ok();
  }
}

Status AmqpSession::OnConnectionMethod(const AmqpFrame& frame) {
  switch (frame.method) {
    case AMQP_CONNECTION_CLOSE_METHOD:
      return OnConnectionClose(*static_cast<const amqp_connection_close_t*>(frame.decoded));
    case AMQP_CONNECTION_BLOCKED_METHOD:
      blocked_ = true;
      link_.SetPatient(true);
      OnBlocked(AmqpView(static_cast<const amqp_connection_blocked_t*>(frame.decoded)->reason));
      return Ok();
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
      blocked_ = false;
      link_.SetPatient(false);
      OnUnblocked();
      return Ok();
    default:
      return Ok();
  }
}

Status AmqpSession::OnConnectionClose(const amqp_connection_close_t& close) {
  close_code_ = close.reply_code;
  close_text_ = AmqpView(close.reply_text);
  amqp_connection_close_ok_t ok{};
  // Best effort: the broker closes the connection anyway.
  if (SendOn(0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok)) (void)link_.Flush();
  std::string text = close_text_.empty() ? "closed by the broker" : close_text_;
  const bool refused = close_code_ == AMQP_ACCESS_REFUSED || close_code_ == AMQP_NOT_ALLOWED ||
                       close_code_ == AMQP_INVALID_PATH;
  if (!logging_in_ || !refused) return Error{ErrorCode::kUnavailable, text};
  text += close_code_ == AMQP_ACCESS_REFUSED ? ", check user and password in "
                                             : ", check vhost and user in ";
  text += settings_.prefix + "url";
  if (no_vhost_ && close_code_ != AMQP_ACCESS_REFUSED) {
    text +=
        "; a URL that ends in / names the vhost without a name: leave the / out for the vhost /";
  }
  return Error{ErrorCode::kPermanent, text};
}

Status AmqpSession::OnChannelClose(const void* decoded) {
  const auto& close = *static_cast<const amqp_channel_close_t*>(decoded);
  close_code_ = close.reply_code;
  close_text_ = AmqpView(close.reply_text);
  channel_open_ = false;
  amqp_channel_close_ok_t ok{};
  return Send(AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
}

}  // namespace tower
