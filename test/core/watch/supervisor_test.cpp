#include "core/watch/supervisor.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <functional>
#include <mutex>
#include <sstream>
#include <stdexcept>

#include "core/queue/queue.h"
#include "test/support/fault_vfs.h"
#include "test/support/temp_dir.h"
#include "test/support/watcher_harness.h"

namespace tower {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

using Script = std::function<Status(WatcherContext&, const std::stop_token&, int run)>;

class ScriptedWatcher final : public Watcher {
 public:
  explicit ScriptedWatcher(Script script, bool connects = false)
      : script_(std::move(script)), connects_(connects) {}
  Status Run(WatcherContext& tower, std::stop_token stop) override {
    return script_(tower, stop, ++runs_);
  }
  bool ServesHook() const override { return true; }
  bool Connects() const override { return connects_; }

 private:
  const Script script_;
  const bool connects_;
  int runs_ = 0;
};

Status UntilStopped(const std::stop_token& stop) {
  while (WatcherContext::Sleep(1h, stop)) {
  }
  return Ok();
}

struct Fixture {
  TestQueue queue;
  Hooks hooks;
  CapturedLogs logs;
  SupervisorOptions options{.backoff_min = 1ms, .backoff_max = 4ms};
  std::function<void(const WatcherStatus&)> on_failure;
  std::unique_ptr<Supervisor> supervisor;

  Supervisor& Make() {
    supervisor =
        std::make_unique<Supervisor>(*queue, hooks, options, Logger(), queue.metrics(), on_failure);
    return *supervisor;
  }
  void Add(const std::string& name, Script script, bool connects = false) {
    if (!supervisor) Make();
    supervisor->Add(name, "scripted",
                    std::make_unique<ScriptedWatcher>(std::move(script), connects));
  }
  WatcherStatus Of(std::size_t index) const { return supervisor->States().at(index); }
  bool Reaches(std::size_t index, WatcherState state) const {
    return Eventually([&] { return Of(index).state == state; });
  }
  std::string MetricLine(const std::string& name) {
    const auto text = queue.metrics().Render();
    const auto at = text.find("\ncontrol_tower_" + name);
    return at == std::string::npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  }
};

TEST_CASE("a watcher goes from starting through running to stopped", "[supervisor]") {
  Fixture f;
  f.Add("inbox",
        [](WatcherContext&, const std::stop_token& stop, int) { return UntilStopped(stop); });
  CHECK(f.Of(0).state == WatcherState::kStarting);
  CHECK(f.Of(0).name == "inbox");
  CHECK(f.Of(0).plugin == "scripted");
  f.supervisor->Start();
  CHECK(f.Reaches(0, WatcherState::kRunning));
  CHECK(f.MetricLine("watcher_up{") ==
        R"(control_tower_watcher_up{plugin="scripted",watcher="inbox"} 1)");
  f.supervisor->Stop();
  f.supervisor->Stop();
  CHECK(f.Of(0).state == WatcherState::kStopped);
  CHECK(f.Of(0).last_error.empty());
  CHECK(f.Of(0).restarts == 0);
  CHECK(f.MetricLine("watcher_up{").ends_with("} 0"));
}

TEST_CASE("a fault of the queue's disk is no fault of the watcher: it goes on once the disk does",
          "[supervisor]") {
  const CapturedLogs logs;
  const TempDir folder;
  FaultDisk disk(folder.path());
  Metrics metrics;
  auto queue = TriggerQueue::Open({.path = folder / "queue.db"}, {}, metrics).value();
  Hooks hooks;
  const auto trigger = *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{}})");
  Supervisor supervisor(*queue, hooks, {.backoff_min = 1ms, .backoff_max = 4ms}, Logger(), metrics,
                        nullptr);
  supervisor.Add("inbox", "scripted",
                 std::make_unique<ScriptedWatcher>(
                     [&trigger](WatcherContext& tower, const std::stop_token& stop, int) -> Status {
                       while (!stop.stop_requested()) {
                         if (auto put = tower.queue.Put(trigger); !put) return put.error();
                         WatcherContext::Sleep(1ms, stop);
                       }
                       return Ok();
                     }));
  supervisor.Start();
  const auto state = [&] { return supervisor.States().at(0); };
  const auto taken = [&] { return queue->Stats().depth; };
  CHECK(Eventually([&] { return taken() > 0; }));
  disk.Fail({.op = FaultDisk::Op::kWrite, .fault = FaultDisk::Fault::kIoError, .lasting = true});
  CHECK(Eventually([&] { return state().restarts > 3; }));
  CHECK(state().state != WatcherState::kFailed);
  CHECK_THAT(state().last_error, ContainsSubstring(folder / "queue.db"));
  disk.Heal();
  const auto before = taken();
  CHECK(Eventually([&] { return taken() > before + 3; }));
  CHECK(Eventually([&] { return state().state == WatcherState::kRunning; }));
  supervisor.Stop();
}

