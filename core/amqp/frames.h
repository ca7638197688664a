// AMQP frames to bytes and back: rabbitmq-c's codec, without its sockets. A method is passed as a
// pointer to rabbitmq-c's struct for it, which only the .cpp files of this package know.
#ifndef CORE_AMQP_FRAMES_H_
#define CORE_AMQP_FRAMES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

struct amqp_connection_state_t_;

namespace tower {

inline constexpr std::size_t kAmqpFrameMax = 131072;  // what we ask for; RabbitMQ's own default

// A frame that came in. Refers to memory of the AmqpFrames, valid until the next Feed or Release.
struct AmqpFrame {
  enum class Type : std::uint8_t { kNone = 0, kMethod = 1, kHeader = 2, kBody = 3, kHeartbeat = 8 };
  Type type = Type::kNone;  // kNone: not complete yet
  std::uint16_t channel = 0;
  std::uint32_t method = 0;     // of kMethod
  void* decoded = nullptr;      // of kMethod and kHeader
  std::uint64_t body_size = 0;  // of kHeader: of the whole message; of kBody: of this piece
  std::string_view body;        // of kBody: this piece
};

// Used by one thread.
class AmqpFrames {
 public:
  AmqpFrames();  // throws std::bad_alloc
  ~AmqpFrames();
  AmqpFrames(const AmqpFrames&) = delete;
  AmqpFrames& operator=(const AmqpFrames&) = delete;

  // Decodes up to one frame; returns how many bytes were used, at least one.
  Result<std::size_t> Feed(const char* data, std::size_t size, AmqpFrame& frame);
  void Release();

  // Of frames in both directions, as agreed with the broker. Not within a frame that comes in.
  Status SetFrameMax(std::size_t bytes);

  // Append one frame to `out` (AppendBody: as many as it takes). An error (kInvalid: does not fit)
  // leaves `out` as it was.
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
