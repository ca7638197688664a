// The configuration file, in TOML.
#ifndef APP_CONFIG_FILE_H_
#define APP_CONFIG_FILE_H_

#include <string>
#include <vector>

#include "app/sources.h"

namespace tower {

// Returns all values in the file by key ("server.port"), with their line. The key of the list of
// watchers is "plugins" and the keys of their options begin with "plugin.NAME.", whichever of the
// two words the file uses. If the file cannot be read or is not TOML, adds an error and returns
// nothing.
SourceValues ReadConfigFile(const std::string& path, ConfigErrors& errors);

// Converts keys to names of options. A key without an option is an error.
SourceValues FromConfigFile(const std::vector<Option*>& options, const SourceValues& keys,
                            ConfigErrors& errors);

}  // namespace tower

#endif  // APP_CONFIG_FILE_H_