TEST_CASE("a watcher that connects is starting until it reports a success", "[supervisor]") {
  std::atomic<int> tries = 0, answers = 0;
  Fixture f;
  f.Add(
      "lab",
      [&](WatcherContext& tower, const std::stop_token& stop, int run) -> Status {
        tries = run;
        Eventually([&] { return answers >= run || stop.stop_requested(); });
        if (run == 2) return Error{ErrorCode::kUnavailable, "no answer"};
        tower.ReportSuccess();
        Eventually([&] { return answers > run || stop.stop_requested(); });
        if (run < 3) return Error{ErrorCode::kUnavailable, "hung up"};
        return UntilStopped(stop);
      },
      true);
  const auto starting = [&](int run) {
    CHECK(Eventually([&] { return tries == run; }));
    CHECK(f.Reaches(0, WatcherState::kStarting));
    CHECK(f.MetricLine("watcher_up{").ends_with("} 0"));
  };
  f.supervisor->Start();
  starting(1);
  answers = 1;
  CHECK(f.Reaches(0, WatcherState::kRunning));
  CHECK(f.MetricLine("watcher_up{").ends_with("} 1"));
  answers = 2;  // hangs up; the next try is refused
  CHECK(Eventually([&] { return tries == 3; }));
  starting(3);
  CHECK(f.Of(0).last_error == "no answer");
  answers = 3;
  CHECK(f.Reaches(0, WatcherState::kRunning));
  CHECK(f.Of(0).last_error.empty());
}

TEST_CASE("a watcher that fails runs again, on the same object", "[supervisor]") {
  std::atomic<int> runs = 0;
  Fixture f;
  f.Add("inbox", [&](WatcherContext&, const std::stop_token& stop, int run) -> Status {
    runs = run;
    if (run < 4) return Error{ErrorCode::kUnavailable, "the share is away"};
    return UntilStopped(stop);
  });
  f.supervisor->Start();
  CHECK(Eventually([&] { return runs == 4; }));
  CHECK(f.Reaches(0, WatcherState::kRunning));
  CHECK(f.Of(0).restarts == 3);
  CHECK(f.Of(0).last_error == "the share is away");
  CHECK(f.MetricLine("watcher_restarts_total{").ends_with("} 3"));
  CHECK_THAT(f.logs.text(), ContainsSubstring("the share is away"));
}

TEST_CASE("a watcher that waits to run again says so, and stops at once", "[supervisor]") {
  Fixture f;
  f.options = {.backoff_min = 1h, .backoff_max = 1h};
  f.Add("inbox", [](WatcherContext&, const std::stop_token&, int) -> Status {
    return Error{ErrorCode::kUnavailable, "the share is away"};
  });
  f.supervisor->Start();
  CHECK(f.Reaches(0, WatcherState::kBackingOff));
  CHECK(f.Of(0).last_error == "the share is away");
  f.supervisor->Stop();
  CHECK(f.Of(0).state == WatcherState::kStopped);
}

TEST_CASE("a fault that lasts is a warning once, until something changes", "[supervisor]") {
  Fixture f;
  std::atomic<int> ran = 0;
  f.Add("inbox", [&](WatcherContext& tower, const std::stop_token& stop, int run) -> Status {
    ran = run;
    if (run == 6) tower.ReportSuccess();
    if (run <= 8) return Error{ErrorCode::kUnavailable, run < 4 ? "no disk" : "no network"};
    return UntilStopped(stop);
  });
  f.supervisor->Start();
  REQUIRE(Eventually([&] { return ran == 9; }));
  f.supervisor->Stop();
  std::string levels;
  std::istringstream lines(f.logs.text());
  for (std::string line; std::getline(lines, line);) {
    if (line.find("watcher backs off") == std::string::npos) continue;
    CHECK_THAT(line, ContainsSubstring("\"error\":\"no "));
    levels += line.find("\"level\":\"warn\"") != std::string::npos ? 'w' : 'i';
  }
  CHECK(levels == "wiiwiwii");
}

