// The baseline of publishing: bare rabbitmq-c, one connection, persistent and mandatory, 1000
// unconfirmed messages at most; the same bodies and properties as control-tower's, ready in memory.
//
//   bare-publisher URL EXCHANGE COUNT      prints seconds=, cpu_us= (user and system, of all)
#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/base/uuid.h"
#include "core/trigger/trigger.h"
#include "test/bench/amqp.h"
#include "test/bench/triggers.h"

namespace tower::bench {
namespace {

constexpr std::size_t kWindow = 1000;

struct Message {
  std::string routing_key, uuid, protocol, body;
};

std::vector<Message> MakeMessages(std::size_t count) {
  std::vector<Message> messages;
  messages.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto trigger = Trigger::Parse(TriggerText(i));
    if (!trigger) throw std::runtime_error(Describe(trigger.error()));
    const Uuid uuid = NewUuidV7();
    messages.push_back({RoutingKey(trigger->api_version(), trigger->protocol()), uuid.ToString(),
                        std::string(trigger->protocol()), trigger->BodyWith(uuid)});
  }
  return messages;
}

class Publisher {
 public:
  Publisher(const std::string& url, std::string exchange)
      : connection_(url), exchange_(std::move(exchange)) {
    amqp_confirm_select(connection_.get(), kChannel);
    Check(amqp_get_rpc_reply(connection_.get()), "confirm.select");
  }

  void Run(const std::vector<Message>& messages) {
    confirmed_.assign(messages.size() + 1, false);
    std::size_t sent = 0;
    while (oldest_ <= messages.size()) {
      for (; sent < messages.size() && sent - count_ < kWindow; ++sent) Publish(messages[sent]);
      ReadConfirms();
    }
  }

 private:
  void Publish(const Message& message) {
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                        AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG |
                        AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_APP_ID_FLAG | AMQP_BASIC_HEADERS_FLAG;
    properties.content_type = amqp_cstring_bytes("application/json");
    properties.delivery_mode = 2;
    properties.message_id = Bytes(message.uuid);
    properties.timestamp = static_cast<std::uint64_t>(std::time(nullptr));
    properties.type = Bytes(message.protocol);
    properties.app_id = amqp_cstring_bytes("control-tower");
    amqp_table_entry_t source{};
    source.key = amqp_cstring_bytes("source");
    source.value.kind = AMQP_FIELD_KIND_UTF8;
    source.value.value.bytes = amqp_cstring_bytes("http");
    properties.headers = {1, &source};
    Check(amqp_basic_publish(connection_.get(), kChannel, Bytes(exchange_),
                             Bytes(message.routing_key), 1, 0, &properties, Bytes(message.body)),
          "publish");
  }

  // Waits for one frame, then takes what else has come.
  void ReadConfirms() {
    timeval patience{30, 0};
    amqp_frame_t frame;
    int status = amqp_simple_wait_frame_noblock(connection_.get(), &frame, &patience);
    for (; status == AMQP_STATUS_OK;
         status = amqp_simple_wait_frame_noblock(connection_.get(), &frame, &patience)) {
      if (frame.frame_type != AMQP_FRAME_METHOD ||
          frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
        throw std::runtime_error("the broker sent something else than a confirm");
      }
      const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
      Confirm(ack->delivery_tag, ack->multiple != 0);
      patience = {0, 0};
    }
    if (status != AMQP_STATUS_TIMEOUT || patience.tv_sec != 0) Check(status, "read");
    amqp_maybe_release_buffers(connection_.get());
  }

  void Confirm(std::uint64_t tag, bool multiple) {
    for (std::uint64_t i = multiple ? oldest_ : tag; i <= tag; ++i) {
      if (!confirmed_.at(i)) ++count_;
      confirmed_[i] = true;
    }
    while (oldest_ < confirmed_.size() && confirmed_[oldest_]) ++oldest_;
  }

  Connection connection_;
  const std::string exchange_;
  std::vector<bool> confirmed_;  // by delivery tag
  std::uint64_t oldest_ = 1;     // unconfirmed delivery tag
  std::size_t count_ = 0;        // of confirmed ones
};

std::int64_t CpuMicroseconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * std::int64_t{1'000'000} +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

void Run(const std::string& url, const std::string& exchange, std::size_t count) {
  const auto messages = MakeMessages(count);
  Publisher publisher(url, exchange);
  const auto cpu = CpuMicroseconds();
  const auto began = std::chrono::steady_clock::now();
  publisher.Run(messages);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("seconds=%.3f\ncpu_us=%lld\n", took.count(),
              static_cast<long long>(CpuMicroseconds() - cpu));
}

}  // namespace
}  // namespace tower::bench

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bare-publisher URL EXCHANGE COUNT\n");
    return 2;
  }
  try {
    tower::bench::Run(argv[1], argv[2], std::stoul(argv[3]));
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bare-publisher: %s\n", e.what());
    return 1;
  }
}
