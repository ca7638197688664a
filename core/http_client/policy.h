// The addresses that the HTTP client may contact, and the CA certificates that it trusts.
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
  // An IPv4 address is stored as an IPv4-mapped IPv6 address.
  using Bytes = std::array<std::uint8_t, 16>;
  struct Network {
    Bytes address;
    int bits;
  };
  static Result<Network> ParseNetwork(std::string_view text);
  static bool Contains(const Network& network, const Bytes& address);
  std::vector<Network> networks_;
};

// The policy of the last ConfigureHttpClients, else the default.
HttpPolicy CurrentHttpPolicy();

// Returns the path of a usable file of CA certificates. kInvalid; the message says what is wrong
// with the file.
Result<std::string> HttpCaBundle(const HttpPolicy& policy);

}  // namespace tower

#endif  // CORE_HTTP_CLIENT_POLICY_H_
