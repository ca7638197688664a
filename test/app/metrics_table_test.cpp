// README.md has a row for each metric that a running tower shows, and no other.
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <set>
#include <sstream>

#include "app/tower.h"
#include "test/support/http_client.h"
#include "test/support/tower_process.h"

namespace tower {
namespace {

struct Family {
  std::string help, type;
  std::set<std::string> labels;  // names
};

// The families of a Prometheus text.
std::map<std::string, Family> FamiliesOf(const std::string& text) {
  std::map<std::string, Family> families;
  std::istringstream lines(text);
  std::string name;  // of the family that the samples belong to
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# ")) {
      std::istringstream words(line);
      std::string hash, kind;
      words >> hash >> kind >> name >> std::ws;
      std::getline(words, kind == "HELP" ? families[name].help : families[name].type);
      continue;
    }
    REQUIRE(line.starts_with(name));  // a sample without HELP and TYPE
    const auto open = line.find('{');
    if (open == std::string::npos) continue;
    for (auto at = open; line[at] != '}';) {
      const auto equals = line.find("=\"", at + 1);
      const auto label = line.substr(at + 1, equals - at - 1);
      if (label != "le") families[name].labels.insert(label);
      for (at = equals + 2; line[at] != '"'; ++at) at += line[at] == '\\' ? 1 : 0;
      ++at;
    }
  }
  return families;
}

std::string TableOf(const std::map<std::string, Family>& families) {
  std::string table = "| metric | type | labels | meaning |\n|---|---|---|---|\n";
  for (const auto& [name, family] : families) {
    std::string labels;
    for (const auto& label : family.labels) labels += (labels.empty() ? "`" : ", `") + label + "`";
    table += "| `" + name + "` | " + family.type + " | " + labels + " | " + family.help + " |\n";
  }
  return table;
}

TEST_CASE("README.md has the table of the metrics that a running tower shows", "[app][metrics]") {
  const CapturedLogs logs;
  const TempDir folder;
  Setup setup;
  setup.settings.queue.path = ":memory:";
  setup.settings.http.port = 0;
  setup.settings.amqp.urls = {"amqp://127.0.0.1:1"};
  setup.settings.shutdown_grace = std::chrono::seconds(0);
  const auto kinds = WatcherKind::All();
  REQUIRE(kinds);
  auto& watcher = setup.watchers.emplace_back();
  watcher.name = "inbox";
  watcher.options = std::make_unique<OptionSet>("plugin.inbox");
  for (const auto* kind : *kinds) {
    if (kind->name() == "file") watcher.kind = kind;
  }
  watcher.watcher = watcher.kind->New(*watcher.options);
  for (auto& option : watcher.options->all()) {
    if (option.name() == "plugin.inbox.path") REQUIRE(option.Set({folder / ""}));
  }
  Tower tower(setup, [] {});
  REQUIRE(tower.Start());
  REQUIRE(RawHttpClient(tower.port()).Request("GET", "/livez"));
  const auto answer = RawHttpClient(tower.port()).Request("GET", "/metrics");
  REQUIRE(answer);
  const auto shown = TableOf(FamiliesOf(answer->body));
  const auto readme = ReadFile(TOWER_SOURCE_DIR "/README.md");
  const std::string begin = "<!-- metrics -->\n", end = "<!-- /metrics -->\n";
  const auto at = readme.find(begin);
  REQUIRE(at != std::string::npos);
  const auto from = at + begin.size();
  CHECK(readme.substr(from, readme.find(end, from) - from) == shown);
}

}  // namespace
}  // namespace tower
