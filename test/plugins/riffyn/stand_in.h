// A server that speaks the documented API of Riffyn Nexus, on a free port of its own, and does with
// it what a server can do wrong.
#ifndef TEST_PLUGINS_RIFFYN_STAND_IN_H_
#define TEST_PLUGINS_RIFFYN_STAND_IN_H_

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tower::riffyn {

// What there is to be asked for.
struct World {
  struct Property {
    std::string id, name;
  };
  struct Input {
    std::string id;
    std::vector<Property> properties;
  };
  struct Step {
    std::string id, name;
    std::vector<Input> inputs;
  };
  struct Use {  // of a resource, by a run
    std::string resource, input;
  };
  struct Run {
    std::string id, name, activity;
    int number = 1;
    std::vector<Use> uses;
    std::map<std::string, std::string> values;  // "input | property" -> JSON
    std::string status = "new";
    bool has_table = true;
  };
  struct Group {
    std::string id;
    std::vector<Run> runs;
  };
  struct Experiment {
    std::string id;
    std::vector<Step> activities;
    std::vector<Group> groups;
  };
  std::vector<Experiment> experiments;

  Experiment* Find(std::string_view experiment);
  Run& At(std::string_view run);  // throws where there is none
  void Erase(std::string_view run);
};

// Instead of the answer.
struct Fault {
  int status = 500;
  std::string body = "<html>sorry</html>";
  std::optional<std::string> retry_after = std::nullopt;
  bool cut = false;  // the connection ends in the middle of the body
};

// Thread-safe.
class StandIn {
 public:
  static constexpr std::string_view kKey = "the-key-of-the-lab";

  StandIn();
  ~StandIn();
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  std::string url() const;

  void Change(const std::function<void(World&)>& change);
  void SetStatus(std::string_view run, std::string_view status);

  // Members are named in camelCase from now on.
  void UseCamelCase();
  // Pages are no longer than that, whatever is asked for.
  void CapPages(std::size_t most);
  // Requests whose target contains `part` get the fault, so many times; the newest rule counts.
  void Break(std::string part, Fault fault, int times = 1 << 30);
  void Mend();
  // Requests whose target contains `part` wait until Release.
  void Hold(std::string part);
  void Release();
  // Waits until so many requests are held; false when that takes a minute.
  bool WaitUntilHeld(int count);

  // Of all requests so far, in order.
  struct Asked {
    std::string target;
    std::chrono::steady_clock::time_point at;
  };
  std::vector<Asked> asked() const;
  int CountAsked(std::string_view part) const;  // targets that contain it
  int most_in_flight() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace tower::riffyn

#endif  // TEST_PLUGINS_RIFFYN_STAND_IN_H_
