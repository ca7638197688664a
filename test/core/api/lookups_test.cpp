#include "core/api/lookups.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "test/support/eventually.h"
#include "test/support/handoff.h"
#include "test/support/http_fixture.h"

namespace tower {
namespace {

// Its lookups wait at a gate, or fail.
struct LookupServer : HttpFixture {
  LookupServer() {
    const auto look = [this](const HttpRequest& request) {
      const std::string name(request.param);
      return lookups.Answer(request, [this, name]() -> HttpResponse {
        if (name == "bad") throw std::runtime_error("no such disk");
        running = true;
        if (name == "held") gate.Wait();
        return {.body = name};
      });
    };
    server->Route("GET", "/look/{name}", look);
    server->Route("GET", "/now", [](const HttpRequest&) { return HttpResponse{.body = "now"}; });
    Start();
  }
  ~LookupServer() {
    gate.Open();
    server->Stop();
  }

  std::unique_ptr<RawHttpClient> Send(const std::string& target) const {
    auto client = std::make_unique<RawHttpClient>(port());
    client->Send("GET " + target + " HTTP/1.1\r\nHost: t\r\n\r\n");
    return client;
  }

  std::atomic<bool> running = false;
  Gate gate;
  Lookups lookups;
};

TEST_CASE("a lookup holds up no other request", "[lookups]") {
  LookupServer fixture;
  const auto held = fixture.Send("/look/held");
  for (int i = 0; i < 20; ++i) CHECK(Ask(fixture, "GET", "/now").body == "now");
  CHECK_FALSE(held->Readable());
  fixture.gate.Open();
  CHECK(held->Receive().value_or(HttpAnswer{}).body == "held");
}

TEST_CASE("lookups are answered, HEAD without a body, and one that fails with 500", "[lookups]") {
  LookupServer fixture;
  CHECK(Ask(fixture, "GET", "/look/a").body == "a");
  const auto head = Ask(fixture, "HEAD", "/look/a");
  CHECK(head.status == 200);
  CHECK(head.body.empty());
  CHECK(Ask(fixture, "GET", "/look/bad").status == 500);
  CHECK(Ask(fixture, "GET", "/look/b").body == "b");
}

TEST_CASE("more lookups than may wait get 503 at once", "[lookups]") {
  LookupServer fixture;
  const auto held = fixture.Send("/look/held");
  REQUIRE(Eventually([&] { return fixture.running.load(); }));
  std::vector<std::unique_ptr<RawHttpClient>> clients;
  for (std::size_t i = 0; i <= Lookups::kMostWaiting; ++i)
    clients.push_back(fixture.Send("/look/a"));
  const auto answered = [&] {
    return std::count_if(clients.begin(), clients.end(),
                         [](const auto& client) { return client->Readable(); });
  };
  REQUIRE(Eventually([&] { return answered() == 1; }));
  fixture.gate.Open();
  int refused = 0;
  for (const auto& client : clients) {
    const auto answer = client->Receive().value_or(HttpAnswer{});
    if (answer.status == 503) {
      ++refused;
    } else {
      CHECK(answer.body == "a");
    }
  }
  CHECK(refused == 1);
}

}  // namespace
}  // namespace tower
