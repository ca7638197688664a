// The configuration file, in TOML.
#ifndef APP_CONFIG_FILE_H_
#define APP_CONFIG_FILE_H_

#include <string>
#include <vector>

#include "app/sources.h"

namespace tower {

// Every value in the file by its key ("server.port"), with the line it stands in. The list of
// watchers is "plugins" and their options are "plugin.NAME.", whichever of the two words stands in
// the file. A file that can't be read or is not TOML is a fault, and gives nothing.
SourceValues ReadConfigFile(const std::string& path, ConfigErrors& errors);

// From keys to names of options. A key that no option has is a fault.
SourceValues FromConfigFile(const std::vector<Option*>& options, const SourceValues& keys,
                            ConfigErrors& errors);

}  // namespace tower

#endif  // APP_CONFIG_FILE_H_
