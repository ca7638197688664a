// The options of a `riffyn` watcher.
#ifndef PLUGINS_RIFFYN_SETTINGS_H_
#define PLUGINS_RIFFYN_SETTINGS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/options/options.h"

namespace tower::riffyn {

struct Settings {
  std::string url = "https://api.app.riffyn.com/v1";
  std::string api_key;
  std::vector<std::string> experiment;
  std::chrono::milliseconds poll_interval{10'000};
  std::int64_t concurrency = 1;
  std::int64_t page_size = 100;
  std::chrono::milliseconds timeout{30'000};
  ByteSize max_body{16ULL << 20U};

  void Declare(OptionSet& options);
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_SETTINGS_H_
