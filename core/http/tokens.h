// Bearer tokens (RFC 6750), from a file with one `name:token` a line.
#ifndef CORE_HTTP_TOKENS_H_
#define CORE_HTTP_TOKENS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace tower {

// Constant after Load; thread-safe. Keeps digests, not the tokens.
class HttpTokens {
 public:
  // Blank lines and lines that begin with '#' are skipped. kInvalid: the file can't be read, is no
  // regular file, is over 1 MiB, may be written by others than its owner, has no token, a name or a
  // token twice, a token that can be guessed (under 16 characters), or a line that is not
  // `name:token`; the message has the line's number and never a token.
  static Result<HttpTokens> Load(const std::string& path);

  // What is no fault, but better changed: everyone on this machine may read the file; else "".
  const std::string& warning() const noexcept { return warning_; }

  // Whether the value of an Authorization header is of the scheme Bearer, in any case.
  static bool IsBearer(std::string_view authorization) noexcept;

  // The name of the token in the value of an Authorization header, or nothing. Takes the same time
  // for every wrong token.
  std::optional<std::string_view> Check(std::string_view authorization) const;

 private:
  struct Entry {
    std::string name;
    std::string digest;  // SHA-256, hexadecimal
  };
  Status Add(std::string_view line);

  std::vector<Entry> entries_;
  std::string warning_;
};

// The tokens in force, which another set may replace at any time. Thread-safe.
class HttpTokensInForce {
 public:
  void Set(HttpTokens tokens);

  // Those of the last Set, or nullptr. Good until the same thread asks again. Without a lock, but
  // for once a thread and Set.
  const HttpTokens* Get() const;

 private:
  std::atomic<std::uint64_t> version_{0};  // no two calls of Set, of any object, make the same one
  mutable std::mutex mutex_;
  std::shared_ptr<const HttpTokens> tokens_;  // guarded by mutex_
};

}  // namespace tower

#endif  // CORE_HTTP_TOKENS_H_
