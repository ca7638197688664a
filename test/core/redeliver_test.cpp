// Listing triggers and delivering them again: the queue's side and HTTP's.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <set>

#include "core/queue.h"
#include "core/sqlite.h"
#include "core/trigger_api.h"
#include "test/support/eventually.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

struct Site : HttpFixture {
  Site() { Open(); }
  ~Site() {
    server->Stop();
    queue.reset();
  }
  // Again: what is on disk alone counts.
  void Open() {
    server = std::make_unique<HttpServer>(options, Logger(), metrics);
    queue.reset();
    auto opened = TriggerQueue::Open(queue_options, {}, metrics);
    if (!opened) throw std::runtime_error(opened.error().message);
    queue = std::move(*opened);
    AddTriggerApi(*server, *queue, metrics);
    Start();
  }
  // Triggers of two protocols in turn: A, B, A, …
  std::vector<Uuid> Put(int count) {
    std::vector<Trigger> batch;
    for (int n = 0; n < count; ++n) {
      batch.push_back(*Trigger::Parse(R"({"apiVersion":"T/v1","protocol":")" +
                                      std::string(n % 2 == 0 ? "A" : "B") + R"(","spec":{}})"));
    }
    return queue->Put(batch, {.source = "test"}).value().uuids;
  }
  std::vector<AcceptedTrigger> Take() { return queue->TryTake(1000).value(); }
  void Settle(const std::vector<AcceptedTrigger>& taken, bool published) {
    std::vector<Outcome> outcomes;
    for (const auto& each : taken) {
      outcomes.push_back({each.seq, published, published ? "" : "unroutable"});
    }
    queue->Settle(outcomes);
  }
  std::string StatusOf(const Uuid& uuid) {
    const auto record = queue->Find(uuid);
    return record ? std::string(ToString(record->state)) : "unknown";
  }
  HttpAnswer Post(const std::string& target) { return Ask(*this, "POST", target); }
  std::string List(const std::string& query) {
    const auto answer = Ask(*this, "GET", "/triggers" + query);
    CHECK(answer.status == 200);
    return answer.body;
  }

  TempDir folder;
  QueueOptions queue_options{.path = folder / "queue.db"};
  std::unique_ptr<TriggerQueue> queue;
};

std::size_t CountOf(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_CASE("an undeliverable trigger is listed, delivered again and listed no more", "[redeliver]") {
  Site site;
  const auto uuids = site.Put(4);
  auto taken = site.Take();
  site.Settle({taken[0], taken[3]}, false);
  site.Settle({taken[1], taken[2]}, true);
  REQUIRE(Eventually([&] { return site.StatusOf(uuids[3]) == "undeliverable"; }));
  const auto listed = site.List("?status=undeliverable");
  CHECK(CountOf(listed, "\"uuid\"") == 2);
  CHECK(listed.find(uuids[3].ToString()) < listed.find(uuids[0].ToString()));  // newest first
  CHECK_THAT(listed, ContainsSubstring(R"("reason":"unroutable","apiVersion":"T/v1")"));
  CHECK_THAT(listed, ContainsSubstring(R"("undeliverableAt":"2)"));

  const auto answer = site.Post("/triggers/" + uuids[3].ToString() + "/redeliver");
  CHECK(answer.status == 202);
  CHECK_THAT(answer.body, ContainsSubstring(R"("status":"queued")"));
  CHECK(site.StatusOf(uuids[3]) == "queued");
  CHECK(site.queue->Stats().undeliverable == 1);
  CHECK(site.queue->Stats().depth == 1);
  // It is still so after a restart, and once more does not double it.
  site.Open();
  CHECK(site.Post("/triggers/" + uuids[3].ToString() + "/redeliver").status == 202);
  CHECK(site.queue->Stats().depth == 1);
  taken = site.Take();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].uuid == uuids[3]);
  CHECK_FALSE(taken[0].body.empty());
  CHECK(site.Take().empty());
  site.Settle(taken, true);
  REQUIRE(Eventually([&] { return site.StatusOf(uuids[3]) == "published"; }));
  CHECK(site.queue->Stats().depth == 0);
  site.Open();
  CHECK(site.Take().empty());
  CHECK(site.queue->Stats().undeliverable == 1);
  CHECK(CountOf(site.List("?status=undeliverable"), "\"uuid\"") == 1);
}

TEST_CASE("what fails again is listed again with the new reason", "[redeliver]") {
  Site site;
  const auto uuids = site.Put(1);
  site.Settle(site.Take(), false);
  REQUIRE(Eventually([&] { return site.StatusOf(uuids[0]) == "undeliverable"; }));
  const auto bytes = site.queue->Stats().bytes;
  REQUIRE(site.Post("/triggers/redeliver?status=undeliverable").status == 202);
  CHECK(site.queue->Stats().bytes == bytes);
  const auto taken = site.Take();
  REQUIRE(taken.size() == 1);
  site.queue->Settle(std::vector<Outcome>{{taken[0].seq, false, "refused: too large"}});
  REQUIRE(Eventually([&] { return site.StatusOf(uuids[0]) == "undeliverable"; }));
  CHECK(site.queue->Find(uuids[0])->reason == "refused: too large");
  CHECK(site.queue->Stats().undeliverable == 1);
  CHECK(site.queue->Stats().bytes == bytes);
  site.Open();
  CHECK(site.queue->Stats().bytes == bytes);
}

