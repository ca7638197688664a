// Verifies the sender of a delivery by a shared secret, in the schemes of common senders.
#ifndef PLUGINS_WEBHOOK_VERIFY_H_
#define PLUGINS_WEBHOOK_VERIFY_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"
#include "core/base/result.h"
#include "plugins/webhook/delivery.h"

namespace tower::webhook {

struct VerifyOptions {
  std::string scheme;   // "none", "github", "gitlab", "standard-webhooks", "slack", "stripe",
                        // "hmac", "bearer", "basic"
  std::string secrets;  // one a line
  std::string user;     // of basic
  std::chrono::milliseconds tolerance{300'000};  // of timestamps, both ways
  std::string hmac_header, hmac_algorithm = "sha256", hmac_encoding = "hex", hmac_prefix;

  bool IsOneOf(std::initializer_list<std::string_view> schemes) const;
  bool has_timestamp() const { return IsOneOf({"standard-webhooks", "slack", "stripe"}); }

  // A Verifier can be made if all three succeed. Messages name the option, and contain no secret.
  Status CheckSecret() const;
  Status CheckUser() const;
  Status CheckHeader() const;  // of hmac
};

// Constant after construction; thread-safe. Compares in constant time, and tries all secrets.
class Verifier {
 public:
  using Clock = std::chrono::system_clock;

  // REQUIRES: the checks of options passed.
  explicit Verifier(const VerifyOptions& options);

  // Whether the headers allow the delivery to pass. The body may not have arrived yet.
  bool HeadPasses(const Delivery& delivery, Clock::time_point now) const;
  // Whether the sender knows one of the secrets, signed these bytes and, if the scheme signs the
  // time, did so within `tolerance`.
  bool Passes(const Delivery& delivery, Clock::time_point now) const;

 private:
  // What the headers claim.
  struct Claim {
    std::vector<std::string> macs;  // one of them must be right
    std::string before;             // what was signed in front of the body
  };
  std::optional<Claim> ReadClaim(const Delivery& delivery, Clock::time_point now) const;
  std::optional<Claim> ReadHmac(const Delivery& delivery) const;
  std::optional<Claim> ReadStandard(const Delivery& delivery, Clock::time_point now) const;
  std::optional<Claim> ReadSlack(const Delivery& delivery, Clock::time_point now) const;
  std::optional<Claim> ReadStripe(const Delivery& delivery, Clock::time_point now) const;
  std::optional<std::string> Token(const Delivery& delivery) const;
  bool TokenPasses(const Delivery& delivery) const;
  bool IsFresh(std::string_view seconds, Clock::time_point now) const;

  VerifyOptions options_;
  DigestKind algorithm_ = DigestKind::kSha256;
  bool by_token_ = false;
  std::vector<std::string> secrets_;  // as they are compared, or keys as raw bytes
};

}  // namespace tower::webhook

#endif  // PLUGINS_WEBHOOK_VERIFY_H_
