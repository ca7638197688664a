// The Link header (RFC 8288).
#ifndef PLUGINS_POLL_LINK_H_
#define PLUGINS_POLL_LINK_H_

#include <optional>
#include <string>
#include <string_view>

namespace tower::poll {

// The first target in a header's value with the relation "next": a reference to be resolved.
std::optional<std::string> NextLink(std::string_view value);

}  // namespace tower::poll

#endif  // PLUGINS_POLL_LINK_H_
