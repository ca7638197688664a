#include "app/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <sstream>

namespace tower {
namespace {

// What toml++ says of a fault, without the part of a value that it quotes: it may be a secret.
std::string WithoutQuotedValue(std::string_view description) {
  if (description.find("64 bits") != std::string_view::npos ||
      description.find("interpret") != std::string_view::npos) {
    return "Error while parsing a number: it can't be represented";
  }
  constexpr std::string_view kSaw = ", saw '";
  const auto saw = description.rfind(kSaw);
  const bool one = saw != std::string_view::npos && description.size() <= saw + kSaw.size() + 2;
  return std::string(one ? description : description.substr(0, saw));
}

// A text, number or boolean as an option reads it; nothing for dates and what has parts.
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

class Flattener {
 public:
  Flattener(const std::string& path, Givens& out, Complaints& complaints)
      : path_(path), out_(out), faults_(complaints) {}

  void Visit(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      if (const auto* inner = node.as_table()) {
        if (inner->empty()) out_[name + "."] = {{}, Origin(node)};
        Visit(*inner, name + ".");
      } else if (const auto* array = node.as_array()) {
        VisitArray(name, *array);
      } else {
        Keep(name, node, false, node);
      }
    }
  }

 private:
  void VisitArray(const std::string& name, const toml::array& array) {
    out_[name] = {{}, Origin(array), true};
    for (const auto& item : array) Keep(name, item, true, array);
  }

  void Keep(const std::string& name, const toml::node& node, bool array, const toml::node& whole) {
    auto text = TextOf(node);
    if (!text) {
      faults_.push_back({name, "must be a text, a number, true or false, or an array of these",
                         "given by " + Origin(node)});
      return;
    }
    auto& given = out_[name];
    given.origin = Origin(whole);
    given.array = array;
    given.texts.push_back(std::move(*text));
  }

  std::string Origin(const toml::node& node) const {
    return path_ + ":" + std::to_string(node.source().begin.line);
  }

  const std::string& path_;
  Givens& out_;
  Complaints& faults_;
};

// The first line with more dots than any key has, outside of texts and comments; 0 where there is
// none. toml++ takes a key apart by recursion, without a limit of its own.
int LineOfEndlessKey(std::string_view text) {
  constexpr int kMostDots = 64;
  int line = 1, dots = 0;
  std::string_view quotes;  // that end the text we are in
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto rest = text.substr(at);
    if (rest[0] == '\n') {
      ++line;
      dots = 0;
      if (quotes.size() == 1) quotes = {};
    } else if (!quotes.empty()) {
      if (rest[0] == '\\' && quotes[0] == '"' && !rest.substr(1).starts_with('\n')) {
        ++at;
      } else if (rest.starts_with(quotes)) {
        at += quotes.size() - 1;
        quotes = {};
      }
    } else if (rest[0] == '"' || rest[0] == '\'') {
      const bool lines = rest.starts_with("\"\"\"") || rest.starts_with("'''");
      quotes = rest.substr(0, lines ? 3 : 1);
      at += quotes.size() - 1;
    } else if (rest[0] == '#') {
      at = std::min(text.find('\n', at), text.size()) - 1;
    } else if (rest[0] == '.' && ++dots > kMostDots) {
      return line;
    }
  }
  return 0;
}

std::string HintFor(const std::string& key, const std::vector<std::string>& candidates) {
  constexpr std::string_view kGroup = "plugin.";
  const auto name = key.substr(0, key.find('.', kGroup.size()));
  const bool enabled = std::any_of(candidates.begin(), candidates.end(),
                                   [&](const auto& each) { return each.starts_with(name + "."); });
  if (!key.starts_with(kGroup) || enabled) return DidYouMean(key, candidates);
  return "; no watcher " + name.substr(kGroup.size()) +
         " is enabled: plugins in the file lists them, and --plugin or PLUGINS replaces that list";
}

}  // namespace

Givens ReadConfigFile(const std::string& path, Complaints& complaints) {
  Givens out;
  const auto text = ReadSmallFile(path);
  if (!text) {
    complaints.push_back(
        {"config", text.error().message, "set by --config or CONTROL_TOWER_CONFIG", true});
    return out;
  }
  if (const int line = LineOfEndlessKey(*text); line > 0) {
    complaints.push_back({path + ":" + std::to_string(line), "a key of too many parts", "", true});
    return out;
  }
  try {
    const auto table = toml::parse(*text, path);
    Flattener(path, out, complaints).Visit(table, "");
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    complaints.push_back({path + ":" + std::to_string(at.line) + ":" + std::to_string(at.column),
                          WithoutQuotedValue(error.description()), "", true});
  }
  return out;
}

Givens FromConfigFile(const std::vector<Option*>& options, const Givens& keys,
                      Complaints& complaints) {
  Givens out;
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
    // An empty table stands here as "server.".
    const bool group = key.ends_with('.') && std::any_of(candidates.begin(), candidates.end(),
                                                         [&key = key](const auto& name) {
                                                           return name.starts_with(key);
                                                         });
    if (group) continue;
    complaints.push_back({key.substr(0, key.find_last_not_of('.') + 1),
                          "unknown key" + HintFor(key, candidates), "given by " + given.origin});
  }
  return out;
}

}  // namespace tower
