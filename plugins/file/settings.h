// The options of a `file` watcher.
#ifndef PLUGINS_FILE_SETTINGS_H_
#define PLUGINS_FILE_SETTINGS_H_

#include <chrono>
#include <string>
#include <vector>

#include "core/options.h"

namespace tower::file {

struct Settings {
  std::vector<std::string> path;
  std::vector<std::string> pattern = {"*.json", "*.ndjson", "*.jsonl"};
  bool recursive = false;
  std::string mode = "auto";
  std::chrono::milliseconds rescan_interval{60'000};
  std::chrono::milliseconds poll_interval{5'000};
  std::chrono::milliseconds settle{1'000};
  ByteSize max_size{16ULL << 20U};
  std::string after = "keep";
  std::string done_dir = "done";
  std::string on_failure = "move";
  std::string failed_dir = "failed";

  void Declare(OptionSet& options);
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_SETTINGS_H_
