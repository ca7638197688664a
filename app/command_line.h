// The command line, split into values; what they mean is decided elsewhere. The only room that
// knows CLI11.
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
  bool connect = false;              // of check
  bool json = false;                 // of plugins
  bool markdown = false;             // of plugins and help
  bool lines = false;                // of map
  std::string plugin;                // of plugins: one of them; empty for all
  std::optional<std::string> topic;  // of help: the first argument that is no command
  SourceValues options;
  ConfigErrors unknown_arguments;  // unknown options and arguments
};

// `arguments` without the program's name. Complains of unknown_arguments and of missing values.
CommandLine ReadCommandLine(const std::vector<std::string>& arguments,
                            const std::vector<Option*>& options, ConfigErrors& errors);

// Only the values of one flag, before it is known which options there are: which watchers are
// enabled decides that.
std::vector<std::string> Glimpse(const std::vector<std::string>& arguments, std::string_view flag);

}  // namespace tower

#endif  // APP_COMMAND_LINE_H_
