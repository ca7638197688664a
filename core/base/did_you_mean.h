#ifndef CORE_BASE_DID_YOU_MEAN_H_
#define CORE_BASE_DID_YOU_MEAN_H_

#include <string>
#include <string_view>
#include <vector>

namespace tower {

// Returns "; did you mean X?" for the candidate that is most similar to `text`, or "" if none is
// similar enough. All candidates share their first `shared` bytes, which do not count as a
// similarity.
std::string DidYouMean(std::string_view text, const std::vector<std::string>& candidates,
                       std::size_t shared = 0);

}  // namespace tower

#endif  // CORE_BASE_DID_YOU_MEAN_H_
