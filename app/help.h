// Help texts, and the texts for --version and for configuration errors.
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

// Usage, all options of the core and of the enabled watchers, and the list of plugins.
std::string HelpText(const Setup& setup, WatcherKinds kinds);
// The help of a command.
std::string CommandText(CommandLine::Command command);
// The options of the enabled watchers only.
std::string WatchersText(const Setup& setup);
std::string VersionText(bool verbose);

// The list of plugins, as a table, or as JSON with their options.
std::string PluginsText(WatcherKinds kinds);
std::string PluginsJson(WatcherKinds kinds);
// The options of a watcher with the same name as its plugin: as in HelpText, or as the table in the
// plugin's README.
std::string PluginText(const WatcherKind& kind);
std::string PluginMarkdown(const WatcherKind& kind);

// The table of options in a README.
std::string OptionsMarkdown(const OptionSet& options);

// The message for an invalid configuration.
std::string ConfigErrorsText(const ConfigErrors& errors);

}  // namespace tower

#endif  // APP_HELP_H_
