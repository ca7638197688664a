// From arguments, environment and file to a configuration, and the subcommands that end with that.
#ifndef APP_CLI_H_
#define APP_CLI_H_

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "app/help.h"
#include "app/settings.h"
#include "app/sources.h"

namespace tower {

inline constexpr int kExitStopped = 0;  // stopped as asked
inline constexpr int kExitFailed = 1;   // could not go on
inline constexpr int kExitUsage = 2;    // bad usage or configuration

// Tries the broker of a configuration that is right in itself; for `check --connect`.
using ConnectHook = std::function<Status(const Settings&)>;

struct CliResult {
  int exit_code = kExitStopped;
  std::unique_ptr<Setup> run;  // null when there is nothing left to do
};

// What arguments, environment and the files that they name say at this moment, as a run takes it.
Configured Configure(const std::vector<std::string>& arguments, const Environment& environment,
                     WatcherKinds kinds);

// `arguments` without the program's name. Help and answers go to `out`, errors to `err`; `in`
// is read by `map` alone.
CliResult RunCli(const std::vector<std::string>& arguments, const Environment& environment,
                 WatcherKinds kinds, const ConnectHook& connect, std::istream& in,
                 std::ostream& out, std::ostream& err);

}  // namespace tower

#endif  // APP_CLI_H_
