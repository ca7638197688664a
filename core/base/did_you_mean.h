#ifndef CORE_BASE_DID_YOU_MEAN_H_
#define CORE_BASE_DID_YOU_MEAN_H_

#include <string>
#include <string_view>
#include <vector>

namespace tower {

// "; did you mean X?" for the candidate that is nearly `text`, else "". The first `shared` bytes of
// all of them are the same, and make no name alike.
std::string DidYouMean(std::string_view text, const std::vector<std::string>& candidates,
                       std::size_t shared = 0);

}  // namespace tower

#endif  // CORE_BASE_DID_YOU_MEAN_H_
