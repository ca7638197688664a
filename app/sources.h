// Where the values of options come from, and what is wrong with them. Flags beat environment beat
// file beat default.
#ifndef APP_SOURCES_H_
#define APP_SOURCES_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/did_you_mean.h"
#include "core/base/result.h"
#include "core/options/options.h"

namespace tower {

// One thing that is wrong with a configuration. Shown in two lines, `about: message` and `hint`.
struct ConfigError {
  std::string about;       // "server.port"
  std::string message;     // "must be a whole number, from 0 to 65535, but is "70000""
  std::string hint;        // where it was given, and where it could be; may be empty
  bool of_source = false;  // a whole source could not be read; options may lack their values
};
using ConfigErrors = std::vector<ConfigError>;

// What one source says about one option.
struct SourceValue {
  std::vector<std::string> texts;
  std::string origin;   // "--server.port", "variable CONTROL_TOWER_BROKER", "tower.toml:3"
  bool array = false;   // of the file: written as an array
  std::string written;  // of the file: the key as it stands there
};
// By name of the option ("server.port").
using SourceValues = std::map<std::string, SourceValue>;

using Environment = std::map<std::string, std::string>;
Environment ReadEnvironment();  // of this process
// Takes the variables that set options out of the environment of this process, where every program
// of the same user can read them (/proc/PID/environ). Before there are other threads.
void ForgetOurVariables();

// The names under which an option is set. Two depart from the rule: `plugin`, whose variable and
// key are PLUGINS and plugins, since plugin.NAME is a group.
std::string VariableOf(const Option& option);
std::string FileKeyOf(const Option& option);
// "--server.port, CONTROL_TOWER_SERVER_PORT, or port in [server] of the file"
std::string WaysToSet(const Option& option);

// The options' values in the environment, from NAME or from the file that NAME_FILE names (one
// newline at its end is dropped). Complains of both set, a file that can't be read, an unknown
// variable that begins with CONTROL_TOWER_ or PLUGIN_, one variable for two options. What
// Kubernetes sets for a Service of such a name is left alone.
SourceValues FromEnvironment(const std::vector<Option*>& options, const Environment& variables,
                             ConfigErrors& errors);

// Gives the option the value of the strongest source that has one; `sources` come strongest first.
// What is missing is a fault, unless it may stand in a source that could not be read.
void Apply(Option& option, const std::vector<const SourceValues*>& sources, ConfigErrors& errors);

// `a, b` to {"a", "b"}; {} for a text without anything in it.
std::vector<std::string> SplitAtCommas(std::string_view text);

}  // namespace tower

#endif  // APP_SOURCES_H_
