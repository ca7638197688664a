// Encodes and decodes AMQP frames with rabbitmq-c's codec, without its sockets. A method is passed
// as a pointer to the rabbitmq-c struct for it, which only the .cpp files of this package use.
#ifndef CORE_AMQP_FRAMES_H_
#define CORE_AMQP_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

struct amqp_connection_state_t_;

namespace tower {

// The maximum frame size in bytes that we propose to the broker; RabbitMQ's default.
inline constexpr std::size_t kAmqpFrameMax = 131072;

// A received frame. It refers to memory of the AmqpFrames and is valid until the next Feed or
// Release.
struct AmqpFrame {
  enum class Type : std::uint8_t { kNone = 0, kMethod = 1, kHeader = 2, kBody = 3, kHeartbeat = 8 };
  Type type = Type::kNone;  // kNone: not complete yet
  std::uint16_t channel = 0;
  std::uint32_t method = 0;     // for kMethod
  void* decoded = nullptr;      // for kMethod and kHeader
  std::uint64_t body_size = 0;  // bytes; kHeader: of the whole message; kBody: of this part
  std::string_view body;        // for kBody: this part
};

// Used by one thread.
class AmqpFrames {
 public:
  AmqpFrames();  // throws std::bad_alloc
  ~AmqpFrames();
  AmqpFrames(const AmqpFrames&) = delete;
  AmqpFrames& operator=(const AmqpFrames&) = delete;

  // Decodes at most one frame. Returns the number of bytes consumed, at least one.
  Result<std::size_t> Feed(const char* data, std::size_t size, AmqpFrame& frame);
  void Release();  // frees the memory of decoded frames

  // Sets the maximum frame size for both directions, as negotiated with the broker. Must not be
  // called while a frame is only partly received.
  Status SetFrameMax(std::size_t bytes);

  // Append one frame to `out` (AppendBody: as many as needed). On an error (kInvalid: the frame
  // would be too large) `out` is unchanged.
  Status AppendMethod(std::string& out, std::uint16_t channel, std::uint32_t id, void* method);
  Status AppendHeader(std::string& out, std::uint16_t channel, std::uint64_t body_size,
                      void* properties);
  void AppendBody(std::string& out, std::uint16_t channel, std::string_view body);
  static void AppendHeartbeat(std::string& out);

 private:
  amqp_connection_state_t_* state_;
  std::size_t frame_max_ = kAmqpFrameMax;
  std::string scratch_;
};

}  // namespace tower

#endif  // CORE_AMQP_FRAMES_H_
