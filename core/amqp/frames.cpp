#include "core/amqp/frames.h"

#include <array>
#include <new>

#include "core/amqp/library.h"

namespace tower {
namespace {

constexpr std::size_t kOverhead = 8;  // type, channel, size, end mark: AMQP 0-9-1, section 4.2.3

template <typename T>
void PutBigEndian(char* out, T value) {
  for (std::size_t i = sizeof value; i-- > 0; value = static_cast<T>(value >> 8U)) {
    out[i] = static_cast<char>(value & 0xFFU);
  }
}

void AppendFrameHead(std::string& out, AmqpFrame::Type type, std::uint16_t channel,
                     std::size_t size) {
  std::array<char, 7> head;
  head[0] = static_cast<char>(type);
  PutBigEndian(&head[1], channel);
  PutBigEndian(&head[3], static_cast<std::uint32_t>(size));
  out.append(head.data(), head.size());
}

// A broker with another protocol version answers with its protocol header, which the library
// reports as a frame of this type.
constexpr std::uint8_t kProtocolHeader = 'A';

constexpr char kFrameEnd = static_cast<char>(AMQP_FRAME_END);

}  // namespace

AmqpFrames::AmqpFrames()
    : state_(amqp_new_connection()), scratch_(kAmqpFrameMax - kOverhead, '\0') {
  if (state_ == nullptr) throw std::bad_alloc();
}

AmqpFrames::~AmqpFrames() { amqp_destroy_connection(state_); }

Result<std::size_t> AmqpFrames::Feed(const char* data, std::size_t size, AmqpFrame& frame) {
  amqp_frame_t decoded;
  const amqp_bytes_t input = {size, const_cast<char*>(data)};
  const int used = amqp_handle_input(state_, input, &decoded);
  if (used <= 0) {
    return Error{ErrorCode::kUnavailable,
                 std::string("the broker does not speak AMQP 0-9-1: ") + amqp_error_string2(used)};
  }
  frame = AmqpFrame{};
  frame.channel = decoded.channel;
  switch (decoded.frame_type) {
    case AMQP_FRAME_METHOD:
      frame.type = AmqpFrame::Type::kMethod;
      frame.method = decoded.payload.method.id;
      frame.decoded = decoded.payload.method.decoded;
      break;
    case AMQP_FRAME_HEADER:
      frame.type = AmqpFrame::Type::kHeader;
      frame.body_size = decoded.payload.properties.body_size;
      frame.decoded = decoded.payload.properties.decoded;
      if (decoded.payload.properties.class_id != AMQP_BASIC_CLASS) frame.decoded = nullptr;
      break;
    case AMQP_FRAME_BODY:
      frame.type = AmqpFrame::Type::kBody;
      frame.body_size = decoded.payload.body_fragment.len;
      frame.body = {static_cast<const char*>(decoded.payload.body_fragment.bytes),
                    decoded.payload.body_fragment.len};
      break;
    case AMQP_FRAME_HEARTBEAT:
      frame.type = AmqpFrame::Type::kHeartbeat;
      break;
    case kProtocolHeader:
      return Error{ErrorCode::kUnavailable, "the broker speaks another version of AMQP than 0-9-1"};
    default:
      break;
  }
  return static_cast<std::size_t>(used);
}

void AmqpFrames::Release() { amqp_maybe_release_buffers(state_); }

Status AmqpFrames::SetFrameMax(std::size_t bytes) {
  if (bytes < AMQP_FRAME_MIN_SIZE || bytes > kAmqpFrameMax) {
    return Error{ErrorCode::kUnavailable, "the broker asks for an impossible frame size"};
  }
  if (amqp_tune_connection(state_, 0, static_cast<int>(bytes), 0) != AMQP_STATUS_OK) {
    return Error{ErrorCode::kUnavailable, "out of memory"};
  }
  frame_max_ = bytes;
  scratch_.resize(bytes - kOverhead);
  return Ok();
}

Status AmqpFrames::AppendMethod(std::string& out, std::uint16_t channel, std::uint32_t id,
                                void* method) {
  constexpr std::size_t kIdSize = 4;
  const amqp_bytes_t space = {scratch_.size() - kIdSize, scratch_.data() + kIdSize};
  const int size = amqp_encode_method(id, method, space);
  if (size < 0) return Error{ErrorCode::kInvalid, "does not fit into an AMQP frame"};
  PutBigEndian(scratch_.data(), id);
  AppendFrameHead(out, AmqpFrame::Type::kMethod, channel, kIdSize + static_cast<std::size_t>(size));
  out.append(scratch_.data(), kIdSize + static_cast<std::size_t>(size));
  out += kFrameEnd;
  return Ok();
}

Status AmqpFrames::AppendHeader(std::string& out, std::uint16_t channel, std::uint64_t body_size,
                                void* properties) {
  constexpr std::size_t kFixed = 12;  // class, weight, body size
  const amqp_bytes_t space = {scratch_.size() - kFixed, scratch_.data() + kFixed};
  const int size = amqp_encode_properties(AMQP_BASIC_CLASS, properties, space);
  if (size < 0) return Error{ErrorCode::kInvalid, "properties do not fit into an AMQP frame"};
  PutBigEndian(scratch_.data(), static_cast<std::uint16_t>(AMQP_BASIC_CLASS));
  PutBigEndian(scratch_.data() + 2, std::uint16_t{0});
  PutBigEndian(scratch_.data() + 4, body_size);
  AppendFrameHead(out, AmqpFrame::Type::kHeader, channel, kFixed + static_cast<std::size_t>(size));
  out.append(scratch_.data(), kFixed + static_cast<std::size_t>(size));
  out += kFrameEnd;
  return Ok();
}

void AmqpFrames::AppendBody(std::string& out, std::uint16_t channel, std::string_view body) {
  while (!body.empty()) {
    const std::string_view piece = body.substr(0, frame_max_ - kOverhead);
    AppendFrameHead(out, AmqpFrame::Type::kBody, channel, piece.size());
    out += piece;
    out += kFrameEnd;
    body.remove_prefix(piece.size());
  }
}

void AmqpFrames::AppendHeartbeat(std::string& out) {
  AppendFrameHead(out, AmqpFrame::Type::kHeartbeat, 0, 0);
  out += kFrameEnd;
}

}  // namespace tower
