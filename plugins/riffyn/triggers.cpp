#include "plugins/riffyn/triggers.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "core/base/encode.h"
#include "core/json/json.h"

namespace tower::riffyn {
namespace {

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsOfWord(char c) {
  return IsLetter(c) || IsDigit(c) || (static_cast<unsigned char>(c) & 0x80U) != 0;
}
char ToUpper(char c) { return IsLower(c) ? static_cast<char>(c - 'a' + 'A') : c; }

Error Invalid(std::string why) { return {ErrorCode::kInvalid, std::move(why)}; }

const ActivityInput* FindInput(const Activity& activity, std::string_view id) {
  const auto found = std::find_if(activity.inputs.begin(), activity.inputs.end(),
                                  [&](const ActivityInput& input) { return input.id == id; });
  return found == activity.inputs.end() ? nullptr : &*found;
}

bool Uses(const Run& run, std::string_view api_version) {
  return std::any_of(run.resources.begin(), run.resources.end(),
                     [&](const Resource& resource) { return resource.name == api_version; });
}

// `{"measurementWavelength": 600}`: the properties of all inputs for which the run uses the
// resource.
Result<std::string> SpecOf(const Run& run, std::string_view api_version, const Activity& activity,
                           const RawData& data) {
  static const Row kNoRow;
  const auto row = data.find(run.id);
  const auto& cells = row == data.end() ? kNoRow : row->second;
  std::map<std::string, std::string> known;  // member -> value
  std::string members;
  for (const auto& resource : run.resources) {
    if (resource.name != api_version) continue;
    const auto* input = FindInput(activity, resource.input);
    if (input == nullptr) return Invalid("the activity has no input " + resource.input);
    for (const auto& property : input->properties) {
      const auto cell = cells.find(ColumnOf(run.activity, input->id, property.id));
      if (cell == cells.end()) continue;
      auto name = CamelCase(property.name);
      if (name.empty()) return Invalid("a property has no name: " + property.id);
      const auto [first, is_new] = known.emplace(name, cell->second);
      if (is_new) {
        if (!members.empty()) members += ',';
        AppendJsonString(members, name);
        members.append(":").append(cell->second);
      } else if (first->second != cell->second) {
        return Invalid("two properties with different values are named " + name);
      }
    }
  }
  return "{" + members + "}";
}

std::string OriginOf(const std::string& experiment, const Run& run) {
  std::string origin = R"({"experimentId":)";
  AppendJsonString(origin, experiment);
  AppendJsonString(origin += R"(,"activityId":)", run.activity);
  AppendJsonString(origin += R"(,"runId":)", run.id);
  return origin += '}';
}

// Appends `[a,b,…]`, or the only one of a start that is no plate.
void AppendWells(std::string& json, const Start& start, const std::vector<std::string>& wells) {
  if (!start.plate) {
    json += wells[0];
    return;
  }
  char before = '[';
  for (const auto& well : wells) (json += std::exchange(before, ',')) += well;
  json += ']';
}

Result<Trigger> Make(const std::string& experiment, const Start& start, const Activity& activity,
                     const RawData& data, std::string_view api_version) {
  std::vector<std::string> specs, origins;
  for (const auto* run : start.runs) {
    if (!Uses(*run, api_version)) {
      specs.emplace_back("null");
      origins.emplace_back("null");
      continue;
    }
    auto spec = SpecOf(*run, api_version, activity, data);
    if (!spec) return Annotate("run " + run->id, spec.error());
    specs.push_back(std::move(*spec));
    origins.push_back(OriginOf(experiment, *run));
  }
  std::string json = R"({"apiVersion":)";
  AppendJsonString(json, api_version);
  AppendJsonString(json += R"(,"protocol":)", PascalCase(activity.name));
  if (start.plate) {
    AppendJson(json += R"(,"plate":)", *start.plate);
  }
  AppendWells(json += R"(,"spec":)", start, specs);
  AppendWells(json += R"(,"metadata":{"source":"riffyn","spec":)", start, origins);
  auto trigger = Trigger::Parse(json += "}}");
  if (!trigger) return Invalid(Describe(trigger.error()));
  return std::move(*trigger);
}

}  // namespace

std::string PascalCase(std::string_view text) {
  std::string joined;
  bool begins = true;
  for (const char c : text) {
    if (IsOfWord(c)) joined += begins ? ToUpper(c) : c;
    begins = !IsOfWord(c);
  }
  return joined;
}

std::string CamelCase(std::string_view text) {
  const auto word = std::find_if(text.begin(), text.end(), IsOfWord);
  const auto run = std::find_if_not(word, text.end(), IsUpper);
  auto capitals = static_cast<std::size_t>(run - word);
  if (capitals > 1 && run != text.end() && IsLower(*run)) --capitals;
  auto joined = PascalCase(text);
  if (capitals == 0 && word != text.end()) joined[0] = *word;
  for (std::size_t i = 0; i < capitals; ++i) joined[i] = ToLower(joined[i]);
  return joined;
}

Composed Compose(const std::string& experiment, const Start& start, const Activity& activity,
                 const RawData& data) {
  Composed composed;
  std::set<std::string_view> seen;
  for (const auto* run : start.runs) {
    for (const auto& resource : run->resources) {
      if (!seen.insert(resource.name).second) continue;
      if (auto trigger = Make(experiment, start, activity, data, resource.name)) {
        composed.triggers.push_back(std::move(*trigger));
      } else {
        composed.faults.push_back(resource.name + ": " + trigger.error().message);
      }
    }
  }
  return composed;
}

std::vector<const Run*> RunsWithData(const Start& start, const Activity& activity) {
  std::vector<const Run*> runs;
  for (const auto* run : start.runs) {
    const bool needed =
        std::any_of(run->resources.begin(), run->resources.end(), [&](const Resource& resource) {
          const auto* input = FindInput(activity, resource.input);
          return input != nullptr && !input->properties.empty();
        });
    if (needed) runs.push_back(run);
  }
  return runs;
}

}  // namespace tower::riffyn
