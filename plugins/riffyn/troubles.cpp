#include "plugins/riffyn/troubles.h"

#include <algorithm>

namespace tower::riffyn {
namespace {

constexpr int kLongestPause = 3;       // 8 looks
constexpr std::uint64_t kForget = 64;  // looks after one that was due

}  // namespace

void Troubles::BeginLook() {
  ++look_;
  std::erase_if(troubles_,
                [&](const auto& trouble) { return trouble.second.next_look + kForget < look_; });
}

bool Troubles::Due(const std::string& place) const {
  const auto found = troubles_.find(place);
  return found == troubles_.end() || found->second.next_look <= look_;
}

Troubles::Trouble& Troubles::Report(const std::string& place, const std::string& why,
                                    const Logger& log) {
  auto& trouble = troubles_[place];
  if (trouble.why != why) log.Warn("trouble", {{"with", place}, {"error", why}});
  trouble.why = why;
  return trouble;
}

void Troubles::Note(const std::string& place, const std::string& why, const Logger& log) {
  auto& trouble = Report(place, why, log);
  trouble.next_look = look_ + (std::uint64_t{1} << std::min(trouble.times++, kLongestPause));
}

void Troubles::Remark(const std::string& place, const std::string& why, const Logger& log) {
  Report(place, why, log).next_look = look_;
}

void Troubles::Clear(const std::string& place, const Logger& log) {
  if (troubles_.erase(place) > 0) log.Info("trouble is over", {{"with", place}});
}

std::vector<WatcherNotes::Retry> Troubles::Retries(WallTime next,
                                                   std::chrono::milliseconds interval) const {
  std::vector<WatcherNotes::Retry> retries;
  for (const auto& [place, trouble] : troubles_) {
    if (trouble.next_look <= look_) continue;
    const auto looks = static_cast<std::int64_t>(trouble.next_look - look_ - 1);
    retries.push_back({place, trouble.why, next + interval * looks});
  }
  return retries;
}

}  // namespace tower::riffyn
