// Protection against cross-site requests and DNS rebinding. It is checked before anything else in a
// request.
//
// A web page in a browser can send requests to any address that the browser's machine can reach,
// including its loopback addresses. Two headers reveal such requests. For each request other than
// GET and HEAD, browsers name the page in Origin, and newer ones state in Sec-Fetch-Site how the
// page is related to the address. A page whose own name resolves to this server's address (DNS
// rebinding) is same-site for the browser, but its requests have that name in Host.
#ifndef CORE_HTTP_ACCESS_H_
#define CORE_HTTP_ACCESS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/http/head.h"

namespace tower {

// Constant after construction; thread-safe.
class HttpAccess {
 public:
  struct Options {
    bool tokens = false;           // requests need a token, which no web page knows
    bool allow_anonymous = false;  // clients may use any IP address of this server
    std::string host;              // server.host
    std::vector<std::string> allowed_hosts;
  };
  explicit HttpAccess(const Options& options);

  // 421: Host is neither a loopback name nor one of the options. It is checked if the server has no
  // tokens, and for a request of a web page that may change something and has no token, such as a
  // request to a hook. With allow_anonymous any IP address is allowed, because DNS rebinding needs
  // a name.
  // 403: the request may change something, and the browser says that another site sends it.
  std::optional<HttpRefusal> Check(const HttpHead& head) const;

 private:
  bool Serves(std::string_view authority) const;

  const bool tokens_, addresses_;
  std::vector<std::string> names_;  // lower case
};

// Checks an item of server.allowed-hosts: a name or an IP address without a port.
Status CheckAllowedHost(std::string_view text);

}  // namespace tower

#endif  // CORE_HTTP_ACCESS_H_
