#include "app/map_command.h"

#include <algorithm>
#include <cstdint>
#include <istream>
#include <iterator>
#include <ostream>
#include <string_view>

#include "app/cli.h"
#include "core/watch/mapping.h"

namespace tower {
namespace {

constexpr std::string_view kFlagPrefix = "--plugin.";

int Refuse(const ConfigErrors& errors, std::ostream& err) {
  err << ConfigErrorsText(errors);
  return kExitUsage;
}

// The only enabled watcher, or the only one whose flags are given; null if there is not exactly
// one.
const ConfiguredWatcher* Choose(const MapRequest& request, const Setup& setup) {
  const auto& watchers = setup.watchers;
  if (watchers.size() == 1) return &watchers.front();
  if (request.named.size() != 1) return nullptr;
  const auto found = std::find_if(watchers.begin(), watchers.end(), [&](const auto& watcher) {
    return watcher.name == *request.named.begin();
  });
  return found == watchers.end() ? nullptr : &*found;
}

// "PLUGIN_IN_BOX_" for the watcher in-box.
std::string VariablePrefix(const std::string& watcher) {
  std::string out = "PLUGIN_";
  for (const char c : watcher)
    out += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return out + "_";
}

// Whether an error concerns the mapping, or may hide an error of the mapping.
bool Concerns(const ConfigError& error, const Setup& setup, const std::string& watcher) {
  std::string about = error.about;
  if (about.starts_with("plugins.")) about.erase(6, 1);  // the word used in the file
  const auto prefix = "plugin." + watcher + ".";
  if (about == prefix + "map" || about == prefix + "map-file") return true;
  if (about == "plugin" || about == "config" || error.of_source) return true;
  const auto names = [&about](const OptionSet& options) {
    return std::any_of(options.all().begin(), options.all().end(),
                       [&about](const Option& option) { return option.name() == about; });
  };
  if (names(setup.core)) return false;
  for (const auto& other : setup.watchers)
    if (names(*other.options)) return false;
  if (about.starts_with("plugin.")) return about.starts_with(prefix);
  if (about.starts_with("PLUGIN_")) return about.starts_with(VariablePrefix(watcher));
  return true;
}

std::string Which(const Setup& setup) {
  if (setup.watchers.empty()) return "enable the watcher whose mapping it is to try";
  std::vector<std::string> names;
  for (const auto& watcher : setup.watchers) names.push_back(watcher.name);
  return "several watchers are enabled: " + internal::Join(names, ", ");
}

// Maps one event. Returns whether it was mapped.
bool MapEvent(Mapping& mapping, std::string_view event, const std::string& id, std::ostream& out,
              std::ostream& err) {
  const auto triggers = mapping.Apply(event, id);
  if (!triggers) {
    err << "control-tower: " << triggers.error().message << "\n";
    return false;
  }
  if (triggers->empty()) err << "event ignored: the mapping returned nil (" << id << ")\n";
  for (const auto& trigger : *triggers) {
    std::string line(trigger.json());
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    out << line << "\n" << std::flush;
  }
  return true;
}

}  // namespace

std::set<std::string> WatchersOfFlags(const std::vector<std::string>& arguments) {
  std::set<std::string> names;
  for (const std::string_view argument : arguments) {
    if (!argument.starts_with(kFlagPrefix)) continue;
    const auto rest = argument.substr(kFlagPrefix.size());
    const auto dot = rest.substr(0, rest.find('=')).find('.');
    if (dot != std::string_view::npos) names.emplace(rest.substr(0, dot));
  }
  return names;
}

int RunMap(const MapRequest& request, const Setup& setup, const ConfigErrors& errors,
           std::istream& in, std::ostream& out, std::ostream& err) {
  const auto* const chosen = Choose(request, setup);
  ConfigErrors serious;
  for (const auto& error : errors) {
    if (Concerns(error, setup, chosen == nullptr ? "" : chosen->name)) serious.push_back(error);
  }
  if (!serious.empty()) return Refuse(serious, err);
  if (chosen == nullptr) return Refuse({{"map", Which(setup), "name one by --plugin NAME"}}, err);
  Mapping* const mapping = chosen->watcher->mapping();
  if (mapping == nullptr) {
    return Refuse({{"map", "the watcher " + chosen->name + " has no mapping", ""}}, err);
  }
  mapping->OnPrint([&err](std::string_view line) { err << line << "\n"; });
  if (const auto loaded = mapping->Load(); !loaded) {
    return Refuse({{"plugin." + chosen->name, loaded.error().message, ""}}, err);
  }

  bool fine = true;
  if (request.lines) {
    std::uint64_t number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      fine = MapEvent(*mapping, line, "line " + std::to_string(number), out, err) && fine;
    }
  } else {
    const std::string event(std::istreambuf_iterator<char>(in), {});
    fine = MapEvent(*mapping, event, "standard input", out, err);
  }
  return fine ? kExitStopped : kExitFailed;
}

}  // namespace tower
