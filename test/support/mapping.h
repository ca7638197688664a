// A mapping with its options set, and short forms of what tests ask of it.
#ifndef TEST_SUPPORT_MAPPING_H_
#define TEST_SUPPORT_MAPPING_H_

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "core/watch/mapping.h"
#include "test/support/temp_dir.h"

namespace tower {

inline std::string Line(const std::string& protocol) {
  return R"({"apiVersion":"T/v1","protocol":")" + protocol + R"(","spec":{}})";
}

class TestMapping {
 public:
  struct Source {
    std::string map;
    std::string map_file;
    std::shared_ptr<TempDir> folder;
  };

  TestMapping() : TestMapping(Source{}, false) {}
  explicit TestMapping(const char* map, bool load = true)
      : TestMapping(Source{map, {}, {}}, load) {}
  explicit TestMapping(const std::string& map) : TestMapping(Source{map, {}, {}}) {}
  // Throws what Load says.
  explicit TestMapping(Source source, bool load = true) : source_(std::move(source)) {
    mapping_.Declare(options_);
    for (auto& option : options_.all()) {
      const auto& text = option.name() == "test.map" ? source_.map : source_.map_file;
      if (auto set = option.Set({text}); !set) throw std::runtime_error(set.error().message);
    }
    if (!load) return;
    if (auto loaded = mapping_.Load(); !loaded) throw std::runtime_error(loaded.error().message);
  }

  Mapping* operator->() { return &mapping_; }

  // Throws what Apply says.
  std::vector<std::string> Protocols(std::string_view event) {
    const auto triggers = mapping_.Apply(event, "test");
    if (!triggers) throw std::runtime_error(triggers.error().message);
    std::vector<std::string> protocols;
    for (const auto& trigger : *triggers) protocols.emplace_back(trigger.protocol());
    return protocols;
  }
  // Of an event that is at fault itself; "" when there is none.
  std::string Fault(std::string_view event, std::string_view id) {
    const auto triggers = mapping_.Apply(event, id);
    if (triggers) return "";
    if (triggers.error().code != ErrorCode::kInvalid) return "not kInvalid";
    return triggers.error().message;
  }
  // What the rules over the options say.
  std::string RuleFault() {
    const auto faults = options_.Faults({}, false);
    return faults.empty() ? "" : faults.front().message;
  }

  std::string Fingerprint() const { return options_.Fingerprint(); }

  // The JSON of a value that an expression makes.
  static std::string Made(const std::string& expression, std::string_view event = "{}") {
    TestMapping mapping("{apiVersion = 'T/v1', protocol = 'A', spec = {value = " + expression +
                        "}}");
    const auto triggers = mapping->Apply(event, "test");
    if (!triggers) return triggers.error().message;
    return ValueOf(triggers->front());
  }
  // What an event is once it has gone through a script.
  static std::string Through(std::string_view json) { return Made("event", json); }
  static std::string ValueOf(const Trigger& trigger) {
    auto json = std::string(trigger.json());
    const std::string before = R"({"apiVersion":"T/v1","protocol":"A","spec":{"value":)";
    if (!json.starts_with(before) || !json.ends_with("}}")) return "unexpected: " + json;
    return json.substr(before.size(), json.size() - before.size() - 2);
  }

 private:
  Source source_;
  OptionSet options_{"test"};
  Mapping mapping_;
};

// A script in a file map.lua.
inline TestMapping::Source FileOf(std::string_view script) {
  auto folder = std::make_shared<TempDir>();
  auto path = folder->Write("map.lua", std::string(script));
  return {{}, std::move(path), std::move(folder)};
}

}  // namespace tower

#endif  // TEST_SUPPORT_MAPPING_H_
