// AmqpConnection: from a closed connection to one that can publish.
#include "core/amqp.h"

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

#include <algorithm>
#include <array>
#include <utility>

#include "core/build_info.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint16_t kChannel = 1;
constexpr std::size_t kMaxShortString = 255;  // AMQP 0-9-1, section 4.2.5.3
constexpr milliseconds kSilence{
    30'000};  // without heartbeats: how long sent bytes may stay unacknowledged

amqp_bytes_t Bytes(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};  // the library only reads
}

std::string_view View(amqp_bytes_t bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.bytes == nullptr ? 0 : bytes.len};
}

amqp_table_entry_t TextEntry(std::string_view key, std::string_view text) {
  amqp_table_entry_t entry{};
  entry.key = Bytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = Bytes(text);
  return entry;
}

amqp_table_entry_t TrueEntry(std::string_view key) {
  amqp_table_entry_t entry{};
  entry.key = Bytes(key);
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

Error TooLong(std::string_view what) {
  return {ErrorCode::kInvalid,
          std::string(what) + " is longer than the 255 bytes that AMQP allows"};
}

}  // namespace

Status AmqpConnection::Open(const AmqpUrl& url, const AmqpTls* tls, const AmqpSettings& settings,
                            std::stop_token stop) {
  settings_ = settings;
  returned_.reset();
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

Status AmqpConnection::Login(const AmqpUrl& url, Deadline deadline) {
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
  open.virtual_host = Bytes(url.vhost);
  s = Call(0, AMQP_CONNECTION_OPEN_METHOD, &open, AMQP_CONNECTION_OPEN_OK_METHOD, deadline);
  if (!s) return s;
  return OpenChannel(deadline);
}

Status AmqpConnection::SendStartOk(const AmqpUrl& url, const amqp_connection_start_t& start) {
  const std::string_view mechanism = settings_.external_login ? "EXTERNAL" : "PLAIN";
  if (!HasWord(View(start.mechanisms), mechanism)) {
    return Error{ErrorCode::kPermanent, "the broker does not offer the login mechanism " +
                                            std::string(mechanism) + ", only " +
                                            std::string(View(start.mechanisms))};
  }
  std::array capabilities = {TrueEntry("publisher_confirms"), TrueEntry("basic.nack"),
                             TrueEntry("connection.blocked"),
                             TrueEntry("authentication_failure_close")};
  amqp_table_entry_t capable{};
  capable.key = Bytes("capabilities");
  capable.value.kind = AMQP_FIELD_KIND_TABLE;
  capable.value.value.table = Table(capabilities);
  std::array properties = {
      TextEntry("product", "control-tower"), TextEntry("version", GetBuildInfo().version),
      TextEntry("platform", "C++"), TextEntry("connection_name", settings_.name), capable};
  std::string response;
  if (!settings_.external_login) {
    response.append(1, '\0').append(url.user).append(1, '\0').append(url.password);
  }
  amqp_connection_start_ok_t ok{};
  ok.client_properties = Table(properties);
  ok.mechanism = Bytes(mechanism);
  ok.response = Bytes(response);
  ok.locale = Bytes("en_US");
  return Send(0, AMQP_CONNECTION_START_OK_METHOD, &ok);
}

Status AmqpConnection::Tune(const amqp_connection_tune_t& tune) {
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
  return Send(0, AMQP_CONNECTION_TUNE_OK_METHOD, &ok);
}

Status AmqpConnection::OpenChannel(Deadline deadline) {
  amqp_channel_open_t open{};
  channel_open_ = true;
  Status s = Call(kChannel, AMQP_CHANNEL_OPEN_METHOD, &open, AMQP_CHANNEL_OPEN_OK_METHOD, deadline);
  if (!s) return s;
  amqp_confirm_select_t select{};
  next_tag_ = 1;
  return Call(kChannel, AMQP_CONFIRM_SELECT_METHOD, &select, AMQP_CONFIRM_SELECT_OK_METHOD,
              deadline);
}

Status AmqpConnection::DeclareExchange(std::string_view name, std::string_view type, bool passive) {
  if (name.size() > kMaxShortString) return TooLong("the exchange");
  amqp_exchange_declare_t declare{};
  declare.exchange = Bytes(name);
  declare.type = Bytes(type);
  declare.passive = passive;
  declare.durable = 1;
  return Declare(AMQP_EXCHANGE_DECLARE_METHOD, &declare, AMQP_EXCHANGE_DECLARE_OK_METHOD);
}

Status AmqpConnection::DeclareQuorumQueue(std::string_view name, bool passive) {
  if (name.size() > kMaxShortString) return TooLong("the queue");
  std::array arguments = {TextEntry("x-queue-type", "quorum")};
  amqp_queue_declare_t declare{};
  declare.queue = Bytes(name);
  declare.passive = passive;
  declare.durable = 1;
  declare.arguments = Table(arguments);
  return Declare(AMQP_QUEUE_DECLARE_METHOD, &declare, AMQP_QUEUE_DECLARE_OK_METHOD);
}

Status AmqpConnection::Bind(std::string_view queue, std::string_view exchange,
                            std::string_view key) {
  amqp_queue_bind_t bind{};
  bind.queue = Bytes(queue);
  bind.exchange = Bytes(exchange);
  bind.routing_key = Bytes(key);
  return Declare(AMQP_QUEUE_BIND_METHOD, &bind, AMQP_QUEUE_BIND_OK_METHOD);
}

Status AmqpConnection::Declare(std::uint32_t id, void* method, std::uint32_t reply) {
  return Call(kChannel, id, method, reply, steady_clock::now() + settings_.timeout);
}

}  // namespace tower
