#include "plugins/riffyn/answers.h"

#include <optional>
#include <utility>

#include "plugins/riffyn/names.h"

namespace tower::riffyn {
namespace {

// Values are passed on whatever their depth: the trigger's own limit decides.
constexpr JsonLimits kLimits{.depth = 1000, .record = 5};

Error NoSuchAnswer(std::string message) { return {ErrorCode::kNotFound, std::move(message)}; }

Error NoJson(const Faults& faults) {
  return NoSuchAnswer("the answer is not JSON: " + Describe(faults, 1));
}

// `activity_id` -> `activityId`.
std::string InCamelCase(std::string_view snake) {
  std::string camel;
  bool capital = false;
  for (const char c : snake) {
    if (c != '_') camel += capital ? static_cast<char>(c - 'a' + 'A') : c;
    capital = c == '_';
  }
  return camel;
}

// The member under either of its names; a null is as good as none.
std::optional<JsonValue> Member(const JsonValue& object, std::string_view snake) {
  for (const auto& name : {std::string(snake), InCamelCase(snake)}) {
    auto member = object.Find(name);
    if (member && member->type() != JsonType::kNull) return member;
  }
  return std::nullopt;
}

// The text of a string, the digits of a number; else nothing.
std::string Text(const JsonValue& object, std::string_view snake) {
  const auto member = Member(object, snake);
  if (!member) return {};
  if (member->type() == JsonType::kString) return member->String();
  return member->type() == JsonType::kNumber ? std::string(member->text()) : std::string();
}

// Calls `each` with the items of an array member.
template <typename Each>
void ForItems(const JsonValue& object, std::string_view snake, const Each& each) {
  const auto array = Member(object, snake);
  if (!array || array->type() != JsonType::kArray) return;
  for (const auto& item : *array) each(item);
}

// Calls `each` with the items of a list.
template <typename Item, typename Each>
Result<Page<Item>> ReadPage(std::string_view json, const Each& each) {
  JsonTape tape;
  const auto root = tape.Read(json, kLimits);
  if (!root) return NoJson(root.error());
  const auto data = root->Find("data");
  if (!data || data->type() != JsonType::kArray)
    return NoSuchAnswer("the answer has no list `data`");
  Page<Item> page;
  for (const auto& item : *data) {
    ++page.size;
    if (Text(item, "id").empty()) continue;
    page.items.push_back(each(item));
  }
  return page;
}

RunState StateOf(std::string_view status) {
  if (status == "running") return RunState::kRunning;
  if (status == "deleted") return RunState::kDeleted;
  for (const std::string_view idle : {"new", "stopped", "completed"}) {
    if (status == idle) return RunState::kIdle;
  }
  return RunState::kUnclear;
}

Run ReadRun(const JsonValue& item, const std::string& group) {
  Run run;
  run.id = Text(item, "id");
  run.name = Text(item, "name");
  run.number = Text(item, "num");
  run.activity = Text(item, "activity_id");
  run.group = Text(item, "group_id");
  if (run.group.empty()) run.group = group;
  const auto status = Text(item, "status");
  run.state = StateOf(status);
  if (run.state == RunState::kUnclear) run.unclear = "its status is not a known one: " + status;
  if (run.state != RunState::kRunning) return run;
  if (run.activity.empty() || run.number.empty()) {
    run.state = RunState::kUnclear;
    run.unclear = run.activity.empty() ? "it has no activity_id" : "it has no num";
  }
  ForItems(item, "inputs", [&](const JsonValue& input) {
    auto name = Text(input, "resource_name");
    if (IsApiVersion(name))
      run.resources.push_back({std::move(name), Text(input, "resource_def_id")});
  });
  return run;
}

}  // namespace

Result<Page<std::string>> ReadIds(std::string_view json) {
  return ReadPage<std::string>(json, [](const JsonValue& item) { return Text(item, "id"); });
}

Result<Page<Run>> ReadRuns(std::string_view json, const std::string& group) {
  return ReadPage<Run>(json, [&](const JsonValue& item) { return ReadRun(item, group); });
}

Result<Activity> ReadActivity(std::string_view json) {
  JsonTape tape;
  const auto root = tape.Read(json, kLimits);
  if (!root) return NoJson(root.error());
  if (Text(*root, "id").empty()) return NoSuchAnswer("the answer has no `id`");
  Activity activity;
  activity.name = Text(*root, "name");
  ForItems(*root, "inputs", [&](const JsonValue& item) {
    auto& input = activity.inputs.emplace_back();
    input.id = Text(item, "id");
    ForItems(item, "properties", [&](const JsonValue& property) {
      input.properties.push_back({Text(property, "id"), Text(property, "name")});
    });
  });
  return activity;
}

std::string ColumnOf(std::string_view activity, std::string_view input, std::string_view property) {
  std::string column(activity);
  column.append(" | input | ").append(input).append(" | ").append(property).append(" | value");
  return column;
}

Result<RawData> ReadRawData(std::string_view json) {
  JsonTape tape;
  const auto root = tape.Read(json, kLimits);
  if (!root) return NoJson(root.error());
  const auto tables = root->Find("datatables");
  if (!tables || tables->type() != JsonType::kObject) {
    return NoSuchAnswer("the answer has no object `datatables`");
  }
  RawData data;
  for (const auto& run : *tables) {
    const auto table = run.Find("datatable");
    if (!table || table->type() != JsonType::kArray) continue;
    auto& row = data[run.Name()];
    if (table->begin() == table->end()) continue;
    const JsonValue first = *table->begin();
    for (const auto& cell : first) {
      if (cell.type() != JsonType::kNull) row.emplace(cell.Name(), cell.text());
    }
  }
  return data;
}

}  // namespace tower::riffyn
