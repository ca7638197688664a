// `control-tower map`: applies a watcher's mapping to events from standard input.
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

// Errors in the configuration are fatal only if they concern the mapping. Missing options of the
// watcher, and options of watchers that are not enabled, do not matter. Returns the exit code:
// kExitFailed if an event could not be mapped.
int RunMap(const MapRequest& request, const Setup& setup, const ConfigErrors& errors,
           std::istream& in, std::ostream& out, std::ostream& err);

}  // namespace tower

#endif  // APP_MAP_COMMAND_H_
