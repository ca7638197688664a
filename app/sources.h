// The sources of option values, and their errors. Precedence: flags, environment, file, default.
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

// An error in a configuration. It is shown as two lines, `about: message` and `hint`.
struct ConfigError {
  std::string about;       // "server.port"
  std::string message;     // "must be a whole number, from 0 to 65535, but is "70000""
  std::string hint;        // where the value comes from, and how to set it; may be empty
  bool of_source = false;  // a whole source could not be read; options may lack their values
};
using ConfigErrors = std::vector<ConfigError>;

// The value of one option in one source.
struct SourceValue {
  std::vector<std::string> texts;
  std::string origin;   // "--server.port", "variable CONTROL_TOWER_BROKER", "tower.toml:3"
  bool array = false;   // in a file: written as an array
  std::string written;  // in a file: the key as written
};
// Keys are names of options ("server.port").
using SourceValues = std::map<std::string, SourceValue>;

using Environment = std::map<std::string, std::string>;
Environment ReadEnvironment();  // of this process
// Removes the variables that set options from the environment of this process, because every
// program of the same user can read it (/proc/PID/environ). To be called before other threads
// start.
void ForgetOurVariables();

// The variable and the key of an option. The option `plugin` is an exception: its variable is
// PLUGINS and its key is plugins, because plugin.NAME is a group.
std::string VariableOf(const Option& option);
std::string FileKeyOf(const Option& option);
// "--server.port, CONTROL_TOWER_SERVER_PORT, or port in [server] of the file"
std::string WaysToSet(const Option& option);

// Returns the values in the environment, from the variable NAME or from the file that NAME_FILE
// names (one newline at its end is dropped). Errors: both are set, the file cannot be read, an
// unknown variable begins with CONTROL_TOWER_ or PLUGIN_, two options have the same variable.
// Variables that Kubernetes sets for a Service with such a name are ignored.
SourceValues FromEnvironment(const std::vector<Option*>& options, const Environment& variables,
                             ConfigErrors& errors);

// Sets the option from the first of `sources` that has a value. A missing required value is an
// error, unless a source that could not be read may contain it.
void Apply(Option& option, const std::vector<const SourceValues*>& sources, ConfigErrors& errors);

// Splits `a, b` into {"a", "b"}; {} for a blank text.
std::vector<std::string> SplitAtCommas(std::string_view text);

}  // namespace tower

#endif  // APP_SOURCES_H_
