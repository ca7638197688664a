// The CA certificates that server certificates are verified against.
#ifndef CORE_NET_CA_BUNDLE_H_
#define CORE_NET_CA_BUNDLE_H_

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace tower {

// Returns `ca_file` or, if it is empty, the file that SSL_CERT_FILE names, else the bundle of the
// system. kInvalid if there is none; the message names `option` ("amqp.ca-file"), which the user
// can set. The caller checks whether the file can be read.
Result<std::string> FindCaBundle(const std::string& ca_file, std::string_view option);

}  // namespace tower

#endif  // CORE_NET_CA_BUNDLE_H_
