#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace tower {
namespace {

// Splits `--name=` into `--name` and an empty value, because CLI11 would use the next argument as
// the value.
std::vector<std::string> WithEmptyValuesApart(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (const auto& argument : arguments) {
    if (argument.size() > 3 && argument.starts_with("--") &&
        argument.find('=') == argument.size() - 1) {
      out.push_back(argument.substr(0, argument.size() - 1));
      out.emplace_back();
    } else {
      out.push_back(argument);
    }
  }
  return out;
}

CLI::Option* AddOption(CLI::App& app, const Option& option) {
  auto* flag = app.add_option(option.Flag());
  flag->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
  if (option.boolean()) {
    flag->expected(0, 1)->default_str("true");
  } else {
    flag->expected(1);
  }
  return flag;
}

// `--plugin.inbox.path=x` without the value, which could be a secret.
std::string NameOf(const std::string& argument) { return argument.substr(0, argument.find('=')); }

// Returns the first argument that is not a flag.
std::optional<std::string> ReportUnknownArguments(const std::vector<std::string>& unknown_arguments,
                                                  const std::vector<Option*>& options,
                                                  ConfigErrors& errors) {
  std::optional<std::string> argument;
  std::vector<std::string> candidates = {"--help", "--version",  "--verbose", "--connect",
                                         "--json", "--markdown", "--lines"};
  for (const auto* option : options) candidates.push_back(option->Flag());
  bool may_be_value = false;  // of the preceding unknown option
  for (const auto& stranger : unknown_arguments) {
    const bool is_flag = stranger.starts_with('-');
    if (is_flag) {
      const auto name = NameOf(stranger);
      const bool of_watcher = name.starts_with("--plugin.");
      errors.push_back({name, "unknown option" + DidYouMean(name, candidates),
                        of_watcher ? "--plugin.WATCHER.NAME sets an option of a watcher that is "
                                     "enabled with --plugin WATCHER"
                                   : ""});
    } else if (!may_be_value) {
      if (!argument) argument = stranger;
      errors.push_back({"\"" + stranger + "\"",
                        "unexpected argument" + DidYouMean(stranger, {"check", "plugins", "map"}),
                        ""});
    }
    may_be_value = is_flag && stranger.find('=') == std::string::npos;
  }
  return argument;
}

}  // namespace

std::vector<std::string> PeekOption(const std::vector<std::string>& arguments,
                                    std::string_view flag) {
  std::vector<std::string> out;
  const auto with_equals = std::string(flag) + "=";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == flag && i + 1 < arguments.size())
      out.push_back(arguments[++i]);
    else if (arguments[i].starts_with(with_equals))
      out.push_back(arguments[i].substr(with_equals.size()));
  }
  return out;
}

CommandLine ReadCommandLine(const std::vector<std::string>& arguments,
                            const std::vector<Option*>& options, ConfigErrors& errors) {
  CommandLine out;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", out.help);
  app.add_flag("--version", out.version);
  app.add_flag("--verbose", out.verbose);
  app.add_flag("--markdown", out.markdown);
  auto* check = app.add_subcommand("check")->fallthrough();
  check->add_flag("--connect", out.connect);
  auto* plugins = app.add_subcommand("plugins")->fallthrough();
  plugins->add_option("name", out.plugin);
  plugins->add_flag("--json", out.json);

  auto* map = app.add_subcommand("map")->fallthrough();
  map->add_flag("--lines", out.lines);

  std::vector<std::pair<const Option*, CLI::Option*>> flags;
  for (const auto* option : options) flags.emplace_back(option, AddOption(app, *option));

  auto reversed = WithEmptyValuesApart(arguments);
  std::reverse(reversed.begin(), reversed.end());  // the order that CLI11 expects
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ArgumentMismatch&) {  // only if the value of the last option is missing
    errors.push_back({arguments.back(), "needs a value", "", true});
  } catch (const CLI::ParseError& error) {
    errors.push_back({"command line", error.what(), "", true});
  }
  for (const auto& [option, flag] : flags) {
    if (flag->results().empty()) continue;
    out.options[option->name()] = {flag->results(), option->Flag()};
  }
  if (check->parsed()) out.command = CommandLine::Command::kCheck;
  if (map->parsed()) out.command = CommandLine::Command::kMap;
  if (plugins->parsed()) out.command = CommandLine::Command::kPlugins;
  out.topic = ReportUnknownArguments(app.remaining(true), options, out.unknown_arguments);
  if (out.help && !out.plugin.empty()) out.topic = out.plugin;
  errors.insert(errors.end(), out.unknown_arguments.begin(), out.unknown_arguments.end());
  return out;
}

}  // namespace tower
