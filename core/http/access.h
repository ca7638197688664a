// Which requests are refused for the web page that they come from, before anything else about them
// is looked at.
//
// A page that a browser shows can send requests to any address that the browser's machine reaches,
// this one's loopback addresses included. Two facts give such requests away. Browsers name the page
// in Origin, and newer ones say in Sec-Fetch-Site how it is related to the address, for each
// request that is not GET or HEAD. And a page whose name is made to point to this address (DNS
// rebinding), for which the request is of its own site, has that name in Host.
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
    bool tokens = false;           // requests must show a token, which no page knows
    bool allow_anonymous = false;  // others may reach this server by its addresses
    std::string host;              // server.host
    std::vector<std::string> allowed_hosts;
  };
  explicit HttpAccess(const Options& options);

  // 421: Host is no loopback name, nor one of the options'. It is looked at where no token is asked
  // for, and where a page sends a request that may change something and shows no token: a hook asks
  // for none. With allow_anonymous any IP address will do: no name can be made to be one.
  // 403: the request may change something, and a browser says that another site sends it.
  std::optional<HttpRefusal> Check(const HttpHead& head) const;

 private:
  bool Serves(std::string_view authority) const;

  const bool tokens_, addresses_;
  std::vector<std::string> names_;  // lower case
};

// Whether `text` can be an item of server.allowed-hosts: a name or an IP address without a port.
Status CheckAllowedHost(std::string_view text);

}  // namespace tower

#endif  // CORE_HTTP_ACCESS_H_
