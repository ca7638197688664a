// `control-tower map`: tries a watcher's mapping on events from standard input.
#ifndef APP_MAP_COMMAND_H_
#define APP_MAP_COMMAND_H_

#include <iosfwd>
#include <set>
#include <string>
#include <vector>

#include "app/settings.h"
#include "app/sources.h"

namespace tower {

// The watchers that flags such as --plugin.inbox.map belong to, by name.
std::set<std::string> WatchersOfFlags(const std::vector<std::string>& arguments);

struct MapRequest {
  std::set<std::string> named;  // WatchersOfFlags
  bool lines = false;           // each line is an event
};

// What is wrong with the options keeps it from running only where it has to do with the mapping:
// neither what other options of the watcher lack, nor what others that are not enabled have in the
// file or in the environment. Returns the exit code: kExitFailed when an event was at fault.
int RunMap(const MapRequest& request, const Setup& setup, const ConfigErrors& errors,
           std::istream& in, std::ostream& out, std::ostream& err);

}  // namespace tower

#endif  // APP_MAP_COMMAND_H_
