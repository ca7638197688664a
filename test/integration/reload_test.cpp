// SIGHUP, and the stripped binary with the watchers that it has.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <string>

#include "test/support/tower_process.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

// A tower on a configuration file, with a watcher `in` of a folder and a watcher `prog` of a
// program that says when it starts and then waits.
struct Site {
  TempDir folder;
  std::optional<TowerProcess> tower;
  int ok = 0, refused = 0;

  Site() {
    for (const auto* name : {"one", "two"}) std::filesystem::create_directory(folder / name);
  }
  void Write(const std::string& inbox, const std::string& more = {}) const {
    folder.Write("tower.toml",
                 "broker = 'stdout'\nplugins = ['in=file', 'prog=exec']\n"
                 "server.port = 0\nqueue.path = '" +
                     (folder / "queue.db") +
                     "'\n"
                     "[plugin.in]\npath = '" +
                     (folder / inbox) +
                     "'\n"
                     "[plugin.prog]\ncommand = ['/bin/sh', '-c', 'echo $$ >> \"$0\"; "
                     "exec sleep 1000', '" +
                     (folder / "pids") + "']\n" + more);
  }
  void Start(const TowerProcess::Variables& variables = {}) {
    tower.emplace(folder, std::vector<std::string>{"--config", folder / "tower.toml"}, variables);
    tower->Port();
  }
  // Whether the next reload ends as expected.
  bool Reload(bool expected) {
    auto& count = expected ? ok : refused;
    const auto line = std::string("config_reloads_total{result=\"") +
                      (expected ? "ok" : "refused") + "\"} " + std::to_string(++count) + "\n";
    tower->Signal(SIGHUP);
    return Eventually([&] { return tower->Get("/metrics").body.find(line) != std::string::npos; });
  }
  void Drop(const std::string& inbox, const std::string& protocol) const {
    const auto draft = folder.Write(
        inbox + "/.draft", R"({"apiVersion":"T/v1","protocol":")" + protocol + R"(","spec":{}})");
    std::filesystem::rename(draft, folder / (inbox + "/" + protocol + ".json"));
  }
  bool Arrives(const std::string& protocol) const {
    return Eventually([&] { return tower->out().find(protocol) != std::string::npos; });
  }
  // The processes of `prog` so far; a line each.
  std::string Pids() const { return ReadFile(folder / "pids"); }
};

TEST_CASE("SIGHUP takes a changed inbox on, and the program of another watcher runs on",
          "[reload]") {
  Site site;
  site.Write("one");
  site.Start();
  site.Drop("one", "First");
  CHECK(site.Arrives("First"));
  REQUIRE(Eventually([&] { return site.Pids().ends_with('\n'); }));
  const auto pids = site.Pids();

  site.Write("two");
  site.Drop("one", "Late");  // taken still by the old watcher, or by none
  REQUIRE(site.Reload(true));
  site.Drop("one", "Never");
  site.Drop("two", "Second");
  CHECK(site.Arrives("Second"));
  CHECK_THAT(site.tower->out(), !ContainsSubstring("Never"));

  site.Write("one");
  REQUIRE(site.Reload(true));
  CHECK(site.Arrives("Never"));
  const auto out = site.tower->out();
  CHECK(out.find("First") == out.rfind("First"));  // its checkpoints were kept

  CHECK(site.Pids() == pids);
  CHECK(kill(std::stoi(pids), 0) == 0);
  CHECK(site.tower->Stop() == 0);
}

TEST_CASE("SIGHUP with a faulty configuration changes nothing, and the log says where",
          "[reload]") {
  Site site;
  site.Write("one");
  const auto url = site.folder.Write("url", "amqp://user:hunter2@127.0.0.1:1\n");
  site.Start({{"CONTROL_TOWER_AMQP_URL_FILE", url}});
  REQUIRE(Eventually([&] { return site.Pids().ends_with('\n'); }));
  const auto pids = site.Pids();

  site.Write("two", "interval = \n[amqp\n");
  REQUIRE(site.Reload(false));
  CHECK_THAT(site.tower->err(), ContainsSubstring("tower.toml:9:"));
  site.Write("two", "intervall = '1s'\n");
  REQUIRE(site.Reload(false));
  CHECK_THAT(site.tower->err(), ContainsSubstring("did you mean plugin.prog.interval?") &&
                                    ContainsSubstring("tower.toml:9"));
  site.Write("missing");
  REQUIRE(site.Reload(false));
  CHECK_THAT(site.tower->err(), ContainsSubstring("missing: no such file or directory"));
  site.Write("one");
  site.folder.Write("url", "http://user:tr0ub4dor@127.0.0.1\n");
  REQUIRE(site.Reload(false));
  CHECK_THAT(site.tower->err(), ContainsSubstring("amqp.url: "));

  site.folder.Write("url", "amqp://user:tr0ub4dor@127.0.0.1:1\n");
  REQUIRE(site.Reload(true));
  CHECK_THAT(site.tower->err(), ContainsSubstring(R"("options":"amqp.url")"));

  site.Drop("one", "Still");
  CHECK(site.Arrives("Still"));
  CHECK(site.Pids() == pids);
  CHECK(site.tower->Stop() == 0);
  CHECK_THAT(site.tower->err(), !ContainsSubstring("hunter2") && !ContainsSubstring("tr0ub4dor"));
}

TEST_CASE("SIGHUP gives a watcher that failed another start", "[reload]") {
  Site site;
  site.folder.Write("tower.toml",
                    "broker = 'stdout'\nplugins = ['exec']\nserver.port = 0\n"
                    "queue.path = ':memory:'\n[plugin.exec]\ncommand = '" +
                        (site.folder / "late") + "'\n");
  site.Start();
  REQUIRE(Eventually(
      [&] { return site.tower->Get("/readyz?verbose").body.find("failed") != std::string::npos; }));
  const auto path = site.folder.Write("late", "#!/bin/sh\nexec sleep 1000\n");
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  REQUIRE(site.Reload(true));
  CHECK(site.tower->BecomesReady());
  CHECK(site.tower->Stop() == 0);
}

TEST_CASE("a burst of SIGHUPs ends with the last configuration, and SIGTERM behind it stops",
          "[reload]") {
  Site site;
  site.Write("one");
  site.Start();
  for (int i = 0; i < 20; ++i) {
    site.Write(i % 2 == 0 ? "two" : "one");
    site.tower->Signal(SIGHUP);
  }
  site.Drop("one", "Last");
  CHECK(site.Arrives("Last"));
  site.tower->Signal(SIGHUP);
  CHECK(site.tower->Stop() == 0);
}

}  // namespace
}  // namespace tower
