#include "plugins/riffyn/crew.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

namespace tower::riffyn {

Result<Crew> Crew::Make(const Settings& settings, Gate& gate, const Logger& log) {
  Crew crew;
  for (std::int64_t i = 0; i < settings.concurrency; ++i) {
    auto api = Api::Make(settings, gate, log);
    if (!api) return api.error();
    crew.apis_.push_back(std::move(*api));
  }
  return crew;
}

void Crew::ForEach(std::size_t count, const std::function<void(Api&, std::size_t)>& ask) {
  std::atomic<std::size_t> next{0};
  const auto work = [&](Api& api, std::exception_ptr& thrown) noexcept {
    try {
      for (std::size_t i = next++; i < count; i = next++) ask(api, i);
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  const auto hands = std::max<std::size_t>(1, std::min(count, apis_.size()));
  std::vector<std::exception_ptr> thrown(hands);
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < hands; ++i) {
      helpers.emplace_back([&, i] { work(*apis_[i], thrown[i]); });
    }
    work(*apis_[0], thrown[0]);
  }
  for (const auto& one : thrown) {
    if (one) std::rethrow_exception(one);
  }
}

}  // namespace tower::riffyn
