// Where the certificates are that a server's certificate is checked against.
#ifndef CORE_NET_CA_BUNDLE_H_
#define CORE_NET_CA_BUNDLE_H_

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace tower {

// `ca_file`, unless it is empty: then the file that SSL_CERT_FILE names, else the system's bundle.
// kInvalid when there is none; `option` is what the user can set instead ("amqp.ca-file"). Whether
// the file can be read is for the caller to find out.
Result<std::string> FindCaBundle(const std::string& ca_file, std::string_view option);

}  // namespace tower

#endif  // CORE_NET_CA_BUNDLE_H_
