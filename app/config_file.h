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
Givens ReadConfigFile(const std::string& path, Complaints& complaints);

// From keys to names of options. A key that no option has is a fault.
Givens FromConfigFile(const std::vector<Option*>& options, const Givens& keys,
                      Complaints& complaints);

}  // namespace tower

#endif  // APP_CONFIG_FILE_H_
