// A tower that runs takes on a new configuration: what changed, and nothing else.
#include "app/reload.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <mutex>
#include <stdexcept>

#include "app/cli.h"
#include "app/tower.h"
#include "test/support/eventually.h"
#include "test/support/http_client.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

// What the watchers of a test did, by "name: what"; one test at a time.
class Diary {
 public:
  void Clear() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
  }
  void Note(const std::string& entry) {
    const std::lock_guard lock(mutex_);
    ++entries_[entry];
  }
  int Count(const std::string& entry) {
    const std::lock_guard lock(mutex_);
    return entries_[entry];
  }
  bool Reaches(const std::string& entry, int count) {
    return Eventually([&] { return Count(entry) >= count; }) && Count(entry) == count;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, int> entries_;
};
Diary diary;

// Notes that it runs, and with which path.
class Probe : public Watcher {
 public:
  static void Declare(OptionSet& options, Probe& self) {
    options.Add("path", &self.path_, "Where to look.").Required();
    options.Add("api-key", &self.key_, "Credentials.").Secret();
    options.Add("script", &self.script_, "What to do.").File();
    options.Check({"path"}, [&self]() -> Status {
      if (self.path_ != "/bad") return Ok();
      return Error{ErrorCode::kInvalid, "this path is bad"};
    });
    options.CheckWorld({"path"}, [&self] { return self.FindPath(); });
  }
  Status Run(WatcherContext& tower, std::stop_token stop) override {
    diary.Note(tower.name + ": runs on " + path_);
    if (key_ == "expired") return Error{ErrorCode::kPermanent, "the key has expired"};
    while (WatcherContext::Sleep(std::chrono::hours(1), stop)) {
    }
    diary.Note(tower.name + ": stopped");
    return Ok();
  }
  Status FindPath() const {
    diary.Note("checked " + path_);
    if (path_ == "/throws") throw std::runtime_error("bad luck");
    if (path_ != "/nowhere") return Ok();
    return Error{ErrorCode::kUnavailable, "open /nowhere: no such folder"};
  }

 private:
  std::string path_, key_, script_;
};

// Of another kind, with the same options.
class Other final : public Probe {
 public:
  Status Run(WatcherContext& tower, std::stop_token stop) override {
    diary.Note(tower.name + ": runs as other");
    while (WatcherContext::Sleep(std::chrono::hours(1), stop)) {
    }
    return Ok();
  }
};

constinit WatcherKind probe_kind{"probe", "Looks at things.", &internal::NewWatcherOf<Probe>};
constinit WatcherKind other_kind{"other", "Is another one.", &internal::NewWatcherOf<Other>};

constexpr std::string_view kCore = "broker = 'stdout'\nserver.port = 0\nqueue.path = ':memory:'\n";

// A tower on a configuration file that the test writes.
class Fixture {
 public:
  explicit Fixture(const std::string& watchers) {
    diary.Clear();
    Write(watchers);
    auto configured = Read();
    if (!configured.errors.empty()) {
      throw std::runtime_error(ConfigErrorsText(configured.errors));
    }
    setup_ = std::move(configured.setup);
    tower_ = std::make_unique<Tower>(*setup_, [] {});
    if (auto started = tower_->Start(); !started) throw std::runtime_error(started.error().message);
  }

  void Write(const std::string& text) const {
    folder.Write("tower.toml", std::string(kCore) + text);
  }
  void Reload() {
    tower_->Reload([this] { return Read(); });
  }
  void Reload(const std::string& text) {
    Write(text);
    Reload();
  }
  Tower& tower() { return *tower_; }
  std::string Get(std::string_view target) const {
    const auto answer = RawHttpClient(tower_->port()).Request("GET", target);
    return answer ? answer->body : "";
  }
  std::string log() const { return logs_.text(); }

  const TempDir folder;
  Environment environment;

 private:
  Configured Read() const {
    static const WatcherKind* const kKinds[] = {&other_kind, &probe_kind};
    return Configure({"--config", folder / "tower.toml"}, environment, kKinds);
  }

  const CapturedLogs logs_;
  std::unique_ptr<Setup> setup_;
  std::unique_ptr<Tower> tower_;
};

const std::string kTwo =
    "plugins = ['a=probe', 'b=probe']\n[plugin.a]\npath = '1'\n[plugin.b]\npath = '1'\n";

