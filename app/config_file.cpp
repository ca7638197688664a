#include "app/config_file.h"

#include <algorithm>
#include <optional>
#include <sstream>
#include <variant>

#include "app/toml.h"
#include "core/base/file.h"

namespace tower {
namespace {

// The text of a string, number or boolean; nullopt for dates, arrays and tables.
std::optional<std::string> TextOf(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* boolean = node.as_boolean()) return boolean->get() ? "true" : "false";
  if (const auto* real = node.as_floating_point()) {
    std::ostringstream out;
    out << *real;
    return out.str();
  }
  return std::nullopt;
}

// The two words for the list of watchers and for their options, which are interchangeable.
bool IsPluginWord(std::string_view key) { return key == "plugin" || key == "plugins"; }

class Flattener {
 public:
  Flattener(const std::string& path, SourceValues& out, ConfigErrors& errors)
      : path_(path), out_(out), faults_(errors) {}

  void Visit(const toml::table& table) { Visit(table, "", ""); }

 private:
  // `prefix` is the prefix of option names, `written` the key as in the file.
  void Visit(const toml::table& table, const std::string& prefix, const std::string& written) {
    for (const auto& [key, node] : table) {
      const auto* inner = node.as_table();
      const bool watchers = prefix.empty() && IsPluginWord(key.str());
      const auto name = prefix + (!watchers          ? std::string(key.str())
                                  : inner != nullptr ? "plugin"
                                                     : "plugins");
      const auto as_written = written + std::string(key.str());
      if (inner == nullptr) {
        Take(name, as_written, node);
      } else if (inner->empty()) {
        out_[name + "."] = {{}, Origin(node), false, as_written};
      } else {
        Visit(*inner, name + ".", as_written + ".");
      }
    }
  }

  void Take(const std::string& name, const std::string& written, const toml::node& node) {
    SourceValue given{{}, Origin(node), node.is_array(), written};
    const auto add = [&](const toml::node& item) {
      auto text = TextOf(item);
      if (text) return given.texts.push_back(*std::move(text));
      faults_.push_back({name, "must be a text, a number, true or false, or an array of these",
                         "given by " + Origin(item)});
    };
    if (const auto* array = node.as_array()) {
      for (const auto& item : *array) add(item);
      if (given.texts.size() < array->size()) return;
    } else {
      add(node);
      if (given.texts.empty()) return;
    }
    const auto [first, fresh] = out_.try_emplace(name, given);
    if (fresh) return;
    faults_.push_back({name, "is given twice, as " + first->second.written + " and as " + written,
                       "given by " + first->second.origin + " and by " + given.origin});
  }

  std::string Origin(const toml::node& node) const {
    return path_ + ":" + std::to_string(node.source().begin.line);
  }

  const std::string& path_;
  SourceValues& out_;
  ConfigErrors& faults_;
};

// The hint for an unknown key. `candidates` are the known keys.
std::string HintFor(const std::string& key, const std::vector<std::string>& candidates) {
  constexpr std::string_view kGroup = "plugin.";
  const auto last = key.substr(key.rfind('.') + 1);
  if (IsPluginWord(last)) return "; put the list of watchers above the first [table]";
  const auto name = key.substr(0, key.find('.', kGroup.size()));
  const bool enabled = std::any_of(candidates.begin(), candidates.end(),
                                   [&](const auto& each) { return each.starts_with(name + "."); });
  if (!key.starts_with(kGroup) || enabled) return DidYouMean(key, candidates);
  return "; no watcher " + name.substr(kGroup.size()) +
         " is enabled: plugins in the file lists them, and --plugin or PLUGINS replaces that list";
}

// TOML does not allow a list and tables of the same name. This hint says that both words can be
// used.
std::string HintFor(const TomlFault& fault, std::string_view text) {
  for (std::size_t line = 1; line < fault.line; ++line) text.remove_prefix(text.find('\n') + 1);
  text = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.find_first_not_of(" \t["), text.size()));
  const auto word = std::string(text.substr(0, text.find_first_of(". \t=]")));
  const bool clash = fault.what.find("redefine existing") != std::string::npos;
  if (!clash || !IsPluginWord(word)) return "";
  const bool plural = word == "plugins";
  return word + " is the list of watchers already: call the list " +
         (plural ? "plugin" : "plugins") + ", or this table [" + (plural ? "plugin" : "plugins") +
         ".NAME]";
}

}  // namespace

SourceValues ReadConfigFile(const std::string& path, ConfigErrors& errors) {
  SourceValues out;
  const auto text = ReadFileOrPipe(path);
  if (!text) {
    errors.push_back(
        {"config", text.error().message, "set by --config or CONTROL_TOWER_CONFIG", true});
    return out;
  }
  const auto read = ParseToml(*text);
  if (const auto* fault = std::get_if<TomlFault>(&read)) {
    errors.push_back(
        {path + ":" + std::to_string(fault->line) + ":" + std::to_string(fault->column),
         fault->what, HintFor(*fault, *text), true});
  } else {
    Flattener(path, out, errors).Visit(std::get<toml::table>(read));
  }
  return out;
}

SourceValues FromConfigFile(const std::vector<Option*>& options, const SourceValues& keys,
                            ConfigErrors& errors) {
  SourceValues out;
  std::vector<std::string> candidates;
  for (const auto* option : options) {
    if (option->name() != "config") candidates.push_back(FileKeyOf(*option));
  }
  for (const auto& [key, given] : keys) {
    const auto known = std::find_if(options.begin(), options.end(), [&key = key](const Option* o) {
      return FileKeyOf(*o) == key && key != "config";
    });
    if (known != options.end()) {
      out[(*known)->name()] = given;
      continue;
    }
    // An empty table has a key such as "server.".
    const bool group = key.ends_with('.') && std::any_of(candidates.begin(), candidates.end(),
                                                         [&key = key](const auto& name) {
                                                           return name.starts_with(key);
                                                         });
    if (group) continue;
    errors.push_back(
        {given.written,
         "unknown key" + HintFor(key.substr(0, key.find_last_not_of('.') + 1), candidates),
         "given by " + given.origin});
  }
  return out;
}

}  // namespace tower
