// Reads the configuration from arguments, environment and file, and runs the subcommands.
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

inline constexpr int kExitStopped = 0;  // stopped on request
inline constexpr int kExitFailed = 1;   // fatal error
inline constexpr int kExitUsage = 2;    // invalid usage or configuration

// Connects to the broker of a valid configuration; for `check --connect`.
using ConnectHook = std::function<Status(const Settings&)>;

struct CliResult {
  int exit_code = kExitStopped;
  std::unique_ptr<Setup> run;  // the configuration of a run; null if there is nothing left to do
};

// Reads the current configuration from arguments, environment and files, as for a run.
Configured Configure(const std::vector<std::string>& arguments, const Environment& environment,
                     WatcherKinds kinds);

// Runs the command line `arguments`, which do not include the program name. Output goes to `out`,
// errors to `err`; only `map` reads `in`.
CliResult RunCli(const std::vector<std::string>& arguments, const Environment& environment,
                 WatcherKinds kinds, const ConnectHook& connect, std::istream& in,
                 std::ostream& out, std::ostream& err);

}  // namespace tower

#endif  // APP_CLI_H_
