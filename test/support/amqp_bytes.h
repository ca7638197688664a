// AMQP 0-9-1 by hand: frames to bytes, and the parts of a frame from bytes.
#ifndef TEST_SUPPORT_AMQP_BYTES_H_
#define TEST_SUPPORT_AMQP_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tower {

// Methods as class × 65536 + method: AMQP 0-9-1, section 1.2 of the reference.
namespace amqp_method {
inline constexpr std::uint32_t kStart = 0x000A000A, kStartOk = 0x000A000B, kTune = 0x000A001E,
                               kTuneOk = 0x000A001F, kOpen = 0x000A0028, kOpenOk = 0x000A0029,
                               kClose = 0x000A0032, kCloseOk = 0x000A0033, kBlocked = 0x000A003C,
                               kUnblocked = 0x000A003D, kChannelOpen = 0x0014000A,
                               kChannelOpenOk = 0x0014000B, kChannelClose = 0x00140028,
                               kExchangeDeclare = 0x0028000A, kExchangeDeclareOk = 0x0028000B,
                               kPublish = 0x003C0028, kReturn = 0x003C0032, kAck = 0x003C0050,
                               kNack = 0x003C0078, kQueueDeclare = 0x0032000A,
                               kQueueDeclareOk = 0x0032000B, kQueueBind = 0x00320014,
                               kQueueBindOk = 0x00320015, kQos = 0x003C000A, kQosOk = 0x003C000B,
                               kConsume = 0x003C0014, kConsumeOk = 0x003C0015, kCancel = 0x003C001E,
                               kDeliver = 0x003C003C, kReject = 0x003C005A,
                               kConfirmSelect = 0x0055000A, kConfirmSelectOk = 0x0055000B;
}  // namespace amqp_method

// Big-endian, in so many bytes.
inline std::string AmqpNumber(std::uint64_t value, std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = bytes; i-- > 0; value >>= 8U) out[i] = static_cast<char>(value & 0xFFU);
  return out;
}

inline std::string AmqpText(std::string_view text) {  // at most 255 bytes
  return AmqpNumber(text.size(), 1) + std::string(text);
}

inline std::string AmqpFrameBytes(std::uint8_t type, std::uint16_t channel,
                                  std::string_view payload) {
  return AmqpNumber(type, 1) + AmqpNumber(channel, 2) + AmqpNumber(payload.size(), 4) +
         std::string(payload) + '\xCE';
}

inline std::string AmqpMethodBytes(std::uint16_t channel, std::uint32_t method,
                                   std::string_view arguments) {
  return AmqpFrameBytes(1, channel, AmqpNumber(method, 4) + std::string(arguments));
}

inline std::string AmqpAck(std::uint64_t tag, bool multiple, std::uint16_t channel = 1) {
  return AmqpMethodBytes(channel, amqp_method::kAck,
                         AmqpNumber(tag, 8) + AmqpNumber(multiple ? 1 : 0, 1));
}

// basic.deliver with its header and body frames. `properties`: the flags and what they announce.
struct AmqpDelivered {
  std::uint64_t tag = 1;
  bool redelivered = false;
  std::string exchange, routing_key;
  std::string properties = std::string(2, '\0');
  std::string body;
};

inline std::string AmqpDeliverBytes(const AmqpDelivered& message, std::size_t frame_max = 131072) {
  std::string out = AmqpMethodBytes(1, amqp_method::kDeliver,
                                    AmqpText("consumer") + AmqpNumber(message.tag, 8) +
                                        AmqpNumber(message.redelivered ? 1 : 0, 1) +
                                        AmqpText(message.exchange) + AmqpText(message.routing_key));
  out += AmqpFrameBytes(2, 1,
                        AmqpNumber(60, 2) + AmqpNumber(0, 2) + AmqpNumber(message.body.size(), 8) +
                            message.properties);
  const std::size_t piece = frame_max - 8;
  for (std::size_t at = 0; at < message.body.size(); at += piece) {
    out += AmqpFrameBytes(3, 1, std::string_view(message.body).substr(at, piece));
  }
  return out;
}

// Reads what was encoded; throws past the end.
class AmqpReader {
 public:
  explicit AmqpReader(std::string_view bytes) : bytes_(bytes) {}
  std::string_view Take(std::size_t size) {
    if (size > bytes_.size()) throw std::runtime_error("a frame that ends too early");
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::uint64_t Number(std::size_t size) {
    std::uint64_t value = 0;
    for (const char c : Take(size)) value = value << 8U | static_cast<unsigned char>(c);
    return value;
  }
  std::string Text() { return std::string(Take(Number(1))); }

 private:
  std::string_view bytes_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_AMQP_BYTES_H_
