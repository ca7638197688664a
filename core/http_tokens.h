// Bearer tokens (RFC 6750), from a file with one `name:token` a line.
#ifndef CORE_HTTP_TOKENS_H_
#define CORE_HTTP_TOKENS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace tower {

// Constant after Load; thread-safe. Keeps digests, not the tokens.
class HttpTokens {
 public:
  // Blank lines and lines that begin with '#' are skipped. kInvalid: the file can't be read, has no
  // token, a name or a token twice, or a line that is not `name:token`; the message has the line's
  // number and never a token.
  static Result<HttpTokens> Load(const std::string& path);

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
};

}  // namespace tower

#endif  // CORE_HTTP_TOKENS_H_