TEST_CASE("all that match are delivered again, the others not", "[redeliver]") {
  Site site;
  site.Put(5000);  // more than one step
  for (auto taken = site.Take(); !taken.empty(); taken = site.Take()) site.Settle(taken, false);
  REQUIRE(Eventually([&] { return site.queue->Stats().undeliverable == 5000; }));
  const auto answer = site.Post("/triggers/redeliver?status=undeliverable&protocol=B");
  CHECK(answer.status == 202);
  CHECK(answer.body == "{\"redelivered\":2500}\n");
  CHECK(site.queue->Stats().undeliverable == 2500);
  std::set<std::int64_t> seqs;
  for (auto taken = site.Take(); !taken.empty(); taken = site.Take()) {
    for (const auto& each : taken) {
      CHECK(each.protocol == "B");
      CHECK(seqs.insert(each.seq).second);
    }
    site.Settle(taken, true);
  }
  CHECK(seqs.size() == 2500);
  CHECK(site.Post("/triggers/redeliver?status=undeliverable&source=other").body ==
        "{\"redelivered\":0}\n");
  REQUIRE(Eventually([&] { return site.queue->Stats().depth == 0; }));
  REQUIRE(Eventually([&] {
    return site.Post("/triggers/redeliver?status=published").body == "{\"redelivered\":2500}\n";
  }));
}

TEST_CASE("redelivery does not stand in the way of new triggers", "[redeliver]") {
  Site site;
  const auto uuids = site.Put(2);
  site.Settle(site.Take(), false);
  REQUIRE(Eventually([&] { return site.StatusOf(uuids[0]) == "undeliverable"; }));
  REQUIRE(site.Post("/triggers/" + uuids[0].ToString() + "/redeliver").status == 202);
  const auto later = site.Put(1);
  std::set<std::string> taken;
  for (auto batch = site.Take(); !batch.empty(); batch = site.Take()) {
    for (const auto& each : batch) taken.insert(each.uuid.ToString());
  }
  CHECK(taken == std::set{uuids[0].ToString(), later[0].ToString()});
}

TEST_CASE("history that is to be delivered again is not trimmed before", "[redeliver]") {
  Site site;
  site.queue_options.max_history = 0;
  site.Open();
  const auto uuids = site.Put(3);
  auto taken = site.Take();
  site.Settle({taken[1], taken[2]}, true);
  site.Settle({taken[0]}, false);
  REQUIRE(Eventually([&] { return site.StatusOf(uuids[1]) == "unknown"; }));
  REQUIRE(site.Post("/triggers/" + uuids[0].ToString() + "/redeliver").status == 202);
  site.Put(10);
  CHECK(site.StatusOf(uuids[0]) == "queued");
  taken = site.Take();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].uuid == uuids[0]);
  site.Settle(taken, true);
  // Past retention already: it goes as soon as it is done.
  CHECK(Eventually([&] { return site.StatusOf(uuids[0]) == "unknown"; }));
  CHECK(site.Post("/triggers/" + uuids[0].ToString() + "/redeliver").status == 404);
}

TEST_CASE("a list comes in pages that have every trigger once", "[redeliver]") {
  Site site;
  const auto uuids = site.Put(10);
  std::set<std::string> seen;
  std::string target = "/triggers?limit=3&protocol=A&apiVersion=T%2Fv1&source=test";
  int pages = 0;
  for (; !target.empty(); ++pages) {
    const auto answer = Ask(site, "GET", target);
    REQUIRE(answer.status == 200);
    for (auto at = answer.body.find("\"uuid\":\""); at != std::string::npos;
         at = answer.body.find("\"uuid\":\"", at + 1)) {
      CHECK(seen.insert(answer.body.substr(at + 8, Uuid::kTextSize)).second);
    }
    const auto link = answer.Header("Link");
    CHECK((link.empty() || link.find(">; rel=\"next\"") != std::string::npos));
    target = link.empty() ? "" : std::string(link.substr(1, link.find('>') - 1));
  }
  CHECK(seen.size() == 5);
  CHECK(pages >= 2);
  CHECK(seen.count(uuids[0].ToString()) == 1);
  CHECK(CountOf(site.List("?status=queued"), "\"uuid\"") == 10);
  CHECK(CountOf(site.List("?status=published"), "\"uuid\"") == 0);
}

TEST_CASE("a query that means nothing is refused with what it may have", "[redeliver]") {
  Site site;
  for (const auto* query :
       {"?status=lost", "?limit=0", "?limit=1001", "?limit=x", "?before=-1", "?state=queued"}) {
    CAPTURE(query);
    CHECK(Ask(site, "GET", std::string("/triggers") + query).status == 400);
  }
  for (const auto* target :
       {"redeliver", "redeliver?status=queued", "redeliver?limit=1", "x/redeliver"}) {
    CAPTURE(target);
    CHECK(site.Post(std::string("/triggers/") + target).status == 400);
  }
  CHECK(site.Post("/triggers/01890a5d-ac96-774b-bcce-b302099a8057/redeliver").status == 404);
}

TEST_CASE("a file of the version before is taken over", "[redeliver]") {
  Site site;
  const auto uuids = site.Put(1);
  site.server->Stop();
  site.queue.reset();
  {
    auto database = Database::Open(site.queue_options.path, Database::Access::kReadWrite);
    REQUIRE(database);
    REQUIRE(database->Execute("DROP TABLE redeliveries; PRAGMA user_version = 1;"));
  }
  site.Open();
  CHECK(site.StatusOf(uuids[0]) == "queued");
  site.Settle(site.Take(), false);
  REQUIRE(Eventually([&] { return site.StatusOf(uuids[0]) == "undeliverable"; }));
  CHECK(site.Post("/triggers/redeliver?status=undeliverable").body == "{\"redelivered\":1}\n");
}

}  // namespace
}  // namespace tower
