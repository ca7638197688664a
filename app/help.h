// The texts that the program prints about itself.
#ifndef APP_HELP_H_
#define APP_HELP_H_

#include <span>
#include <string>

#include "app/command_line.h"
#include "app/settings.h"
#include "app/sources.h"
#include "core/watch/watcher.h"

namespace tower {

using WatcherKinds = std::span<const WatcherKind* const>;  // sorted by name

// All options of the core and of the enabled watchers, and the plugins that are linked in.
std::string HelpText(const Setup& setup, WatcherKinds kinds);
// What a command does, and its own flags.
std::string CommandText(CommandLine::Command command);
// The options of the enabled watchers alone.
std::string WatchersText(const Setup& setup);
std::string VersionText(bool verbose);

// The plugins that are linked in, as a table, or as JSON with their options.
std::string PluginsText(WatcherKinds kinds);
std::string PluginsJson(WatcherKinds kinds);
// The options of one plugin's watcher that has the plugin's name: as in HelpText, or as the table
// that stands in its README.
std::string PluginText(const WatcherKind& kind);
std::string PluginMarkdown(const WatcherKind& kind);

// Options as a table in a README.
std::string OptionsMarkdown(const OptionSet& options);

// What is shown when a configuration is refused.
std::string ConfigErrorsText(const ConfigErrors& errors);

}  // namespace tower

#endif  // APP_HELP_H_
