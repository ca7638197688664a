#include "test/support/tower_site.h"

#include <catch2/catch_test_macros.hpp>
#include <stdexcept>
#include <utility>

#include "core/base/uuid.h"
#include "test/support/eventually.h"
#include "test/support/http_client.h"

namespace tower {

using std::chrono::milliseconds;
using std::chrono::seconds;

TowerSite::TowerSite(std::vector<std::string> urls, const std::function<void(Settings&)>& change)
    : name_("site-" + NewUuidV7().ToString()) {
  Settings& settings = setup_.settings;
  settings.queue.path = folder_ / "queue.db";
  settings.http.port = 0;
  settings.amqp.urls = std::move(urls);
  settings.amqp.exchange = name_;
  settings.publisher.backoff_min = milliseconds(10);
  settings.publisher.backoff_max = milliseconds(500);
  settings.shutdown_grace = milliseconds(0);
  if (change) change(settings);
}

TowerSite::~TowerSite() {
  if (tower_) tower_->Stop();
}

void TowerSite::Start() {
  tower_ = std::make_unique<Tower>(setup_, [] {});
  const Status started = tower_->Start();
  if (!started) throw std::runtime_error(started.error().message);
}

std::string TowerSite::Post(const std::string& client, const std::string& protocol,
                            std::size_t pad) {
  const std::string body = R"({"apiVersion":"T/v1","protocol":")" + protocol +
                           R"(","spec":{"pad":")" + std::string(pad, 'x') + "\"}}";
  const auto answer = RawHttpClient(tower_->port()).PostJson("/triggers", body);
  if (!answer || answer->status != 202) {
    throw std::runtime_error("not accepted: " + (answer ? answer->body : "no answer"));
  }
  const std::string location = answer->Header("Location");
  const std::string uuid = location.substr(location.rfind('/') + 1);
  ledger_.Accept(client, uuid);
  return uuid;
}

std::vector<std::jthread> TowerSite::Load(int clients) {
  std::vector<std::jthread> threads;
  for (int n = 0; n < clients; ++n) {
    threads.emplace_back([this, client = std::to_string(n)](const std::stop_token& stop) {
      try {
        while (!stop.stop_requested()) Post(client);
      } catch (const std::runtime_error&) {
        refused_.store(true);
      }
    });
  }
  return threads;
}

std::string TowerSite::Get(const std::string& path) const {
  const auto answer = RawHttpClient(tower_->port()).Request("GET", path);
  if (!answer) throw std::runtime_error("no answer to GET " + path);
  return answer->body;
}

bool TowerSite::BecomesReady() const {
  return Eventually([&] { return Ready().find("broker: ok") != std::string::npos; });
}

bool TowerSite::Tells(const std::string& text) const {
  return Eventually([&] {
    return Ready().find(text) != std::string::npos && log().find(text) != std::string::npos;
  });
}

std::size_t TowerSite::Depth() const {
  const std::string metrics = Get("/metrics");
  const std::string name = "\ncontrol_tower_queue_depth ";
  const auto at = metrics.find(name);
  if (at == std::string::npos) throw std::runtime_error("no metric queue_depth");
  return std::stoul(metrics.substr(at + name.size()));
}

bool TowerSite::Queued(std::size_t depth) const {
  return Eventually([&] { return Depth() == depth; });
}

Balance TowerSite::Strike() const {
  return ledger_.Strike([&](const std::string& uuid) {
    return Get("/triggers/" + uuid).find("\"status\":\"undeliverable\"") != std::string::npos;
  });
}

void TowerSite::Take(TestConsumer& consumer) {
  while (const auto message = consumer.Get(name_, milliseconds(0))) {
    ledger_.Arrive(message->message_id);
  }
}

void TowerSite::Consume(TestConsumer& consumer) {
  Eventually(
      [&] {
        Take(consumer);
        return Strike().lost.empty();
      },
      seconds(10));
}

Balance TowerSite::Finish(TestConsumer& consumer) {
  const bool settled = Queued(0);
  INFO(log());
  REQUIRE(settled);
  Consume(consumer);
  const Balance balance = Strike();
  RequireNothingLost(balance);
  REQUIRE_FALSE(refused_.load());
  return balance;
}

}  // namespace tower
