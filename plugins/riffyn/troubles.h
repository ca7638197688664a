// What is wrong with a place: an experiment, a run group, an activity, a run.
#ifndef PLUGINS_RIFFYN_TROUBLES_H_
#define PLUGINS_RIFFYN_TROUBLES_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/watch/watcher.h"

namespace tower::riffyn {

// Reports each cause once, until something else is wrong with the place or it is well again. What
// fails is tried at the next look, then after 2, 4 and at most 8 looks, so that it costs the
// others little. Used by one thread.
class Troubles {
 public:
  // Forgets those that nobody has told of for long.
  void BeginLook();
  // Whether the place is to be tried in this look.
  bool Due(const std::string& place) const;
  void Note(const std::string& place, const std::string& why, const Logger& log);
  // The same, for what is no reason to wait.
  void Remark(const std::string& place, const std::string& why, const Logger& log);
  void Clear(const std::string& place, const Logger& log);
  // What is to be tried again, where the next look is at `next` and another each `interval`.
  std::vector<WatcherNotes::Retry> Retries(WallTime next, std::chrono::milliseconds interval) const;

 private:
  struct Trouble {
    std::string why;
    int times = 0;
    std::uint64_t next_look = 0;
  };
  Trouble& Report(const std::string& place, const std::string& why, const Logger& log);

  std::uint64_t look_ = 0;
  std::map<std::string, Trouble> troubles_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_TROUBLES_H_
