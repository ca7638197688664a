#include "core/base/did_you_mean.h"

#include <algorithm>
#include <numeric>

namespace tower {
namespace {

// Levenshtein's distance: insertions, deletions and replacements from one text to the other.
std::size_t Distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

std::string DidYouMean(std::string_view text, const std::vector<std::string>& candidates,
                       std::size_t shared) {
  const std::string* best = nullptr;
  std::size_t least = std::max<std::size_t>(2, (text.size() - shared) / 4) + 1;
  for (const auto& candidate : candidates) {
    const auto distance = Distance(text, candidate);
    if (distance >= least || distance >= candidate.size()) continue;
    least = distance;
    best = &candidate;
  }
  return best == nullptr ? "" : "; did you mean " + *best + "?";
}

}  // namespace tower
