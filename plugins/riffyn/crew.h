// Asks several things at a time, each thread with a connection of its own.
#ifndef PLUGINS_RIFFYN_CREW_H_
#define PLUGINS_RIFFYN_CREW_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/result.h"
#include "plugins/riffyn/api.h"

namespace tower::riffyn {

class Crew {
 public:
  // `settings.concurrency` of them. All must outlive the crew.
  static Result<Crew> Make(const Settings& settings, Gate& gate, const Logger& log);

  Api& first() noexcept { return *apis_[0]; }
  std::size_t size() const noexcept { return apis_.size(); }

  // Calls `ask` for each number below `count`, once, and returns when all calls have returned: a
  // crew of one calls from this thread. Throws what a call threw.
  void ForEach(std::size_t count, const std::function<void(Api&, std::size_t)>& ask);

 private:
  std::vector<std::unique_ptr<Api>> apis_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_CREW_H_