TEST_CASE("an exception is a failure like others", "[supervisor]") {
  std::atomic<int> runs = 0;
  Fixture f;
  f.Add("inbox", [&](WatcherContext&, const std::stop_token& stop, int run) -> Status {
    runs = run;
    if (run == 1) throw std::runtime_error("bad luck");
    if (run == 2) throw 3;
    return UntilStopped(stop);
  });
  f.supervisor->Start();
  CHECK(Eventually([&] { return runs == 3; }));
  CHECK_THAT(f.logs.text(), ContainsSubstring("exception: bad luck"));
  CHECK_THAT(f.logs.text(), ContainsSubstring("exception of an unknown type"));
}

TEST_CASE("a watcher that returns unasked runs again", "[supervisor]") {
  std::atomic<int> runs = 0;
  Fixture f;
  f.Add("inbox", [&](WatcherContext&, const std::stop_token& stop, int run) -> Status {
    runs = run;
    return run == 1 ? Ok() : UntilStopped(stop);
  });
  f.supervisor->Start();
  CHECK(Eventually([&] { return runs == 2; }));
  CHECK_THAT(f.Of(0).last_error, ContainsSubstring("without a stop request"));
}

TEST_CASE("a permanent error ends one watcher and leaves the others alone", "[supervisor]") {
  const auto code = GENERATE(ErrorCode::kPermanent, ErrorCode::kInvalid);
  std::atomic<int> failures = 0;
  Fixture f;
  f.on_failure = [&](const WatcherStatus&) { ++failures; };
  f.Add("broken", [&](WatcherContext&, const std::stop_token&, int) -> Status {
    return Error{code, "the password is wrong"};
  });
  f.Add("fine",
        [](WatcherContext&, const std::stop_token& stop, int) { return UntilStopped(stop); });
  f.supervisor->Start();
  CHECK(f.Reaches(0, WatcherState::kFailed));
  CHECK(f.Reaches(1, WatcherState::kRunning));
  CHECK(f.Of(0).last_error == "the password is wrong");
  CHECK(f.Of(0).restarts == 0);
  f.supervisor->Stop();
  CHECK(f.Of(0).state == WatcherState::kFailed);
  CHECK(f.Of(1).state == WatcherState::kStopped);
  CHECK(failures == 0);
}

TEST_CASE("a failure for good is handed on where it should end the process", "[supervisor]") {
  std::mutex mutex;
  std::vector<std::string> failed;
  Fixture f;
  f.options.exit_on_failure = true;
  f.on_failure = [&](const WatcherStatus& status) {
    const std::lock_guard lock(mutex);
    failed.push_back(status.name + ": " + status.last_error);
  };
  f.Add("broken", [](WatcherContext&, const std::stop_token&, int) -> Status {
    return Error{ErrorCode::kPermanent, "the password is wrong"};
  });
  f.supervisor->Start();
  CHECK(f.Reaches(0, WatcherState::kFailed));
  f.supervisor->Stop();
  CHECK(failed == std::vector<std::string>{"broken: the password is wrong"});
}

// The delays of the log, in order.
std::vector<int> Delays(const std::string& log) {
  std::vector<int> delays;
  for (auto at = log.find("delay_ms"); at != std::string::npos; at = log.find("delay_ms", at + 1)) {
    delays.push_back(std::stoi(log.substr(log.find_first_of("0123456789", at))));
  }
  return delays;
}

TEST_CASE("the backoff doubles up to its limit, with jitter", "[supervisor]") {
  std::atomic<int> runs = 0;
  Fixture f;
  f.options = {.backoff_min = 10ms, .backoff_max = 40ms};
  f.Add("inbox", [&](WatcherContext&, const std::stop_token&, int run) -> Status {
    runs = run;
    return Error{ErrorCode::kUnavailable, "away"};
  });
  f.supervisor->Start();
  CHECK(Eventually([&] { return runs >= 6; }));
  f.supervisor->Stop();
  const auto delays = Delays(f.logs.text());
  REQUIRE(delays.size() >= 5);
  const std::array<int, 5> full = {10, 20, 40, 40, 40};
  for (std::size_t i = 0; i < full.size(); ++i) {
    INFO(i);
    CHECK(delays[i] >= full[i] / 2);
    CHECK(delays[i] <= full[i]);
  }
}

