// Which addresses the HTTP client may ask, and whom it believes.
#ifndef CORE_HTTP_CLIENT_POLICY_H_
#define CORE_HTTP_CLIENT_POLICY_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/http_client/client.h"
#include "core/net/resolver.h"

namespace tower {

// Immutable; thread-safe.
class HttpDenyList {
 public:
  static Result<HttpDenyList> Parse(const std::vector<std::string>& networks);
  bool Denies(const SocketAddress& address) const;

 private:
  // An IPv4 address is its mapped IPv6 one.
  using Bytes = std::array<std::uint8_t, 16>;
  struct Network {
    Bytes address;
    int bits;
  };
  static Result<Network> ParseNetwork(std::string_view text);
  static bool Contains(const Network& network, const Bytes& address);
  std::vector<Network> networks_;
};

// What ConfigureHttpClients was given, else the default.
HttpPolicy CurrentHttpPolicy();

// The file of CA certificates, found and fit to be used. kInvalid says what is wrong with it.
Result<std::string> HttpCaBundle(const HttpPolicy& policy);

}  // namespace tower

#endif  // CORE_HTTP_CLIENT_POLICY_H_
