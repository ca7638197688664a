// The one error type, and the two ways in which a function hands it back.
//
// A function that can fail returns Result<T>, or Status where there is no value. An error is
// returned or logged, never both; context is added outward with Annotate, so that the last message
// reads like a path to the fault: `watcher inbox: open /inbox: permission denied`. Messages are
// lower case, end without a full stop, and name what the reader can change. They never carry a
// secret.
#ifndef CORE_BASE_RESULT_H_
#define CORE_BASE_RESULT_H_

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

namespace tower {

enum class ErrorCode {
  kInvalid,      // the input or a setting is wrong; the same call fails again
  kNotFound,     // there is no such thing
  kConflict,     // the same key or uuid was used before with other content
  kFull,         // a limit or the disk is full; the same call may pass later
  kStopped,      // a stop was requested before the work was done
  kTimeout,      // a deadline passed
  kUnavailable,  // something outside (disk, broker, source) failed; retry
  kPermanent,  // something outside refused for good (credentials, a file that is not ours); do not
               // retry
};

// The code as it stands in logs: "invalid", "not_found", ...
std::string_view ToString(ErrorCode code) noexcept;

struct Error {
  ErrorCode code = ErrorCode::kUnavailable;
  std::string message;

  // True when the same call may pass later without anybody changing anything.
  bool retryable() const noexcept {
    return code == ErrorCode::kFull || code == ErrorCode::kTimeout ||
           code == ErrorCode::kUnavailable;
  }

  // True when the fault is that of the one event that was put, which is rejected, and no other
  // event shares it.
  bool of_event() const noexcept {
    return code == ErrorCode::kConflict || code == ErrorCode::kInvalid;
  }
};

// Either a value or an Error. An Error converts, so `return error;` and `return other.error();` are
// all it takes.
template <typename T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  using Base = tl::expected<T, Error>;

 public:
  using Base::Base;
  Result() = default;
  Result(Error error)  // NOLINT(google-explicit-constructor)
      : Base(tl::unexpect, std::move(error)) {}
};

using Status = Result<void>;

inline Status Ok() { return {}; }

// `context: message`, with the same code.
inline Error Annotate(std::string_view context, Error error) {
  error.message.insert(0, ": ").insert(0, context);
  return error;
}

// The text of an errno value, from the C library's own table; thread-safe.
std::string ErrnoText(int error_number);

}  // namespace tower

#endif  // CORE_BASE_RESULT_H_
