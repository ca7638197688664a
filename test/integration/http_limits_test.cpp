// What clients who show nothing can take from a running control-tower.
#include <sys/resource.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>
#include <memory>
#include <vector>

#include "test/support/tower_process.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Clients = std::vector<std::unique_ptr<RawHttpClient>>;

struct Tower {
  TempDir folder;
  TowerProcess process;

  explicit Tower(std::vector<std::string> wrapper = {})
      : process(folder,
                {"--broker=stdout", "--server.port=0", "--log.format=json",
                 "--queue.path=" + (folder / "queue.db"), "--plugin=gh=webhook",
                 "--plugin.gh.verify=github", "--plugin.gh.secret=0123456789abcdef0123456789"},
                {}, std::move(wrapper)) {
    if (!process.BecomesReady()) throw std::runtime_error("not ready: " + process.err());
  }
  std::size_t PeakMiB() const {
    const auto status = ReadFile("/proc/" + std::to_string(process.pid()) + "/status");
    return std::strtoul(status.c_str() + status.find("VmHWM:") + 6, nullptr, 10) / 1024;
  }
};

// This process needs as many descriptors as it makes connections.
void AllowFiles(rlim_t count) {
  rlimit files{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  if (files.rlim_cur >= count) return;
  files.rlim_cur = std::min(count, files.rlim_max);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &files) == 0);
}

constexpr auto kTrigger = R"({"apiVersion":"T/v1","protocol":"P","spec":{}})";

TEST_CASE("300 unfinished deliveries take a quarter of the memory", "[http]") {
  AllowFiles(1000);
  Tower tower;
  [[maybe_unused]] const auto before = tower.PeakMiB();
  constexpr std::size_t kBody = 1U << 20U;
  const std::string request =
      "POST /hooks/gh HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "X-Hub-Signature-256: sha256=" +
      std::string(64, '0') + "\r\nContent-Length: " + std::to_string(kBody) + "\r\n\r\n" +
      std::string(kBody - 1, ' ');
  Clients clients;
  for (int i = 0; i < 300; ++i) {
    clients.push_back(std::make_unique<RawHttpClient>(tower.process.Port()));
    clients.back()->Send(request);
  }
  const auto refused = [&] {
    return std::count_if(clients.begin(), clients.end(),
                         [](const auto& client) { return client->Readable(); });
  };
  CHECK(Eventually([&] { return refused() >= 300 - 32; }));
  CHECK(refused() < 300);
  for (const auto& client : clients) {
    if (client->Readable()) CHECK(client->Receive()->status == 503);
  }
  CHECK(tower.process.Post(kTrigger).status == 202);
  CHECK(tower.process.Get("/readyz").status == 200);
  CHECK_THAT(tower.process.err(), ContainsSubstring("server.max-memory"));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(tower.PeakMiB() - before < 64);
#endif
}

TEST_CASE("1300 silent connections do not take the health checks away", "[http]") {
  AllowFiles(2000);
  Tower tower;
  Clients clients;
  for (int i = 0; i < 1300; ++i) {
    clients.push_back(std::make_unique<RawHttpClient>(tower.process.Port()));
  }
  CHECK(tower.process.Get("/livez").status == 200);
  CHECK(tower.process.Get("/readyz").status == 200);
  CHECK(tower.process.Post(kTrigger).status == 503);
  RawHttpClient another(tower.process.Port(), "127.0.0.2");  // one address has not taken all
  CHECK(another.PostJson("/triggers", kTrigger)->status == 202);
}

TEST_CASE("health checks have descriptors where few files may be open", "[http]") {
  AllowFiles(1000);
  Tower tower({"sh", "-c", "ulimit -n 300; exec \"$@\"", "sh"});
  Clients clients;
  for (int i = 0; i < 500; ++i) {
    clients.push_back(std::make_unique<RawHttpClient>(tower.process.Port()));
  }
  CHECK(tower.process.Get("/livez").status == 200);
  CHECK(tower.process.Get("/readyz").status == 200);
  CHECK_THAT(tower.process.err(), ContainsSubstring("the limit of open files is too low"));
}

}  // namespace
}  // namespace tower
