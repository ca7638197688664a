#include "app/sources.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "core/base/file.h"

namespace tower {
namespace {

constexpr std::string_view kPluginPrefix = "PLUGIN_";
constexpr std::string_view kFileSuffix = "_FILE";
constexpr std::string_view kServiceHost = "_SERVICE_HOST";

void DropOneNewline(std::string& text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
}

// Whether `rest`, the part after the name of a Service, is that of a variable set by Kubernetes.
bool IsOfService(std::string_view rest, std::string_view value) {
  if (rest == kServiceHost || rest.starts_with("_SERVICE_PORT")) return true;
  constexpr std::string_view kPort = "_PORT";
  const bool of_one_port = rest.starts_with("_PORT_") && rest.find_first_of("0123456789") == 6;
  return of_one_port || (rest == kPort && value.find("://") != std::string_view::npos);
}

// The variables with our prefixes, without those that Kubernetes sets in pods for a Service named
// control-tower, control-tower-server or plugin-x, which are not options.
Environment WithoutServiceLinks(const Environment& environment) {
  std::vector<std::string_view> services;
  Environment out;
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(kVariablePrefix) && !name.starts_with("PLUGIN")) continue;
    out.emplace(name, value);
    if (name.ends_with(kServiceHost)) {
      services.push_back(std::string_view(name).substr(0, name.size() - kServiceHost.size()));
    }
  }
  std::erase_if(out, [&services](const auto& variable) {
    const std::string_view name = variable.first;
    return std::any_of(services.begin(), services.end(), [&](const auto service) {
      return name.starts_with(service) && IsOfService(name.substr(service.size()), variable.second);
    });
  });
  return out;
}

void CheckForUnknownVariables(const std::set<std::string>& known, const Environment& environment,
                              ConfigErrors& errors) {
  const std::vector<std::string> candidates(known.begin(), known.end());
  for (const auto& [name, value] : environment) {
    const bool of_watcher = name.starts_with(kPluginPrefix);
    if ((!of_watcher && !name.starts_with(kVariablePrefix)) || known.contains(name)) continue;
    const auto prefix = of_watcher ? kPluginPrefix : kVariablePrefix;
    const auto rest = name.substr(prefix.size());
    const auto hint = known.contains(rest) ? "; did you mean " + rest + "?"
                                           : DidYouMean(name, candidates, prefix.size());
    errors.push_back({name, "unknown variable" + hint,
                      of_watcher
                          ? "PLUGIN_{WATCHER}_{NAME} sets an option of a watcher that is enabled"
                          : "CONTROL_TOWER_{GROUP}_{NAME} sets the option group.name"});
  }
}

}  // namespace

Environment ReadEnvironment() {
  Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

void ForgetOurVariables() {
  std::vector<char*> ours;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (IsOurVariable(*entry)) ours.push_back(*entry);
  }
  for (char* entry : ours) {
    char* equals = std::strchr(entry, '=');
    if (equals == nullptr) continue;
    const std::string name(entry, equals);
    unsetenv(name.c_str());
    explicit_bzero(equals + 1, std::strlen(equals + 1));
  }
}

std::string VariableOf(const Option& option) {
  return option.name() == "plugin" ? "PLUGINS" : option.Variable();
}

std::string FileKeyOf(const Option& option) {
  return option.name() == "plugin" ? "plugins" : option.name();
}

std::string WaysToSet(const Option& option) {
  std::string out = option.Flag() + ", " + VariableOf(option);
  if (option.name() == "config") return out;
  const auto key = FileKeyOf(option);
  const auto dot = key.rfind('.');
  if (dot == std::string::npos) return out + ", or " + key + " in the file";
  return out + ", or " + key.substr(dot + 1) + " in [" + key.substr(0, dot) + "] of the file";
}

std::vector<std::string> SplitAtCommas(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::vector<std::string> out;
  if (text.find_first_not_of(kSpace) == std::string_view::npos) return out;
  while (true) {
    const auto comma = text.find(',');
    auto item = text.substr(0, comma);
    item.remove_prefix(std::min(item.find_first_not_of(kSpace), item.size()));
    item = item.substr(0, item.find_last_not_of(kSpace) + 1);
    out.emplace_back(item);
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

SourceValues FromEnvironment(const std::vector<Option*>& options, const Environment& variables,
                             ConfigErrors& errors) {
  const auto environment = WithoutServiceLinks(variables);
  std::set<std::string> names;
  std::set<std::string> known;
  for (const auto* option : options) {
    const auto variable = VariableOf(*option);
    if (!names.insert(variable).second) {
      errors.push_back({option->name(), "has the same variable as another option: " + variable,
                        "give the watcher another name"});
    }
  }
  SourceValues out;
  for (const auto* option : options) {
    const auto variable = VariableOf(*option);
    const auto file_variable = variable + std::string(kFileSuffix);
    // X_FILE is not the file form of X if there is an option x-file.
    const bool has_file_form = !names.contains(file_variable);
    known.insert(variable);
    if (has_file_form) known.insert(file_variable);

    const auto direct = environment.find(variable);
    const auto by_file = has_file_form ? environment.find(file_variable) : environment.end();
    const auto split = [option](const std::string& text) {
      return option->list() ? SplitAtCommas(text) : std::vector{text};
    };
    if (direct != environment.end() && by_file != environment.end()) {
      errors.push_back({option->name(), "is set twice, by " + variable + " and " + file_variable,
                        "remove one of the two variables"});
    } else if (direct != environment.end()) {
      out[option->name()] = {split(direct->second), "variable " + variable};
    } else if (by_file != environment.end()) {
      auto text = ReadFileOrPipe(by_file->second);
      if (!text) {
        errors.push_back({option->name(), text.error().message, "given by " + file_variable});
        continue;
      }
      DropOneNewline(*text);
      out[option->name()] = {split(*text), "variable " + file_variable};
    }
  }
  CheckForUnknownVariables(known, environment, errors);
  return out;
}

void Apply(Option& option, const std::vector<const SourceValues*>& sources, ConfigErrors& errors) {
  for (const auto* source : sources) {
    const auto found = source->find(option.name());
    if (found == source->end()) continue;
    const auto& given = found->second;
    const auto hint = "given by " + given.origin + "; set it by " + WaysToSet(option);
    const auto texts =
        option.commas() ? SplitAtCommas(internal::Join(given.texts, ",")) : given.texts;
    if (given.array && !option.list()) {
      errors.push_back({option.name(), "takes one value, but is an array", hint});
    } else if (const auto set = option.Set(texts); !set) {
      errors.push_back({option.name(), set.error().message, hint});
    }
    return;
  }
  const bool unread =
      std::any_of(errors.begin(), errors.end(), [](const auto& error) { return error.of_source; });
  if (option.required() && !unread) {
    errors.push_back({option.name(), "is required, and must be " + option.Rule(),
                      "set it by " + WaysToSet(option)});
  }
}

}  // namespace tower
