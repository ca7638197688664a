// Web pages in a real Chromium against the binary (test/support/browser).
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "core/base/uuid.h"
#include "test/support/test_consumer.h"
#include "test/support/tower_process.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

// What the browser sent and how it was answered: "cross-site POST /hooks/in" → its status.
std::map<std::string, int> Attack(const TempDir& folder, int port, const std::string& uuid) {
  const auto out = folder / "browser.out";
  const auto err = folder / "browser.err";
  const auto packages = std::filesystem::current_path() / "browser";
  const auto command = std::string(TOWER_SOURCE_DIR "/test/support/node.sh " TOWER_SOURCE_DIR
                                                    "/test/support/browser '") +
                       packages.string() + "' attack.mjs " + std::to_string(port) + " " + uuid +
                       " >" + out + " 2>" + err;
  const int ended = std::system(command.c_str());
  INFO(ReadFile(err) << ReadFile(out) << "Chromium is needed: third_party/deps.sh test");
  REQUIRE(ended == 0);
  std::map<std::string, int> answers;
  std::istringstream lines(ReadFile(out));
  for (std::string line; std::getline(lines, line);) {
    const auto member = [&line](const std::string& name) {
      const auto at = line.find("\"" + name + "\":") + name.size() + 3;
      const auto text = line.substr(at, line.find_first_of(",}", at) - at);
      return text.front() == '"' ? text.substr(1, text.size() - 2) : text;
    };
    answers[member("page") + " " + member("request")] = std::stoi(member("status"));
  }
  return answers;
}

TEST_CASE("no web page of another site changes or reads anything", "[browser]") {
  const TempDir folder;
  const std::string exchange = "browser-" + NewUuidV7().ToString();
  const auto url = RequiredVariable("TOWER_TEST_AMQP_URL");
  TestConsumer consumer(url);
  consumer.Adopt(exchange, exchange);
  TowerProcess tower(folder, {"--server.port", "0", "--queue.path", folder / "queue.db",
                              "--amqp.url", url, "--amqp.exchange", exchange, "--plugin",
                              "in=webhook", "--plugin.in.verify", "none"});
  REQUIRE(tower.BecomesReady());
  const auto posted = tower.Post(R"({"apiVersion":"T/v1","protocol":"P","spec":{}})");
  REQUIRE(posted.status == 202);
  const auto uuid = posted.body.substr(9, Uuid::kTextSize);
  const auto record = [&] { return tower.Get("/triggers/" + uuid).body; };
  // Nobody is bound to the exchange.
  REQUIRE(Eventually([&] { return record().find("undeliverable") != std::string::npos; }));
  const auto before = record();

  const auto answers = Attack(folder, tower.Port(), uuid);
  std::string told;
  for (const auto& [request, status] : answers) {
    told += request + ": " + std::to_string(status) + "\n";
  }
  INFO(told);
  const auto status = [&answers](const std::string& request) {
    const auto found = answers.find(request);
    return found == answers.end() ? 0 : found->second;
  };
  // These were sent, and refused.
  const std::string redeliver = "/triggers/" + uuid + "/redeliver";
  for (const auto* page : {"cross-site", "same-site", "rebound"}) {
    const int refused = page == std::string("rebound") ? 421 : 403;
    for (const auto& path :
         {std::string("/hooks/in"), std::string("/triggers/redeliver"), redeliver}) {
      CHECK(status(std::string(page) + " POST " + path) == refused);
    }
  }
  for (const auto* request : {"POST /triggers", "POST /triggers/discard", "GET /triggers"}) {
    CHECK(status("rebound " + std::string(request)) == 421);
  }
  CHECK(status("rebound DELETE /triggers/" + uuid) == 421);
  // Of what needs the server's consent, only the question for it was sent, and was not granted.
  for (const auto& [request, code] : answers) {
    CHECK((code >= 400 || request.starts_with("own ") || request == "cross-site GET /triggers" ||
           request == "same-site GET /triggers"));
    CHECK_FALSE((request.ends_with(" read") && !request.starts_with("own ")));
  }
  // A page of the server's own origin may do all of it: the browser did send what it was told to.
  CHECK(status("own POST /triggers") == 202);
  CHECK(status("own read") == 200);

  CHECK(record() == before);
  const auto metrics = tower.Get("/metrics").body;
  CHECK_THAT(metrics, ContainsSubstring("triggers_accepted_total{source=\"http\"} 2\n"));
  CHECK_THAT(metrics, !ContainsSubstring("triggers_accepted_total{source=\"in\"} 1"));
  CHECK_THAT(metrics, ContainsSubstring("triggers_redelivered_total 0\n"));
  CHECK_THAT(metrics, ContainsSubstring(R"({code="403",method="POST",route="/hooks/{watcher}"})"));
  CHECK_THAT(metrics, ContainsSubstring(R"({code="421",method="POST",route="/triggers"})"));
  CHECK(tower.Stop() == 0);
  CHECK_THAT(tower.err(), ContainsSubstring("http://evil.example"));
}

}  // namespace
}  // namespace tower
