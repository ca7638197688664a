// What the tests of the plugin share: a stand-in with an experiment, and a watcher of it.
#ifndef TEST_PLUGINS_RIFFYN_LAB_H_
#define TEST_PLUGINS_RIFFYN_LAB_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test/plugins/riffyn/stand_in.h"
#include "test/support/watcher_harness.h"

namespace tower::riffyn {

using Strings = std::vector<std::string>;

inline constexpr std::string_view kArm = "OT-2/v1alpha1";
inline constexpr std::string_view kReactor = "ChiBio/v1alpha1/Reactor1";

// The experiment "exp" with the activity "act", whose inputs "arm" and "reactor" have the
// properties "vol" (Volume) and "wave" (measurement wavelength), and the run group "group" without
// runs.
class Lab {
 public:
  Lab() { AddExperiment("exp"); }

  void AddExperiment(const std::string& id) {
    server.Change([&](World& world) {
      world.experiments.push_back(
          {.id = id,
           .activities = {{"act",
                           "Serial Dilution",
                           {{"arm", {{"vol", "Volume"}, {"wave", "measurement wavelength"}}},
                            {"reactor", {{"vol", "Volume"}}}}}},
           .groups = {{.id = "group", .runs = {}}}});
    });
  }

  // A run that uses the arm, for a volume.
  static World::Run MakeRun(const std::string& id, const std::string& status = "running") {
    return {.id = id,
            .name = "run " + id,
            .activity = "act",
            .number = 3,
            .uses = {{std::string(kArm), "arm"}},
            .values = {{"arm | vol", "1.50"}},
            .status = status};
  }
  void Add(const World::Run& run, const std::string& experiment = "exp") {
    server.Change([&](World& world) { world.Find(experiment)->groups[0].runs.push_back(run); });
  }
  void AddRun(const std::string& id, const std::string& status = "running") {
    Add(MakeRun(id, status));
  }
  void AddWell(const std::string& id, const std::string& name,
               const std::string& status = "running") {
    auto run = MakeRun(id, status);
    run.name = name;
    Add(run);
  }

  // A watcher of the stand-in that runs.
  WatcherHarness& Watch(WatcherHarness::Options options = {}) {
    Make(std::move(options)).Start();
    return *watcher;
  }
  WatcherHarness& Make(WatcherHarness::Options options = {}) {
    WatcherHarness::Options all = {{"url", {server.url()}},
                                   {"api-key", {std::string(StandIn::kKey)}},
                                   {"poll-interval", {"10ms"}}};
    for (auto& option : options) all.push_back(std::move(option));
    watcher.reset();
    watcher = std::make_unique<WatcherHarness>(queue, "riffyn", all);
    return *watcher;
  }
  // As a restart of the process does.
  WatcherHarness& Restart(WatcherHarness::Options options = {}) {
    watcher.reset();
    queue.Reopen();
    return Watch(std::move(options));
  }

  // The runs of the next triggers, in order.
  Strings TakeRuns(std::size_t count) {
    Strings runs;
    for (const auto& trigger : queue.Take(count)) runs.push_back(RunOf(trigger.body));
    return runs;
  }
  // Waits until the experiments have been listed so many times more: what was there before the
  // last but one of these has been handled.
  bool Polls(int count) {
    const int before = server.CountAsked("/experiments?limit=100&offset=0");
    return Eventually(
        [&] { return server.CountAsked("/experiments?limit=100&offset=0") >= before + count; });
  }
  // Whether a few looks find nothing new.
  bool NothingMore() { return Polls(3) && queue.Empty(); }
  int Count(const std::string& text) const {
    int times = 0;
    const auto all = logs.text();
    for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++times;
    return times;
  }

  CapturedLogs logs;
  StandIn server;
  TestQueue queue;
  std::unique_ptr<WatcherHarness> watcher;

 private:
  // The first `"runId":"…"`.
  static std::string RunOf(const std::string& body) {
    constexpr std::string_view kMember = R"("runId":")";
    const auto begin = body.find(kMember);
    if (begin == std::string::npos) return body;
    const auto end = body.find('"', begin + kMember.size());
    return body.substr(begin + kMember.size(), end - begin - kMember.size());
  }
};

}  // namespace tower::riffyn

#endif  // TEST_PLUGINS_RIFFYN_LAB_H_
