// The binary, sent to by the libraries of those who send webhooks (test/plugins/webhook/senders).
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/json/json.h"
#include "test/support/tower_process.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr auto kSecret = "It's a Secret, to \"Everybody\"";
constexpr auto kStandardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr auto kOldSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

// A trigger for each commit of a push to the main branch, and nothing for other events.
constexpr auto kScript = R"(
  if event.headers["x-github-event"] ~= "push" then return nil end
  if event.body.ref ~= "refs/heads/main" then return {} end
  local triggers = {}
  for n, commit in ipairs(event.body.commits) do
    triggers[n] = {apiVersion = "T/v1", protocol = "Build", spec = {commit = commit, volume = 1.0}}
  end
  return triggers
)";

std::string Trigger(const std::string& protocol) {
  return R"({"apiVersion":"T/v1","protocol":")" + protocol + R"(","spec":{"volume":1.0}})";
}

// control-tower with a hook for each scheme.
struct Tower {
  TempDir folder;
  TowerProcess process;

  Tower()
      : process(folder, {"--broker", "stdout", "--server.port", "0", "--log.format", "json"},
                {{"CONTROL_TOWER_QUEUE_PATH", folder / "queue.db"},
                 {"PLUGINS", "gh=webhook,std=webhook,pay=webhook,ci=webhook"},
                 {"PLUGIN_GH_VERIFY", "github"},
                 {"PLUGIN_GH_SECRET_FILE", folder.Write("gh", std::string(kSecret) + "\n")},
                 {"PLUGIN_STD_VERIFY", "standard-webhooks"},
                 {"PLUGIN_STD_SECRET_FILE",
                  folder.Write("std", std::string(kOldSecret) + "\n" + kStandardSecret + "\n")},
                 {"PLUGIN_PAY_VERIFY", "stripe"},
                 {"PLUGIN_PAY_ID", "/uuid"},
                 {"PLUGIN_PAY_SECRET", kSecret},
                 {"PLUGIN_CI_VERIFY", "github"},
                 {"PLUGIN_CI_SECRET", kSecret},
                 {"PLUGIN_CI_MAP_FILE", folder.Write("ci.lua", kScript)}}) {
    if (!process.BecomesReady()) throw std::runtime_error("not ready: " + process.err());
  }

  // One line for send.mjs. `more` are members of it.
  std::string Line(const std::string& as, const std::string& hook, const std::string& secret,
                   const std::string& body, const std::string& more = {}) {
    std::string line = R"({"as":")" + as + R"(","url":"http://127.0.0.1:)" +
                       std::to_string(process.Port()) + "/hooks/" + hook + R"(","secret":)";
    AppendJsonString(line, secret);
    line += ",\"body\":";
    AppendJsonString(line, body);
    return line + more + "}\n";
  }

  // How each was answered.
  std::vector<std::string> Send(const std::string& lines) {
    const auto in = folder.Write("in", lines);
    const auto out = folder / "out";
    const auto err = folder / "err";
    const auto senders = std::filesystem::current_path() / "senders";
    const auto command = std::string(TOWER_SOURCE_DIR "/test/support/node.sh " TOWER_SOURCE_DIR
                                                      "/test/plugins/webhook/senders '") +
                         senders.string() + "' send.mjs <" + in + " >" + out + " 2>" + err;
    INFO(command);
    const int ended = std::system(command.c_str());
    INFO(ReadFile(err));
    REQUIRE(ended == 0);
    std::vector<std::string> answers;
    std::istringstream text(ReadFile(out));
    for (std::string line; std::getline(text, line);) answers.push_back(line);
    return answers;
  }
  bool Publishes(const std::string& protocol) {
    const auto wanted = "\"protocol\":\"" + protocol + "\"";
    return Eventually([&] { return process.out().find(wanted) != std::string::npos; });
  }
};

std::size_t CountLines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_CASE("deliveries that the senders' own libraries signed are published", "[webhook]") {
  Tower tower;
  const auto answers =
      tower.Send(tower.Line("github", "gh", kSecret, Trigger("Push")) +
                 tower.Line("github", "gh", kSecret, Trigger("Push")) +  // again
                 tower.Line("github", "gh", kSecret, "{}", R"(,"id":"2","event":"ping")") +
                 tower.Line("standard-webhooks", "std", kStandardSecret, Trigger("Standard")) +
                 tower.Line("standard-webhooks", "std", kStandardSecret, Trigger("Rotated"),
                            R"(,"id":"2","old_secret":")" + std::string(kOldSecret) + "\"") +
                 tower.Line("stripe", "pay", kSecret, Trigger("Pay\u00e4d")) +
                 tower.Line("stripe", "pay", kSecret, Trigger("Paid")));
  REQUIRE(answers.size() == 7);
  for (const auto i : {0U, 1U, 3U, 4U, 6U}) {
    INFO(answers[i]);
    CHECK_THAT(answers[i], ContainsSubstring("\"status\":202"));
  }
  CHECK(answers[0] == answers[1]);
  CHECK_THAT(answers[2], ContainsSubstring("\"status\":200") && ContainsSubstring("pong"));
  CHECK_THAT(answers[5], ContainsSubstring("\"status\":400"));  // verified, and no trigger
  for (const auto* protocol : {"Push", "Standard", "Rotated", "Paid"}) {
    CHECK(tower.Publishes(protocol));
  }
  CHECK(tower.process.Stop() == 0);
  CHECK(CountLines(tower.process.out()) == 4);
  CHECK_THAT(tower.process.out(), ContainsSubstring(R"("volume":1.0)"));
}