TEST_CASE("a success begins the backoff afresh and takes the error back", "[supervisor]") {
  const bool by_put = GENERATE(true, false);
  std::atomic<int> runs = 0;
  Fixture f;
  f.options = {.backoff_min = 10ms, .backoff_max = 640ms};
  f.Add("inbox", [&](WatcherContext& tower, const std::stop_token& stop, int run) -> Status {
    runs = run;
    if (run == 5) return UntilStopped(stop);
    if (run == 4) {
      if (!by_put) tower.ReportSuccess();
      const auto trigger =
          *Trigger::Parse(R"({"apiVersion":"OT-2/v1alpha1","protocol":"P","spec":{}})");
      if (by_put && !tower.queue.Put(trigger)) return Error{ErrorCode::kPermanent, "put failed"};
    }
    return Error{ErrorCode::kUnavailable, "away"};
  });
  f.supervisor->Start();
  CHECK(Eventually([&] { return runs == 5; }));
  f.supervisor->Stop();
  const auto delays = Delays(f.logs.text());
  REQUIRE(delays.size() == 4);
  CHECK(delays[2] >= 20);
  CHECK(delays[3] <= 10);
  CHECK_FALSE(f.MetricLine("watcher_last_success_timestamp_seconds{").ends_with("} 0"));
  CHECK(f.MetricLine("triggers_accepted_total{") ==
        std::string(R"(control_tower_triggers_accepted_total{source="inbox"} )") +
            (by_put ? "1" : "0"));
}

TEST_CASE("a success while running takes the last error back", "[supervisor]") {
  std::atomic<bool> go = false;
  Fixture f;
  f.Add("inbox", [&](WatcherContext& tower, const std::stop_token& stop, int run) -> Status {
    if (run == 1) return Error{ErrorCode::kUnavailable, "away"};
    while (!go && WatcherContext::Sleep(1ms, stop)) {
    }
    tower.ReportSuccess();
    return UntilStopped(stop);
  });
  f.supervisor->Start();
  CHECK(Eventually([&] { return f.Of(0).restarts == 1; }));
  CHECK(f.Of(0).last_error == "away");
  go = true;
  CHECK(Eventually([&] { return f.Of(0).last_error.empty(); }));
}

TEST_CASE("refused events are counted, and threads carry the watchers' names", "[supervisor]") {
  std::array<char, 16> name{};
  Fixture f;
  f.Add("a-name-that-is-long", [&](WatcherContext& tower, const std::stop_token& stop, int) {
    pthread_getname_np(pthread_self(), name.data(), name.size());
    tower.notes.Reject("no trigger");
    return UntilStopped(stop);
  });
  f.supervisor->Start();
  CHECK(Eventually([&] { return f.MetricLine("triggers_rejected_total{").ends_with(" 1"); }));
  CHECK_THAT(f.MetricLine("triggers_rejected_total{"),
             ContainsSubstring(R"(reason="invalid",source="a-name-that-is-long")"));
  f.supervisor->Stop();
  CHECK(std::string(name.data()) == "a-name-that-is-");
}

