// Bearer tokens (RFC 6750), read from a file with one `name:token` per line.
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

// Constant after Load; thread-safe. Stores digests instead of the tokens.
class HttpTokens {
 public:
  // Skips blank lines and lines that begin with '#'. kInvalid: the file cannot be read, is not a
  // regular file, exceeds 1 MiB, is writable by others than its owner, contains no token, repeats a
  // name or a token, contains a token of fewer than 16 characters, or has a line that is not
  // `name:token`. The message contains the line number, but never a token.
  static Result<HttpTokens> Load(const std::string& path);

  // A warning if every user of the machine may read the file; else "".
  const std::string& warning() const noexcept { return warning_; }

  // Whether the value of an Authorization header has the scheme Bearer (case-insensitive).
  static bool IsBearer(std::string_view authorization) noexcept;

  // The name of the token in the value of an Authorization header, or nullopt if the token is
  // invalid. Takes the same time for every invalid token.
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

// The tokens in force, which can be replaced at any time. Thread-safe.
class HttpTokensInForce {
 public:
  void Set(HttpTokens tokens);

  // The tokens of the last Set, or nullptr. Valid until the next Get of the same thread. Takes a
  // lock only once per thread and Set.
  const HttpTokens* Get() const;

 private:
  // Unique across all calls of Set and all objects.
  std::atomic<std::uint64_t> version_{0};
  mutable std::mutex mutex_;
  std::shared_ptr<const HttpTokens> tokens_;  // guarded by mutex_
};

}  // namespace tower

#endif  // CORE_HTTP_TOKENS_H_
