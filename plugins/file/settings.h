// The options of a `file` watcher.
#ifndef PLUGINS_FILE_SETTINGS_H_
#define PLUGINS_FILE_SETTINGS_H_

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/options/options.h"
#include "core/watch/mapping.h"
#include "plugins/file/read/csv.h"
#include "plugins/file/read/plate_map.h"

namespace tower::file {

// Beside a refused file NAME, NAME.error says why. Files with this suffix are never taken.
inline constexpr std::string_view kErrorNoteSuffix = ".error";

struct Settings {
  std::vector<std::string> path;
  std::vector<std::string> pattern;  // empty: the default that Patterns() returns
  bool recursive = false;
  std::string marker;
  std::string marker_event = "folder";
  std::string format = "json";
  std::string csv_events = "row";
  Delimiter delimiter;
  std::string csv_numbers = "unquoted";
  std::int64_t csv_skip_lines = 0;
  PlateChoice plate;
  std::string api_version, protocol;
  std::string mode = "auto";
  std::chrono::milliseconds rescan_interval{60'000};
  std::chrono::milliseconds poll_interval{5'000};
  std::chrono::milliseconds settle{1'000};
  ByteSize max_size{16ULL << 20U};
  std::string after = "keep";
  std::string done_dir = "done";
  std::string on_failure = "move";
  std::string failed_dir = "failed";

  // Declares the options of the map as well.
  void Declare(OptionSet& options, Mapping& mapping);

  // Whether the events are folders with a marker, not files.
  bool FolderIsEvent() const { return !marker.empty() && marker_event == "folder"; }
  // Whether files wait for the marker in their folder.
  bool FilesWait() const { return !marker.empty() && marker_event == "files"; }
  const std::vector<std::string>& Patterns() const;

 private:
  void DeclareContent(OptionSet& options, Mapping& mapping);
  void DeclareDetection(OptionSet& options);
  void DeclareDisposal(OptionSet& options);

  // Rules over several options. `mapped`: there is a map.
  Status CheckFormat(bool mapped) const;
  Status CheckCsv(bool mapped) const;
  Status CheckNames(bool mapped) const;
  Status CheckMarker(bool mapped) const;
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_SETTINGS_H_
