// The headers of rabbitmq-c and conversions to its types. Only .cpp files include this header.
#ifndef CORE_AMQP_LIBRARY_H_
#define CORE_AMQP_LIBRARY_H_

// Since version 0.12 the headers are in a folder.
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace tower {

inline constexpr std::size_t kMaxShortString = 255;  // bytes: AMQP 0-9-1, section 4.2.5.3

// Neither copies: the argument must outlive the result.
inline amqp_bytes_t AmqpBytes(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};  // the library only reads
}
inline std::string_view AmqpView(amqp_bytes_t bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.bytes == nullptr ? 0 : bytes.len};
}

// A table entry with a long string as its value. It refers to both arguments.
inline amqp_table_entry_t AmqpTextEntry(std::string_view key, std::string_view text) {
  amqp_table_entry_t entry{};
  entry.key = AmqpBytes(key);
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = AmqpBytes(text);
  return entry;
}

inline Error AmqpTooLong(std::string_view what) {
  return {ErrorCode::kInvalid,
          std::string(what) + " is longer than the 255 bytes that AMQP allows"};
}

}  // namespace tower

#endif  // CORE_AMQP_LIBRARY_H_