TEST_CASE("a script makes triggers of a delivery, several or none", "[webhook]") {
  Tower tower;
  const auto push = [](const std::string& branch, const std::string& commits) {
    return R"({"ref":"refs/heads/)" + branch + R"(","commits":[)" + commits + "]}";
  };
  const auto answers = tower.Send(
      tower.Line("github", "ci", kSecret, push("main", R"("a1","b2")")) +
      tower.Line("github", "ci", kSecret, push("main", R"("a1","b2")")) +  // again
      tower.Line("github", "ci", kSecret, push("draft", R"("c3")"), R"(,"id":"2")") +
      tower.Line("github", "ci", kSecret, push("main", ""), R"(,"id":"3","event":"issues")") +
      tower.Line("github", "ci", kSecret, R"({"ref":"refs/heads/main"})", R"(,"id":"4")") +
      tower.Line("github", "ci", kSecret, push("main", R"("d4")"), R"(,"id":"5")"));
  REQUIRE(answers.size() == 6);
  for (const auto i : {0U, 1U, 5U}) CHECK_THAT(answers[i], ContainsSubstring("\"status\":202"));
  CHECK(answers[0] == answers[1]);
  for (const auto i : {2U, 3U}) CHECK_THAT(answers[i], ContainsSubstring("\"status\":20"));
  CHECK_THAT(answers[4], ContainsSubstring("\"status\":422"));  // no commits: the script fails
  REQUIRE(Eventually([&] { return tower.process.out().find("\"d4\"") != std::string::npos; }));
  CHECK(tower.process.Stop() == 0);
  CHECK(CountLines(tower.process.out()) == 3);
  CHECK_THAT(tower.process.out(), ContainsSubstring(R"("commit":"a1")") &&
                                      ContainsSubstring(R"("volume":1.0)") &&
                                      !ContainsSubstring("\"c3\""));
  CHECK_THAT(tower.process.err(), ContainsSubstring("ci.lua:5"));
}

TEST_CASE("what the senders' own libraries signed otherwise is refused", "[webhook]") {
  Tower tower;
  const std::string other = "whsec_" + std::string(32, 'A');
  const auto answers = tower.Send(
      tower.Line("github", "gh", "hunter2", Trigger("A")) +
      tower.Line("standard-webhooks", "std", other, Trigger("B")) +
      tower.Line("standard-webhooks", "std", kStandardSecret, Trigger("C"), R"(,"age":900)") +
      tower.Line("standard-webhooks", "std", kStandardSecret, Trigger("D"), R"(,"age":-900)") +
      tower.Line("standard-webhooks", "std", kStandardSecret, Trigger("E"), R"(,"id":"msg.1")") +
      tower.Line("stripe", "pay", "hunter2", Trigger("F")) +
      tower.Line("stripe", "pay", kSecret, Trigger("G"), R"(,"age":900)") +
      tower.Line("stripe", "gh", kSecret, Trigger("H")) +
      tower.Line("github", "pay", kSecret, Trigger("I")));
  REQUIRE(answers.size() == 9);
  for (const auto& answer : answers) {
    INFO(answer);
    CHECK_THAT(answer, ContainsSubstring("\"status\":401"));
  }
  CHECK_THAT(tower.Send(tower.Line("github", "none", kSecret, Trigger("J")))[0],
             ContainsSubstring("\"status\":404"));
  CHECK(tower.process.Get("/readyz").status == 200);
  const auto metrics = tower.process.Get("/metrics").body;
  CHECK_THAT(metrics,
             ContainsSubstring(R"(triggers_rejected_total{reason="invalid",source="std"} 4)"));
  CHECK(tower.process.Stop() == 0);
  CHECK(tower.process.out().empty());
  const auto log = tower.process.err();
  for (const auto* secret : {kStandardSecret + 6, kOldSecret + 6, "Everybody", "hunter2"}) {
    CHECK_THAT(log + metrics, !ContainsSubstring(secret));
  }
}

TEST_CASE("a delivery that was answered is published after the process was killed", "[webhook]") {
  const TempDir folder;
  const std::vector<std::string> arguments = {"--server.port", "0", "--log.format", "json"};
  TowerProcess::Variables variables = {{"CONTROL_TOWER_BROKER", "amqp"},
                                       {"CONTROL_TOWER_AMQP_URL", "amqp://127.0.0.1:1"},
                                       {"CONTROL_TOWER_QUEUE_PATH", folder / "queue.db"},
                                       {"PLUGINS", "ci=webhook"},
                                       {"PLUGIN_CI_VERIFY", "bearer"},
                                       {"PLUGIN_CI_SECRET", "hunter2"}};
  {
    TowerProcess process(folder, arguments, variables);
    const auto answer = RawHttpClient(process.Port())
                            .PostJson("/hooks/ci", Trigger("Kept"),
                                      "Authorization: Bearer hunter2\r\nIdempotency-Key: 1\r\n");
    REQUIRE(answer);
    CHECK(answer->status == 202);
    process.Signal(SIGKILL);
    CHECK(process.ExitCode() == 128 + SIGKILL);
  }
  variables[0].second = "stdout";
  TowerProcess process(folder, arguments, variables);
  REQUIRE(process.BecomesReady());
  CHECK(Eventually([&] { return process.out().find("Kept") != std::string::npos; }));
  const auto again = RawHttpClient(process.Port())
                         .PostJson("/hooks/ci", Trigger("Kept"),
                                   "Authorization: Bearer hunter2\r\nIdempotency-Key: 1\r\n");
  REQUIRE(again);
  CHECK(again->status == 202);
  CHECK(process.Stop() == 0);
  CHECK(CountLines(process.out()) == 1);
}

}  // namespace
}  // namespace tower
