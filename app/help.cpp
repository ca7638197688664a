#include "app/help.h"

#include <algorithm>

#include "core/base/build_info.h"
#include "core/json/writer.h"

namespace tower {
namespace {

constexpr std::size_t kWidth = 100;

// Breaks a text into lines, each indented.
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

// The rule, where it says more than the type's name does.
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

// The options that a watcher of this kind has, under the plugin's own name.
struct Sample {
  explicit Sample(const WatcherKind& kind)
      : options("plugin." + std::string(kind.name())), watcher(kind.New(options)) {}
  OptionSet options;
  std::unique_ptr<Watcher> watcher;
};

constexpr std::string_view kUsage =
    R"(control-tower routes protocol triggers from watchers and HTTP through a durable queue to RabbitMQ.

usage: control-tower [OPTIONS]                       run
       control-tower check [--connect] [OPTIONS]     validate the configuration; connects to nothing,
                                                     or with --connect to the broker alone
       control-tower plugins [NAME] [--json | --markdown]
                                                     list the plugins, or the options of one
       control-tower map [--lines] [OPTIONS]         map the event on standard input, or with --lines
                                                     one a line, to triggers, with the map of the one
                                                     watcher that --plugin enables, or whose options
                                                     are given; what else it needs may be missing
       control-tower --version [--verbose]           this build, and the libraries in it
       control-tower --help [COMMAND | PLUGIN | --plugin NAME]
                                                     this text, or what there is to say of one
       control-tower --help --markdown               the core's options, as the table in README.md

examples:
  control-tower --broker stdout --plugin inbox=file --plugin.inbox.path inbox
  control-tower --config tower.toml --amqp.queue triggers
  control-tower map --plugin.exec.map-file map.lua < event.json
  curl -H 'content-type: application/json' http://127.0.0.1:8000/triggers \
       -d '{"apiVersion": "OT-2/v1alpha1", "protocol": "SimpleDilution", "spec": {"volume": 50}}'

Each option is a flag, an environment variable and a key of the configuration file: --server.port,
CONTROL_TOWER_SERVER_PORT, and port in [server]. Flags beat environment beat file beat default.
CONTROL_TOWER_AMQP_URL_FILE reads the value from a file, for secrets. Durations are written 500ms,
10s, 5m, 7d; sizes 64KiB, 1MiB, 1GiB.

SIGTERM and SIGINT stop it, a second one at once. SIGHUP, which a closing terminal sends too, reads
the configuration anew: watchers whose options changed are restarted, the others go on untouched; a
configuration that has a fault is refused, and the old one goes on. Of the core's options log.level
alone is applied without a restart.
)";

constexpr std::string_view kCheckUsage =
    R"(usage: control-tower check [--connect] [OPTIONS]

Reads the configuration as a run would, and names every fault of it at once: values, what does not fit
together, files and folders that are missing or may not be used. Changes nothing, and connects to
nothing.

  --connect    then connects to the broker as a run would, exchange and queue included

OPTIONS are those of a run: control-tower --help lists them. Exit codes: 0 the configuration is valid,
2 it is not, 1 the broker could not be reached.

example:
  control-tower check --config tower.toml
)";

constexpr std::string_view kPluginsUsage =
    R"(usage: control-tower plugins [NAME] [--json | --markdown]

Lists the plugins that are linked in, or the options of one of them.

  --json        for programs: names, options, defaults, rules
  --markdown    the options of one plugin, as the table in its README

example:
  control-tower plugins file
)";

constexpr std::string_view kMapUsage =
    R"(usage: control-tower map [--lines] [OPTIONS]

Maps the event on standard input to triggers, prints them, and sends nothing. The map is that of the
one watcher that is enabled, that --plugin NAME names, or whose options are given; what else the
configuration lacks does not matter.

  --lines    each line of standard input is an event

Exit codes: 0 every event was mapped, 1 one could not be, 2 the map is at fault.

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
         "NAME=" + std::string(kind.name()) + " gives a watcher another name than " +
         std::string(kind.name()) + ", and its options with it.\n" + GroupsText(sample.options);
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
