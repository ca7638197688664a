// Percent-encoding (RFC 3986, section 2.1).
#ifndef PLUGINS_RIFFYN_ESCAPE_H_
#define PLUGINS_RIFFYN_ESCAPE_H_

#include <optional>
#include <string>
#include <string_view>

namespace tower::riffyn {

// All but unreserved characters; and all of `.` and `..`, which mean something else in a path.
std::string Escape(std::string_view text);
// Nothing where the text is not what Escape makes.
std::optional<std::string> Unescape(std::string_view text);

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_ESCAPE_H_
