// Splits the command line into commands and values, without interpreting the values. Only this unit
// uses CLI11.
#ifndef APP_COMMAND_LINE_H_
#define APP_COMMAND_LINE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/sources.h"

namespace tower {

struct CommandLine {
  enum class Command { kRun, kCheck, kPlugins, kMap };
  Command command = Command::kRun;
  bool help = false;
  bool version = false;
  bool verbose = false;
  bool connect = false;              // for check
  bool json = false;                 // for plugins
  bool markdown = false;             // for plugins and help
  bool lines = false;                // for map
  std::string plugin;                // for plugins: the name of one; empty for all
  std::optional<std::string> topic;  // for help: the first argument that is not a command
  SourceValues options;
  ConfigErrors unknown_arguments;  // unknown options and arguments
};

// `arguments` does not include the program name. Adds missing values to `errors`, and unknown
// options and arguments to unknown_arguments.
CommandLine ReadCommandLine(const std::vector<std::string>& arguments,
                            const std::vector<Option*>& options, ConfigErrors& errors);

// Returns the values of one flag before all options are known; these depend on the enabled
// watchers.
std::vector<std::string> PeekOption(const std::vector<std::string>& arguments,
                                    std::string_view flag);

}  // namespace tower

#endif  // APP_COMMAND_LINE_H_
