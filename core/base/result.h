// The error type, and the two return types of functions that can fail.
//
// A function that can fail returns Result<T>, or Status if there is no value. An error is either
// returned or logged, never both. Each caller adds its context with Annotate, so that the final
// message leads to the fault: `watcher inbox: open /inbox: permission denied`. Messages are lower
// case, have no full stop at the end, name what the reader can change, and never contain a secret.
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
  kNotFound,     // the requested object does not exist
  kConflict,     // the same key or uuid was used before with other content
  kFull,         // a limit is reached or the disk is full; the same call may succeed later
  kStopped,      // a stop was requested before the work was done
  kTimeout,      // a deadline passed
  kUnavailable,  // something external (disk, broker, source) failed; retry
  // Something external refused permanently (credentials, a foreign file); do not retry.
  kPermanent,
};

// The name of the code in logs: "invalid", "not_found", ...
std::string_view ToString(ErrorCode code) noexcept;

struct Error {
  ErrorCode code = ErrorCode::kUnavailable;
  std::string message;

  // True if the same call may succeed later without a change of input or settings.
  bool retryable() const noexcept {
    return code == ErrorCode::kFull || code == ErrorCode::kTimeout ||
           code == ErrorCode::kUnavailable;
  }

  // True if the fault concerns only the event that was put: this event is rejected, and the next
  // one can succeed.
  bool of_event() const noexcept {
    return code == ErrorCode::kConflict || code == ErrorCode::kInvalid;
  }
};

// Either a value or an Error. An Error converts implicitly: `return error;`, `return
// other.error();`.
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

// Returns the error with the message `context: message` and the same code.
inline Error Annotate(std::string_view context, Error error) {
  error.message.insert(0, ": ").insert(0, context);
  return error;
}

// The C library's text for an errno value. Thread-safe.
std::string ErrnoText(int error_number);

}  // namespace tower

#endif  // CORE_BASE_RESULT_H_
