// What the answers of the API say. Member names are read as snake_case and as camelCase; what is
// not needed is not looked at.
#ifndef PLUGINS_RIFFYN_ANSWERS_H_
#define PLUGINS_RIFFYN_ANSWERS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/json/json.h"

namespace tower::riffyn {

// A resource that a run uses.
struct Resource {
  std::string name;
  std::string input;  // the id of the activity's input that it is for
};

enum class RunState : std::uint8_t {
  kRunning,
  kIdle,  // new, stopped, completed
  kDeleted,
  kUnclear,  // a status that is not documented, or a run that runs and lacks what it takes to ask
};

struct Run {
  std::string id;
  std::string name;
  std::string number;  // `num`
  std::string activity;
  std::string group;
  RunState state = RunState::kUnclear;
  std::string unclear;              // why, of kUnclear
  std::vector<Resource> resources;  // those whose name is an API version
};

// One page of a list.
template <typename Item>
struct Page {
  std::vector<Item> items;
  std::size_t size = 0;  // with those that have no id, and are left out
};

// kNotFound: this is no list.
Result<Page<std::string>> ReadIds(std::string_view json);
// `group`: that of runs that do not say.
Result<Page<Run>> ReadRuns(std::string_view json, const std::string& group);

struct Property {
  std::string id;
  std::string name;
};
struct ActivityInput {
  std::string id;
  std::vector<Property> properties;
};
struct Activity {
  std::string name;
  std::vector<ActivityInput> inputs;
};
// kNotFound: this is no activity.
Result<Activity> ReadActivity(std::string_view json);

// The first row of a run's data table: column -> value, as JSON, byte for byte. No nulls.
using Row = std::map<std::string, std::string, std::less<>>;
// The name of the column with the value of a property.
std::string ColumnOf(std::string_view activity, std::string_view input, std::string_view property);
// Run -> row, of those runs that have a table. The row of an empty table is empty.
using RawData = std::map<std::string, Row, std::less<>>;
// kNotFound: this is no raw data.
Result<RawData> ReadRawData(std::string_view json);

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_ANSWERS_H_
