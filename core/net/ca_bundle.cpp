#include "core/net/ca_bundle.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

namespace tower {
namespace {

// The paths of the bundle on Debian and Alpine, Fedora, and BSD. A static OpenSSL uses another
// path, and does not report a missing file.
constexpr std::array kBundles = {"/etc/ssl/certs/ca-certificates.crt",
                                 "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

}  // namespace

Result<std::string> FindCaBundle(const std::string& ca_file, std::string_view option) {
  if (!ca_file.empty()) return ca_file;
  if (const char* file = std::getenv("SSL_CERT_FILE"); file != nullptr && *file != '\0') {
    return std::string(file);
  }
  for (const char* file : kBundles) {
    if (access(file, R_OK) == 0) return std::string(file);
  }
  return Error{
      ErrorCode::kInvalid,
      "no CA certificates: install ca-certificates, or name a file by " + std::string(option)};
}

}  // namespace tower
