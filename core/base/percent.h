// Percent-encoding (RFC 3986, section 2.1).
#ifndef CORE_BASE_PERCENT_H_
#define CORE_BASE_PERCENT_H_

#include <optional>
#include <string>
#include <string_view>

namespace tower {

// Nothing where an escape is malformed or stands for a zero byte, which ends names elsewhere.
std::optional<std::string> PercentDecode(std::string_view text);

}  // namespace tower

#endif  // CORE_BASE_PERCENT_H_