TEST_CASE("a watcher's state tells what it took and rejected, and what comes next",
          "[supervisor]") {
  Fixture f;
  f.options = {.backoff_min = 1h, .backoff_max = 1h};
  const auto trigger = Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{}})");
  REQUIRE(trigger);
  const auto began = WallNow();
  std::atomic<bool> fails = false;
  f.Add("inbox", [&](WatcherContext& tower, const std::stop_token& stop, int) -> Status {
    if (auto put = tower.queue.Put(*trigger, {.key = "1"}); !put) return put;
    if (auto put = tower.queue.Put(*trigger, {.key = "1"}); !put) return put;  // a repeat
    const CheckpointChange remember{"a", "b"};
    if (auto put = tower.queue.Put(std::span<const Trigger>(), {.remember = {&remember, 1}});
        !put) {
      return put;
    }
    tower.notes.Reject("b.json: " + std::string(5000, 'x'));
    tower.notes.NextFire(began + 1h);
    tower.notes.Retrying(std::vector<WatcherNotes::Retry>(1000, {"c.json", "away", began + 2h}));
    while (!fails && WatcherContext::Sleep(1ms, stop)) {
    }
    return Error{ErrorCode::kUnavailable, "the share is away"};
  });
  CHECK_FALSE(f.Of(0).notes.last_event);
  CHECK_FALSE(f.Of(0).notes.last_rejection);
  f.supervisor->Start();
  REQUIRE(Eventually([&] { return !f.Of(0).notes.retries.empty(); }));
  const auto running = f.Of(0);
  CHECK(running.notes.taken == 1);
  CHECK(running.notes.rejected == 1);
  REQUIRE(running.notes.last_event);
  CHECK((*running.notes.last_event >= began && *running.notes.last_event <= WallNow()));
  REQUIRE(running.notes.last_rejection);
  CHECK(running.notes.last_rejection->at == *running.notes.last_event);
  CHECK(running.notes.last_rejection->why.starts_with("b.json: x"));
  CHECK(running.notes.last_rejection->why.size() < 2100);
  CHECK(running.notes.next_fire == began + 1h);
  CHECK(running.notes.retries.size() == WatcherNotes::kMostRetries);
  CHECK(running.notes.retries[0].what == "c.json");
  CHECK_FALSE(running.retry_at);

  fails = true;
  REQUIRE(f.Reaches(0, WatcherState::kBackingOff));
  const auto backing_off = f.Of(0);
  REQUIRE(backing_off.retry_at);
  CHECK((*backing_off.retry_at > began && *backing_off.retry_at < WallNow() + 2h));
  CHECK(backing_off.notes.rejected == 1);
  CHECK(backing_off.notes.last_rejection);
  CHECK_FALSE(backing_off.notes.next_fire);
  CHECK(backing_off.notes.retries.empty());
  f.supervisor->Stop();
  CHECK_FALSE(f.Of(0).retry_at);
}

TEST_CASE("while a watcher backs off, its hook is there but not served", "[supervisor][hooks]") {
  std::atomic<bool> fails = false;
  Fixture f;
  f.options = {.backoff_min = 1h, .backoff_max = 1h};
  f.Add("inbox", [&](WatcherContext& tower, const std::stop_token& stop, int) -> Status {
    HookHandler handler;
    handler.answer = [](const HttpRequest&) { return HttpResponse{}; };
    const auto served = tower.hooks.Serve(tower.name, handler);
    while (!fails && WatcherContext::Sleep(1ms, stop)) {
    }
    return Error{ErrorCode::kUnavailable, "the share is away"};
  });
  HttpRequest request;
  request.param = "inbox";
  CHECK(f.hooks.Answer(request).status == 503);
  f.supervisor->Start();
  CHECK(Eventually([&] { return f.hooks.Answer(request).status == 200; }));
  fails = true;
  CHECK(f.Reaches(0, WatcherState::kBackingOff));
  CHECK(f.hooks.Answer(request).status == 503);
  request.param = "elsewhere";
  CHECK(f.hooks.Answer(request).status == 404);
}

TEST_CASE("a put that was submitted is a success, and its watcher starts afresh", "[supervisor]") {
  std::atomic<bool> put = false;
  Fixture f;
  f.Add("inbox", [&](WatcherContext& tower, const std::stop_token& stop, int run) -> Status {
    if (run == 1) return Error{ErrorCode::kUnavailable, "the share is away"};
    const auto trigger = *Trigger::Parse(R"({"apiVersion":"A/v1","protocol":"P","spec":{}})");
    tower.queue.Submit(std::span(&trigger, 1), {}, [&put](const auto& done) { put = bool(done); });
    return UntilStopped(stop);
  });
  f.supervisor->Start();
  CHECK(Eventually([&] { return put.load(); }));
  CHECK(f.Of(0).last_error.empty());
  CHECK(f.Of(0).restarts == 1);
}

// What a change gives the supervisor to run under a name.
WatcherChange Scripted(const std::string& name, Script script) {
  return {name, "scripted", std::make_unique<ScriptedWatcher>(std::move(script))};
}
std::vector<WatcherChange> Changes(WatcherChange a, WatcherChange b) {
  std::vector<WatcherChange> changes;
  changes.push_back(std::move(a));
  changes.push_back(std::move(b));
  return changes;
}

