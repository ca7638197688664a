#include "app/cli.h"

#include <algorithm>
#include <ostream>
#include <set>

#include "app/command_line.h"
#include "app/config_file.h"
#include "app/map_command.h"
#include "core/http_client/client.h"

namespace tower {
namespace {

using Strings = std::vector<std::string>;

const WatcherKind* FindKind(WatcherKinds kinds, std::string_view name) {
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [name](const auto* kind) { return kind->name() == name; });
  return found == kinds.end() ? nullptr : *found;
}

std::string UnknownPlugin(WatcherKinds kinds, const std::string& name) {
  std::vector<std::string> names;
  for (const auto* kind : kinds) names.emplace_back(kind->name());
  return "there is no plugin \"" + name + "\"" + DidYouMean(name, names) +
         " (linked in: " + (names.empty() ? "none" : internal::Join(names, ", ")) + ")";
}

// The possible arguments of --help.
Strings Topics(WatcherKinds kinds) {
  Strings out = {"check", "plugins", "map"};
  for (const auto* kind : kinds) out.emplace_back(kind->name());
  return out;
}

bool IsWatcherName(std::string_view name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

// The plugin of a watcher that is listed without one: the plugin of the same name, or that from a
// source of lower precedence, such as `plugins = ["gh=webhook"]` in the file for --plugin gh.
std::string PluginOf(const std::string& name, const Strings& weaker, WatcherKinds kinds) {
  if (FindKind(kinds, name) != nullptr) return name;
  const auto found = std::find_if(weaker.begin(), weaker.end(), [&name](const auto& text) {
    return text.starts_with(name + "=");
  });
  return found == weaker.end() ? name : found->substr(name.size() + 1);
}

// Creates the watchers that `plugin` lists, and declares their options.
void AddWatchers(Setup& setup, const Strings& weaker, WatcherKinds kinds, ConfigErrors& errors) {
  for (const auto& text : setup.settings.plugins) {
    const auto equals = text.find('=');
    const auto name = text.substr(0, equals);
    const auto plugin =
        equals == std::string::npos ? PluginOf(name, weaker, kinds) : text.substr(equals + 1);
    const auto same = std::find_if(setup.watchers.begin(), setup.watchers.end(),
                                   [&name](const auto& other) { return other.name == name; });
    std::string fault;
    if (!IsWatcherName(name)) {
      fault = "a watcher's name is 1 to 64 lower case letters, digits and dashes";
    } else if (name == "http") {
      fault = "the name http is taken by the HTTP API; give the watcher another, NAME=PLUGIN";
    } else if (same != setup.watchers.end()) {
      fault = "two watchers are called " + name + "; give one another name, NAME=PLUGIN";
    } else if (FindKind(kinds, plugin) == nullptr) {
      fault = UnknownPlugin(kinds, plugin);
    }
    if (!fault.empty()) {
      errors.push_back(
          {"plugin \"" + text + "\"", fault, "set by --plugin, PLUGINS, or plugins in the file"});
      continue;
    }
    auto& watcher = setup.watchers.emplace_back();
    watcher.name = name;
    watcher.kind = FindKind(kinds, plugin);
    watcher.options = std::make_unique<OptionSet>("plugin." + name);
    watcher.watcher = watcher.kind->New(*watcher.options);
  }
}

// Sets the two options that determine which other options exist. Their errors are reported when all
// options are read. Returns the watchers that all sources list.
Strings ApplyEarly(Setup& setup, const std::vector<std::string>& arguments,
                   const Environment& environment, SourceValues& file, ConfigErrors& errors) {
  std::vector<Option*> early;
  Option* plugin = nullptr;
  Option* config = nullptr;
  for (auto* option : setup.AllOptions()) {
    if (option->name() == "plugin") plugin = option;
    if (option->name() == "config") config = option;
  }
  ConfigErrors later;
  SourceValues flags;
  for (const auto* option : {plugin, config}) {
    auto texts = PeekOption(arguments, option->Flag());
    if (!texts.empty()) flags[option->name()] = {std::move(texts), option->Flag()};
  }
  const auto variables = FromEnvironment({plugin, config}, environment, later);
  Apply(*config, {&flags, &variables}, later);
  if (!setup.settings.config.empty()) file = ReadConfigFile(setup.settings.config, errors);
  const auto keys = FromConfigFile({plugin}, file, later);
  Apply(*plugin, {&flags, &variables, &keys}, later);
  Strings listed;
  for (const auto* source : {&variables, &keys}) {
    const auto found = source->find(plugin->name());
    if (found == source->end()) continue;
    listed.insert(listed.end(), found->second.texts.begin(), found->second.texts.end());
  }
  return listed;
}

CommandLine Read(Setup& setup, const std::vector<std::string>& arguments,
                 const Environment& environment, WatcherKinds kinds, ConfigErrors& errors) {
  SourceValues file;
  const auto listed = ApplyEarly(setup, arguments, environment, file, errors);
  const bool unread = !errors.empty() && errors.back().of_source;
  AddWatchers(setup, listed, kinds, errors);
  if (setup.watchers.empty() && !arguments.empty() && arguments.front() == "map") {
    // Without --plugin, the flags of options can identify the watcher.
    const auto named = WatchersOfFlags(arguments);
    setup.settings.plugins.assign(named.begin(), named.end());
    AddWatchers(setup, listed, kinds, errors);
  }

  const auto options = setup.AllOptions();
  auto line = ReadCommandLine(arguments, options, errors);
  const auto variables = FromEnvironment(options, environment, errors);
  const auto keys = FromConfigFile(options, file, errors);
  if (unread) {  // the unreadable file may list these watchers
    std::erase_if(errors, [](const ConfigError& error) {
      return error.about.starts_with("--plugin.") || error.about.starts_with("PLUGIN_");
    });
  }
  for (auto* option : options) Apply(*option, {&line.options, &variables, &keys}, errors);
  setup.settings.Complete();
  return line;
}

// Adds the errors of the rules. Skips rules over options with invalid values, because these rules
// would see the defaults.
void ApplyRules(const OptionSet& options, bool world, ConfigErrors& errors) {
  std::set<std::string> refused;
  for (const auto& error : errors) {
    if (error.of_source) return;  // any option may lack its value
    refused.insert(error.about);
  }
  for (const auto& fault : options.Faults(std::move(refused), world)) {
    errors.push_back({options.prefix(), fault.message, ""});
  }
}

// Adds the errors that can only be found once the options have their values; with `world`, also
// those of rules about the environment.
void Examine(const Setup& setup, bool world, ConfigErrors& errors) {
  ApplyRules(setup.core, world, errors);
  for (const auto& watcher : setup.watchers) ApplyRules(*watcher.options, world, errors);
}

int Refuse(const ConfigErrors& errors, std::ostream& err) {
  err << ConfigErrorsText(errors);
  return kExitUsage;
}

int RunPlugins(const CommandLine& line, WatcherKinds kinds, std::ostream& out, std::ostream& err) {
  if (!line.plugin.empty()) {
    const auto* kind = FindKind(kinds, line.plugin);
    if (kind == nullptr) return Refuse({{"", UnknownPlugin(kinds, line.plugin), ""}}, err);
    const WatcherKinds one(&kind, 1);
    out << (line.json       ? PluginsJson(one)
            : line.markdown ? PluginMarkdown(*kind)
                            : PluginText(*kind));
  } else if (line.markdown) {
    return Refuse({{"--markdown", "needs the name of a plugin", ""}}, err);
  } else {
    out << (line.json ? PluginsJson(kinds) : PluginsText(kinds));
  }
  return kExitStopped;
}

// Runs `check` for a configuration without errors.
int RunCheck(bool connects, const Setup& setup, const ConnectHook& connect, std::ostream& out,
             std::ostream& err) {
  for (const auto& warning : setup.Warnings()) {
    err << "control-tower: warning: " << warning.message << "\n";
  }
  out << "the configuration is valid\n";
  if (!connects) return kExitStopped;
  if (const auto connected = connect(setup.settings); !connected) {
    err << "control-tower: " << connected.error().message << "\n";
    return kExitFailed;
  }
  out << "the broker answers\n";
  return kExitStopped;
}

// Prints the help for the command, the plugin or the enabled watchers on the command line.
int RunHelp(const CommandLine& line, const Setup& setup, const ConfigErrors& errors,
            WatcherKinds kinds, std::ostream& out, std::ostream& err) {
  ConfigErrors serious;
  for (const auto& error : errors) {
    const bool topic = line.topic && error.about == "\"" + *line.topic + "\"";
    const bool unknown = error.about.starts_with("plugin \"") && line.options.contains("plugin");
    if (unknown || (!topic && error.about.starts_with("-"))) serious.push_back(error);
  }
  const auto* kind = line.topic ? FindKind(kinds, *line.topic) : nullptr;
  if (line.topic && kind == nullptr) {
    serious.push_back({"--help " + *line.topic,
                       "there is neither a command nor a plugin of this name" +
                           DidYouMean(*line.topic, Topics(kinds)),
                       "control-tower --help is about all of it"});
  }
  if (!serious.empty()) return Refuse(serious, err);
  if (line.markdown) {
    out << OptionsMarkdown(setup.core);
  } else if (kind != nullptr) {
    out << PluginText(*kind);
  } else if (line.command != CommandLine::Command::kRun) {
    out << CommandText(line.command);
  } else if (line.options.contains("plugin")) {
    out << WatchersText(setup);
  } else {
    out << HelpText(setup, kinds);
  }
  return kExitStopped;
}

CliResult Dispatch(const std::vector<std::string>& arguments, const Environment& environment,
                   WatcherKinds kinds, const ConnectHook& connect, std::istream& in,
                   std::ostream& out, std::ostream& err) {
  auto setup = std::make_unique<Setup>();
  ConfigErrors errors;
  const auto line = Read(*setup, arguments, environment, kinds, errors);
  if (line.help) return {RunHelp(line, *setup, errors, kinds, out, err), nullptr};
  const bool lists = line.version || line.command == CommandLine::Command::kPlugins;
  if (lists && !line.unknown_arguments.empty())
    return {Refuse(line.unknown_arguments, err), nullptr};
  if (line.version) {
    out << VersionText(line.verbose);
    return {};
  }
  if (line.command == CommandLine::Command::kPlugins) {
    return {RunPlugins(line, kinds, out, err), nullptr};
  }
  if (line.command == CommandLine::Command::kMap) {
    const MapRequest request{WatchersOfFlags(arguments), line.lines};
    return {RunMap(request, *setup, errors, in, out, err), nullptr};
  }
  const bool check = line.command == CommandLine::Command::kCheck;
  const auto& policy = setup->settings.http_policy;
  if (CheckHttpPolicy(policy)) ConfigureHttpClients(policy);  // before watchers are checked or run
  Examine(*setup, check, errors);
  if (!errors.empty()) return {Refuse(errors, err), nullptr};
  if (check) return {RunCheck(line.connect, *setup, connect, out, err), nullptr};
  return {kExitStopped, std::move(setup)};
}

}  // namespace

Configured Configure(const std::vector<std::string>& arguments, const Environment& environment,
                     WatcherKinds kinds) {
  Configured out{std::make_unique<Setup>(), {}};
  Read(*out.setup, arguments, environment, kinds, out.errors);
  Examine(*out.setup, false, out.errors);
  return out;
}

CliResult RunCli(const std::vector<std::string>& arguments, const Environment& environment,
                 WatcherKinds kinds, const ConnectHook& connect, std::istream& in,
                 std::ostream& out, std::ostream& err) {
  auto result = Dispatch(arguments, environment, kinds, connect, in, out, err);
  if (!out.flush()) {
    err << "control-tower: standard output can't be written\n";
    return {kExitFailed, nullptr};
  }
  return result;
}

}  // namespace tower
