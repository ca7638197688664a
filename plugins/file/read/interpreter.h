// Turns the content of a file into triggers: those in the file, those that the map makes of its
// events, or, without a map, those made from the columns of a CSV file. README.md documents the
// events.
#ifndef PLUGINS_FILE_READ_INTERPRETER_H_
#define PLUGINS_FILE_READ_INTERPRETER_H_

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.h"
#include "core/trigger/trigger.h"
#include "core/watch/mapping.h"
#include "plugins/file/read/refusal.h"
#include "plugins/file/settings.h"

namespace tower::file {

class Collector;
class Table;

// Used by one thread at a time.
class Interpreter {
 public:
  static constexpr std::size_t kMaxBytes = 256UL << 20U;  // of the triggers, or an event, of a file

  using Triggers = OrRefusal<std::vector<Trigger>>;

  // `settings` and `mapping`, which is loaded, outlive this object. `watcher` is the `source` in
  // the metadata of triggers that are made here.
  Interpreter(const Settings& settings, Mapping& mapping, std::string watcher)
      : settings_(settings), mapping_(mapping), watcher_(std::move(watcher)) {}

  // All triggers of a file; none if the map returns nil. kStopped: stop was requested first.
  Triggers OfFile(const std::string& path, std::string_view content, const std::stop_token& stop);
  // The triggers of an event made elsewhere. `id` names it in errors.
  Triggers OfEvent(std::string_view event, std::string_view id, const std::stop_token& stop);

 private:
  using Fault = std::optional<Refusal>;

  Fault Json(std::string_view head, std::string_view text, Collector& out);
  Fault JsonLines(std::string_view head, std::string_view text, Collector& out);
  Fault Text(std::string_view head, std::string_view text, Collector& out);
  Fault Csv(const std::string& path, std::string_view head, std::string_view text, Collector& out);
  Fault Rows(const std::string& path, std::string_view head, Table& table, Collector& out);
  Fault WholeTable(std::string_view head, Table& table, Collector& out);
  Fault Plate(const std::string& path, std::string_view head, Table& table, Collector& out);

  const Settings& settings_;
  Mapping& mapping_;
  const std::string watcher_;
  JsonTape tape_;
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_READ_INTERPRETER_H_
