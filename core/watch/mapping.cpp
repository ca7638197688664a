#include "core/watch/mapping.h"

#include <algorithm>

#include "core/base/file.h"
#include "core/lua/script.h"

namespace tower {
namespace {

constexpr std::size_t kLongestName = 50;  // bytes, in errors; Lua would cut the name at 59

// Reads a whole file. Any error is kInvalid, because the user must fix it.
Result<std::string> ReadScript(const std::string& path) {
  auto file = ReadRegularFile(path);
  if (!file) return Annotate("map-file " + path, file.error());
  return std::move(file->text);
}

// Adds a hint to the error if `map` looks like a script and not like an expression.
Error WithHint(Error error, std::string_view map) {
  map.remove_prefix(std::min(map.find_first_not_of(" \t\r\n"), map.size()));
  const auto word = map.substr(0, map.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
  for (const auto* statement : {"return", "local", "if", "for", "while", "do"}) {
    if (word != statement) continue;
    error.message += "; map is one expression, without ";
    error.message.append(word).append("; a script with statements goes into a file for map-file");
    break;
  }
  return error;
}

// Removes a byte order mark and a #! line without changing line numbers.
std::string_view WithoutPreamble(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (text.starts_with('#')) text.remove_prefix(std::min(text.find('\n'), text.size()));
  return text;
}

}  // namespace

Mapping::Mapping() = default;
Mapping::~Mapping() = default;

void Mapping::Declare(OptionSet& options) {
  options.Add("map", &map_,
              "Lua expression that makes a trigger, an array of them or nil (ignored) of `event`.");
  options.Add("map-file", &map_file_, "File with a Lua script that does the same by `return`.")
      .File();
  options.Check({"map", "map-file"}, [this] { return CheckOptions(); });
  options.CheckWorld({"map", "map-file"}, [this] { return Load(); });
}

Status Mapping::CheckOptions() const {
  if (map_.empty() || map_file_.empty()) return Ok();
  return Error{ErrorCode::kInvalid, "set map or map-file, not both"};
}

Status Mapping::Load() {
  script_.reset();
  if (auto fits = CheckOptions(); !fits || !given()) return fits;
  std::string text = "return " + map_;
  std::string name = "map";
  if (map_.empty()) {
    auto file = ReadScript(map_file_);
    if (!file) return file.error();
    text = std::move(*file);
    name = map_file_.substr(map_file_.rfind('/') + 1);
    if (name.size() > kLongestName) name.replace(0, name.size() - kLongestName + 3, "...");
  }
  auto script = LuaScript::Compile(WithoutPreamble(text), name, print_);
  if (!script) return map_.empty() ? script.error() : WithHint(script.error(), map_);
  script_ = std::move(*script);
  return Ok();
}

Result<std::vector<Trigger>> Mapping::Apply(std::string_view event, std::string_view id) {
  const auto fault = [id](std::string text) {
    return Error{ErrorCode::kInvalid, text.append(" (").append(id).append(")")};
  };
  if (!script_) {
    auto triggers = ParseTriggers(event);
    if (triggers) return *std::move(triggers);
    return fault("the event is no trigger: " + Describe(triggers.error()));
  }
  auto json = script_->Run(event);
  if (!json) return fault(std::move(json.error().message));
  if (!*json) return std::vector<Trigger>();
  auto triggers = ParseTriggers(**json);
  if (triggers) return *std::move(triggers);
  return fault(script_->name() + ": what it returned is no trigger: " + Describe(triggers.error()));
}

}  // namespace tower