TEST_CASE("watchers that changed are made anew, and no other is touched", "[reload]") {
  Fixture f(kTwo);
  REQUIRE((diary.Reaches("a: runs on 1", 1) && diary.Reaches("b: runs on 1", 1)));
  f.Reload();  // nothing changed
  CHECK_THAT(f.log(), ContainsSubstring(R"("started":0,"restarted":0,"stopped":0,"untouched":2)"));

  f.Reload(
      "plugins = ['c=probe', 'b=probe', 'a=probe']\n[plugin.a]\npath = '2'\n"
      "[plugin.b]\npath = '1'\n[plugin.c]\npath = '1'\n");
  CHECK(diary.Count("a: stopped") == 1);
  CHECK(diary.Reaches("a: runs on 2", 1));
  CHECK(diary.Reaches("c: runs on 1", 1));
  CHECK_THAT(f.log(), ContainsSubstring(R"("started":1,"restarted":1,"stopped":0,"untouched":1)"));
  CHECK(Eventually(
      [&] { return f.Get("/readyz?verbose").find("watcher c: ok") != std::string::npos; }));
  CHECK_THAT(f.Get("/watchers"), ContainsSubstring(R"({"name":"a","plugin":"probe")"));

  f.Reload("plugins = ['b=probe']\n[plugin.b]\npath = '1'\n");
  CHECK((diary.Count("a: stopped") == 2 && diary.Count("c: stopped") == 1));
  CHECK_THAT(f.log(), ContainsSubstring(R"("started":0,"restarted":0,"stopped":2,"untouched":1)"));
  CHECK_THAT(f.Get("/watchers"), ContainsSubstring(R"("b")") && !ContainsSubstring(R"("a")"));
  CHECK_THAT(f.Get("/readyz?verbose"), !ContainsSubstring("watcher a"));
  const auto metrics = f.Get("/metrics");
  CHECK_THAT(metrics, ContainsSubstring("config_reloads_total{result=\"ok\"} 3\n") &&
                          ContainsSubstring("config_reloads_total{result=\"refused\"} 0\n") &&
                          ContainsSubstring("watcher_up{plugin=\"probe\",watcher=\"b\"} 1\n") &&
                          !ContainsSubstring("watcher_up{plugin=\"probe\",watcher=\"a\"}"));

  CHECK(diary.Count("b: runs on 1") == 1);
  CHECK(diary.Count("b: stopped") == 0);
  f.tower().Stop();
  CHECK(diary.Count("b: stopped") == 1);
}

TEST_CASE("a watcher of the same name and another plugin is another one", "[reload]") {
  Fixture f(kTwo);
  f.Reload("plugins = ['a=other', 'b=probe']\n[plugin.a]\npath = '1'\n[plugin.b]\npath = '1'\n");
  CHECK(diary.Reaches("a: runs as other", 1));
  CHECK_THAT(f.Get("/watchers"), ContainsSubstring(R"({"name":"a","plugin":"other")"));
  CHECK_THAT(f.Get("/metrics"), !ContainsSubstring("{plugin=\"probe\",watcher=\"a\"}"));
}

TEST_CASE("a new configuration with faults is refused, all are logged, the old one goes on",
          "[reload]") {
  Fixture f(kTwo);
  REQUIRE((diary.Reaches("a: runs on 1", 1) && diary.Reaches("b: runs on 1", 1)));
  f.Reload(
      "plugins = ['a=probe', 'b=probe', 'c=prob']\n[plugin.a]\npath = '/bad'\n"
      "[plugin.b]\npth = '1'\n");
  for (const auto* fault :
       {"plugin.a: this path is bad", "plugin.b.pth: unknown key; did you mean plugin.b.path?",
        "plugin.b.path: is required", "there is no plugin", "tower.toml:8", "\"faults\":4"}) {
    CHECK_THAT(f.log(), ContainsSubstring(fault));
  }
  f.Reload("[.plugin]\n");  // which toml++ asserts not to be
  CHECK_THAT(f.log(), ContainsSubstring("tower.toml:4:2: this is not TOML"));
  f.Reload("plugins = ['a=probe']\n[plugin.a]\npath = '/throws'\n");
  CHECK_THAT(f.log(), ContainsSubstring("exception: bad luck"));
  CHECK_THAT(f.Get("/metrics"), ContainsSubstring("config_reloads_total{result=\"refused\"} 3\n") &&
                                    ContainsSubstring("config_reloads_total{result=\"ok\"} 0\n"));
  CHECK((diary.Count("a: runs on 1") == 1 && diary.Count("a: stopped") == 0));
  CHECK((diary.Count("b: runs on 1") == 1 && diary.Count("b: stopped") == 0));

  f.Reload(kTwo);
  CHECK_THAT(f.log(), ContainsSubstring(R"("stopped":0,"untouched":2)"));
}

