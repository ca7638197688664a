#include "app/help.h"

#include <algorithm>

#include "core/base/build_info.h"
#include "core/json/writer.h"

namespace tower {
namespace {

constexpr std::size_t kWidth = 100;

// Wraps a text into indented lines.
std::string Wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (column == 0 || column + 1 + word.size() > kWidth) {
      if (column != 0) out += '\n';
      out.append(indent, ' ').append(word);
      column = indent + word.size();
    } else {
      out.append(" ").append(word);
      column += 1 + word.size();
    }
  }
  return out + '\n';
}

std::string DefaultOf(const Option& option) {
  if (option.required()) return "required";
  return option.default_text().empty() ? "none" : option.default_text();
}

// The help, followed by the rule if it says more than the name of the type.
std::string Sentence(const Option& option) {
  if (option.type() == "text" && option.Rule().starts_with("text")) return option.help();
  if (option.boolean()) return option.help();
  return option.help() + " (" + option.Rule() + ")";
}

std::string OptionText(const Option& option) {
  std::string out = "  " + option.Flag();
  if (!option.boolean()) out += " " + std::string(option.type());
  if (option.list()) out += " ...";
  out += "\n" + Wrapped(Sentence(option), 6);
  return out + Wrapped(VariableOf(option) + "; default: " + DefaultOf(option), 6);
}

std::string GroupOf(const Option& option) {
  const auto dot = option.name().rfind('.');
  return dot == std::string::npos ? "general" : option.name().substr(0, dot);
}

std::string GroupsText(const OptionSet& options) {
  std::string out;
  std::string group;
  for (const auto& option : options.all()) {
    if (GroupOf(option) != group) {
      group = GroupOf(option);
      out += "\n[" + group + "]\n";
    }
    out += OptionText(option);
  }
  return out;
}

void WriteOption(JsonWriter& json, const Option& option) {
  json.BeginObject()
      .Member("name", option.name())
      .Member("flag", option.Flag())
      .Member("variable", VariableOf(option))
      .Member("type", option.type())
      .Member("default", option.default_text())
      .Member("rule", option.Rule())
      .Member("required", option.required())
      .Member("list", option.list())
      .Member("secret", option.secret())
      .Member("help", option.help())
      .EndObject();
}

// The options of a watcher of this kind, named like the plugin.
struct Sample {
  explicit Sample(const WatcherKind& kind)
      : options("plugin." + std::string(kind.name())), watcher(kind.New(options)) {}
  OptionSet options;
  std::unique_ptr<Watcher> watcher;
};

constexpr std::string_view kUsage =
    R"(control-tower routes protocol triggers from watchers and HTTP through a durable queue to RabbitMQ.

usage: control-tower [OPTIONS]                       run
       control-tower check [--connect] [OPTIONS]     validate the configuration; does not connect to
                                                     anything, except to the broker with --connect
       control-tower plugins [NAME] [--json | --markdown]
                                                     list the plugins, or the options of one
       control-tower map [--lines] [OPTIONS]         map the event on standard input to triggers, or
                                                     with --lines one event per line; the mapping is
                                                     that of the watcher that --plugin enables, or
                                                     whose options are given; others may be missing
       control-tower --version [--verbose]           show the version, or the build and its libraries
       control-tower --help [COMMAND | PLUGIN | --plugin NAME]
                                                     show this text, or the help of one of these
       control-tower --help --markdown               show the options as the table in README.md

examples:
  control-tower --broker stdout --plugin inbox=file --plugin.inbox.path inbox
  control-tower --config tower.toml --amqp.queue triggers
  control-tower map --plugin.exec.map-file map.lua < event.json
  curl -H 'content-type: application/json' http://127.0.0.1:8000/triggers \
       -d '{"apiVersion": "OT-2/v1alpha1", "protocol": "SimpleDilution", "spec": {"volume": 50}}'

Each option can be set by a flag, an environment variable and a key of the configuration file:
--server.port, CONTROL_TOWER_SERVER_PORT, and port in [server]. Flags take precedence over
variables, and variables over the file. A variable with the suffix _FILE, such as
CONTROL_TOWER_AMQP_URL_FILE, names a file that contains the value, for secrets. Durations are
written 500ms, 10s, 5m, 7d; sizes 64KiB, 1MiB, 1GiB.

SIGTERM and SIGINT stop control-tower; a second signal stops it immediately. SIGHUP, which a closing
terminal sends too, reloads the configuration: watchers whose options changed are restarted, the
others continue undisturbed. A configuration with faults is refused, and the previous one stays in
force. Of the core's options only log.level is applied without a restart.
)";

constexpr std::string_view kCheckUsage =
    R"(usage: control-tower check [--connect] [OPTIONS]

Reads the configuration as a run does, and reports all faults at once: invalid values, contradictory
options, and files and folders that are missing or not accessible. Changes nothing, and does not
connect to anything.

  --connect    also connects to the broker as a run does, including exchange and queue

OPTIONS are those of a run: control-tower --help lists them. Exit codes: 0 the configuration is valid,
2 it is not valid, 1 the connection to the broker failed.

example:
  control-tower check --config tower.toml
)";

