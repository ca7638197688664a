#include "plugins/exec/lines.h"

#include <algorithm>
#include <utility>

namespace tower::exec {

std::vector<Line> Lines::Take(std::string_view bytes) {
  std::vector<Line> lines;
  while (!bytes.empty()) {
    const auto feed = bytes.find('\n');
    const auto piece = bytes.substr(0, feed);
    const auto room = longest_ - std::min(longest_, rest_.size());
    too_long_ = too_long_ || piece.size() > room;
    rest_ += piece.substr(0, room);
    if (feed == std::string_view::npos) return lines;
    bytes.remove_prefix(feed + 1);
    ++number_;
    if (!too_long_ && !rest_.empty() && rest_.back() == '\r') rest_.pop_back();
    Line line{number_, std::exchange(rest_, {}), std::exchange(too_long_, false)};
    if (line.text.find_first_not_of(" \t") != std::string::npos) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace tower::exec