TEST_CASE("what a watcher needs of the world is checked where it would be made anew", "[reload]") {
  // It may be away for a while under a watcher that runs.
  Fixture f("plugins = ['a=probe']\n[plugin.a]\npath = '/nowhere'\n");
  f.Reload(
      "plugins = ['a=probe', 'b=probe']\n[plugin.a]\npath = '/nowhere'\n"
      "[plugin.b]\npath = '1'\n");
  CHECK(diary.Reaches("b: runs on 1", 1));
  CHECK(diary.Count("checked /nowhere") == 0);
  f.Reload(
      "plugins = ['a=probe', 'b=probe']\n[plugin.a]\npath = '/nowhere'\n"
      "[plugin.b]\npath = '/nowhere'\n");
  CHECK_THAT(f.log(), ContainsSubstring("plugin.b: open /nowhere: no such folder"));
  CHECK(diary.Count("b: stopped") == 0);
}

TEST_CASE("a watcher that failed for good is given another start", "[reload]") {
  Fixture f(
      "plugins = ['a=probe', 'b=probe']\n[plugin.a]\npath = '1'\napi-key = 'expired'\n"
      "[plugin.b]\npath = '1'\n");
  const auto failed = [&f] {
    return Eventually([&] { return f.Get("/watchers").find("\"failed\"") != std::string::npos; });
  };
  REQUIRE(failed());
  f.Reload();
  CHECK(diary.Reaches("a: runs on 1", 2));
  CHECK(failed());
  CHECK(diary.Count("b: runs on 1") == 1);
}

TEST_CASE("content behind an option that stays the same is a change too", "[reload]") {
  Fixture f(kTwo);
  REQUIRE((diary.Reaches("a: runs on 1", 1) && diary.Reaches("b: runs on 1", 1)));
  const auto key = f.folder.Write("key", "first-hunter2\n");
  f.environment = {{"PLUGIN_A_API_KEY_FILE", key}};
  f.Reload();
  CHECK(diary.Reaches("a: runs on 1", 2));
  f.folder.Write("key", "second-hunter2\n");
  f.Reload();
  CHECK(diary.Reaches("a: runs on 1", 3));

  const auto script = f.folder.Write("script.lua", "return 1");
  f.Reload(kTwo + "script = '" + script + "'\n");
  CHECK(diary.Reaches("b: runs on 1", 2));
  f.folder.Write("script.lua", "return 2");
  f.Reload();
  CHECK(diary.Reaches("b: runs on 1", 3));
  f.Reload();
  CHECK((diary.Count("a: runs on 1") == 3 && diary.Count("b: runs on 1") == 3));
  CHECK_THAT(f.log(), !ContainsSubstring("hunter2"));
}

TEST_CASE("of the core's options the level of the log alone is taken on", "[reload]") {
  Fixture f(kTwo);
  f.environment = {{"CONTROL_TOWER_AMQP_URL", "amqp://user:hunter2@127.0.0.1:1"},
                   {"CONTROL_TOWER_LOG_LEVEL", "debug"}};
  f.Reload("shutdown.grace = '2s'\n" + kTwo);
  Logger().Debug("seen");
  CHECK_THAT(f.log(), ContainsSubstring("\"options\":\"amqp.url, shutdown.grace\""));
  f.environment.erase("CONTROL_TOWER_LOG_LEVEL");
  f.Reload();
  Logger().Debug("hidden");
  CHECK_THAT(f.log(), ContainsSubstring("seen") && !ContainsSubstring("hidden"));
  CHECK_THAT(f.log(), !ContainsSubstring("hunter2"));
}

}  // namespace
}  // namespace tower