constexpr std::string_view kPluginsUsage =
    R"(usage: control-tower plugins [NAME] [--json | --markdown]

Lists the plugins that are linked in, or the options of one of them.

  --json        prints names, options, defaults and rules as JSON
  --markdown    prints the options of one plugin as the table in its README

example:
  control-tower plugins file
)";

constexpr std::string_view kMapUsage =
    R"(usage: control-tower map [--lines] [OPTIONS]

Maps the event on standard input to triggers and prints them; sends nothing. Uses the mapping of the
only enabled watcher, of the one that --plugin NAME names, or of the one whose options are given.
Other required options may be missing.

  --lines    treats each line of standard input as an event

Exit codes: 0 all events were mapped, 1 an event could not be mapped, 2 the mapping is invalid.

examples:
  control-tower map --plugin.exec.map-file map.lua < event.json
  control-tower map --config tower.toml --plugin orders < event.json
)";

}  // namespace

std::string HelpText(const Setup& setup, WatcherKinds kinds) {
  std::string out(kUsage);
  out += GroupsText(setup.core);
  for (const auto& watcher : setup.watchers) out += GroupsText(*watcher.options);
  out += "\nplugins (their options: control-tower plugins NAME)\n" + PluginsText(kinds);
  return out;
}

std::string CommandText(CommandLine::Command command) {
  switch (command) {
    case CommandLine::Command::kCheck:
      return std::string(kCheckUsage);
    case CommandLine::Command::kPlugins:
      return std::string(kPluginsUsage);
    case CommandLine::Command::kMap:
      return std::string(kMapUsage);
    case CommandLine::Command::kRun:
      break;
  }
  return std::string(kUsage);
}

std::string WatchersText(const Setup& setup) {
  std::string out;
  for (const auto& watcher : setup.watchers) {
    out.append(watcher.name == watcher.kind->name() ? "" : watcher.name + ", of the plugin ");
    out.append(watcher.kind->name()).append(": ").append(watcher.kind->summary()).append("\n");
    out += GroupsText(*watcher.options) + "\n";
  }
  return out;
}

std::string VersionText(bool verbose) {
  const auto& build = GetBuildInfo();
  std::string out = "control-tower " + std::string(build.version) + "\n";
  if (!verbose) return out;
  out.append("commit    ").append(build.commit).append("\n");
  out.append("compiler  ").append(build.compiler).append("\n");
  out.append("build     ").append(build.build_type).append("\n\nlinked in:\n");
  for (const auto& component : build.components) {
    out.append("  ").append(component.name).append(" ").append(component.version);
    out.append(" (").append(component.licence).append("), ").append(component.origin).append("\n");
  }
  return out;
}

std::string PluginsText(WatcherKinds kinds) {
  if (kinds.empty()) return "  none\n";
  std::size_t longest = 0;
  for (const auto* kind : kinds) longest = std::max(longest, kind->name().size());
  std::string out;
  for (const auto* kind : kinds) {
    out.append("  ").append(kind->name()).append(longest + 2 - kind->name().size(), ' ');
    out.append(kind->summary()).append("\n");
  }
  return out;
}

std::string PluginText(const WatcherKind& kind) {
  const Sample sample(kind);
  return std::string(kind.name()) + ": " + std::string(kind.summary()) + "\n" +
         "A watcher of this plugin is named " + std::string(kind.name()) +
         "; --plugin NAME=" + std::string(kind.name()) +
         " and the options plugin.NAME set another name.\n" + GroupsText(sample.options);
}

std::string OptionsMarkdown(const OptionSet& options) {
  std::string out = "| option | variable | default | meaning |\n|---|---|---|---|\n";
  for (const auto& option : options.all()) {
    const auto value = option.default_text().empty() || option.required()
                           ? DefaultOf(option)
                           : "`" + option.default_text() + "`";
    out += "| `" + option.Flag() + "` | `" + VariableOf(option) + "` | " + value + " | " +
           Sentence(option) + " |\n";
  }
  return out;
}

std::string PluginMarkdown(const WatcherKind& kind) {
  return OptionsMarkdown(Sample(kind).options);
}

std::string PluginsJson(WatcherKinds kinds) {
  std::string out;
  JsonWriter json(out);
  json.BeginArray();
  for (const auto* kind : kinds) {
    const Sample sample(*kind);
    json.BeginObject().Member("name", kind->name()).Member("summary", kind->summary());
    json.Key("options").BeginArray();
    for (const auto& option : sample.options.all()) WriteOption(json, option);
    json.EndArray().EndObject();
  }
  json.EndArray();
  return out + '\n';
}

std::string ConfigErrorsText(const ConfigErrors& errors) {
  std::string out = "control-tower: ";
  out += errors.size() == 1 ? "a fault" : std::to_string(errors.size()) + " faults";
  out += " in the configuration\n";
  for (const auto& error : errors) {
    out += "  " + (error.about.empty() ? "" : error.about + ": ") + error.message + "\n";
    if (!error.hint.empty()) out += "      " + error.hint + "\n";
  }
  return out + "control-tower --help lists every option\n";
}

}  // namespace tower