TEST_CASE("a change stops, replaces and starts watchers, and leaves the others alone",
          "[supervisor]") {
  std::atomic<int> old_runs = 0, kept_runs = 0, new_runs = 0;
  std::atomic<bool> old_ended = false, overlapped = false;
  Fixture f;
  const auto count = [](std::atomic<int>& runs) {
    return [&runs](WatcherContext&, const std::stop_token& stop, int) {
      ++runs;
      return UntilStopped(stop);
    };
  };
  f.Add("gone", count(old_runs));
  f.Add("kept", count(kept_runs));
  f.Add("changed", [&](WatcherContext&, const std::stop_token& stop, int) {
    ++old_runs;
    auto status = UntilStopped(stop);
    old_ended = true;
    return status;
  });
  f.supervisor->Start();
  REQUIRE(Eventually([&] { return old_runs == 2 && kept_runs == 1; }));

  auto changes = Changes(Scripted("changed",
                                  [&](WatcherContext&, const std::stop_token& stop, int) {
                                    overlapped = !old_ended;
                                    ++new_runs;
                                    return UntilStopped(stop);
                                  }),
                         {"kept", "scripted", nullptr});
  changes.push_back(Scripted("new", count(new_runs)));
  f.supervisor->Change(std::move(changes));
  CHECK(old_ended);
  CHECK(Eventually([&] { return new_runs == 2; }));
  CHECK_FALSE(overlapped);
  CHECK(kept_runs == 1);
  const auto states = f.supervisor->States();
  REQUIRE(states.size() == 3);
  CHECK(states[0].name + " " + states[1].name + " " + states[2].name == "changed kept new");
  for (std::size_t i = 0; i < 3; ++i) CHECK(f.Reaches(i, WatcherState::kRunning));
  const auto metrics = f.queue.metrics().Render();
  CHECK_THAT(metrics, !ContainsSubstring("watcher=\"gone\""));
  for (const std::string name : {"changed", "kept", "new"}) {
    CHECK_THAT(metrics,
               ContainsSubstring("watcher_up{plugin=\"scripted\",watcher=\"" + name + "\"} 1\n"));
  }
  f.supervisor->Stop();
  for (std::size_t i = 0; i < 3; ++i) CHECK(f.Of(i).state == WatcherState::kStopped);
}

TEST_CASE("a change gives a watcher that failed another start", "[supervisor]") {
  Fixture f;
  f.Add("broken", [](WatcherContext&, const std::stop_token&, int) -> Status {
    return Error{ErrorCode::kPermanent, "the password is wrong"};
  });
  f.supervisor->Start();
  REQUIRE(f.Reaches(0, WatcherState::kFailed));
  std::vector<WatcherChange> changes;
  changes.push_back(Scripted("broken", [](WatcherContext&, const std::stop_token& stop, int) {
    return UntilStopped(stop);
  }));
  f.supervisor->Change(std::move(changes));
  CHECK(f.Reaches(0, WatcherState::kRunning));
  CHECK(f.Of(0).last_error.empty());
  f.supervisor->Change({});
  CHECK(f.supervisor->States().empty());
}

TEST_CASE("states can be asked for while watchers change", "[supervisor]") {
  Fixture f;
  const Script idle = [](WatcherContext&, const std::stop_token& stop, int) {
    return UntilStopped(stop);
  };
  f.Add("a", idle);
  f.supervisor->Start();
  std::atomic<int> odd = 0;
  {
    const std::jthread reader([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const auto states = f.supervisor->States();
        if (states.empty() || states[0].name != "a") ++odd;
        f.queue.metrics().Render();
      }
    });
    for (int i = 0; i < 50; ++i) {
      f.supervisor->Change(Changes({"a", "scripted", nullptr}, Scripted("b", idle)));
    }
  }
  CHECK(odd == 0);
  CHECK(f.Of(0).restarts == 0);
  CHECK(f.Of(1).name == "b");
}

TEST_CASE("a hook is expected while a watcher that serves it is among those to run",
          "[supervisor][hooks]") {
  Fixture f;
  const auto status = [&f](const std::string& name) {
    HttpRequest request;
    request.param = name;
    return f.hooks.Answer(request).status;
  };
  f.Make().Start();
  for (const std::string name : {"first", "second", "second"}) {
    std::vector<WatcherChange> changes;
    changes.push_back(Scripted(name, [](WatcherContext&, const std::stop_token& stop, int) {
      return UntilStopped(stop);
    }));
    f.supervisor->Change(std::move(changes));
    CHECK(status(name) == 503);
    CHECK(status(name == "first" ? "second" : "first") == 404);
  }
}

}  // namespace
}  // namespace tower
