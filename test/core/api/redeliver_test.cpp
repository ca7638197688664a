// Listing triggers and delivering them again: the queue's side and HTTP's.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <set>

#include "core/api/trigger_api.h"
#include "core/queue/queue.h"
#include "core/queue/sqlite.h"
#include "test/support/eventually.h"
#include "test/support/handoff.h"
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
    AddTriggerApi(*server, *queue, metrics, std::make_shared<Lookups>());
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
      outcomes.push_back({each.seq, published ? Fate::kPublished : Fate::kUndeliverable,
                          published ? "" : "unroutable"});
    }
    queue->Settle(outcomes);
  }
  std::string StatusOf(const Uuid& uuid) {
    const auto record = queue->Find(uuid);
    return record ? std::string(ToString(record->state)) : "unknown";
  }
  BulkOutcome RedeliverAll(const TriggerFilter& filter, const BulkOptions& bulk) {
    Told<BulkOutcome> outcome;
    queue->RedeliverAll(filter, bulk, outcome.Teller());
    return outcome.Get();
  }
  BulkOutcome DiscardAll(const TriggerFilter& filter, const BulkOptions& bulk) {
    Told<BulkOutcome> outcome;
    queue->DiscardAll(filter, bulk, "alice", outcome.Teller());
    return outcome.Get();
  }
  Result<std::int64_t> Discard(const Uuid& uuid) {
    Told<Result<std::int64_t>> outcome;
    queue->Discard(uuid, "alice", outcome.Teller());
    return outcome.Get();
  }
  HttpAnswer Post(const std::string& target) { return Ask(*this, "POST", target); }
  HttpAnswer PostJson(const std::string& target, const std::string& body) {
    return Ask(*this, "POST", target, body, "Content-Type: application/json\r\n");
  }
  HttpAnswer Redeliver(const std::string& body) { return PostJson("/triggers/redeliver", body); }
  HttpAnswer Discard(const std::string& body) { return PostJson("/triggers/discard", body); }
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
  REQUIRE(site.Redeliver(R"({"status":"undeliverable"})").status == 202);
  CHECK(site.queue->Stats().bytes == bytes);
  const auto taken = site.Take();
  REQUIRE(taken.size() == 1);
  site.queue->Settle(
      std::vector<Outcome>{{taken[0].seq, Fate::kUndeliverable, "refused: too large"}});
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
  const TriggerFilter filter{.state = TriggerState::kUndeliverable, .protocol = "B"};
  const auto dry = site.RedeliverAll(filter, {.dry_run = true});
  CHECK(dry.status);
  CHECK(dry.matched == 2500);
  CHECK(dry.changed == 0);
  for (const auto& confirm : {std::optional<std::int64_t>(), std::optional<std::int64_t>(2499),
                              std::optional<std::int64_t>(2501)}) {
    const auto refused = site.RedeliverAll(filter, {.confirm = confirm});
    CHECK(refused.changed == 0);
    CHECK(refused.matched == 2500);
    REQUIRE_FALSE(refused.status);
    CHECK(refused.status.error().code == ErrorCode::kConflict);
    CHECK_THAT(refused.status.error().message, ContainsSubstring("2500 triggers fit"));
  }
  CHECK(site.Redeliver(R"({"status":"undeliverable","protocol":"B"})").status == 409);
  CHECK(site.queue->Stats().undeliverable == 5000);
  const auto answer = site.RedeliverAll(filter, {.confirm = 2500});
  CHECK(answer.status);
  CHECK(answer.changed == 2500);
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
  CHECK(site.Redeliver(R"({"status":"undeliverable","source":"other"})").body ==
        "{\"redelivered\":0}\n");
  REQUIRE(Eventually([&] { return site.queue->Stats().depth == 0; }));
  REQUIRE(Eventually([&] {
    return site.RedeliverAll({.state = TriggerState::kPublished}, {.confirm = 2500}).changed ==
           2500;
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

TEST_CASE("a parameter that is unknown, doubled, empty or wrong is refused by name",
          "[redeliver]") {
  Site site;
  for (const auto& [query, named] : std::initializer_list<std::pair<std::string, std::string>>{
           {"?status=lost", "status"},
           {"?status=", "status"},
           {"?status", "status"},
           {"?status=queued&status=published", "status"},
           {"?protocol=", "protocol"},
           {"?protocol=A&source=x&protocol=B", "protocol"},
           {"?apiVersion=", "apiVersion"},
           {"?source=", "source"},
           {"?since=yesterday", "since"},
           {"?until=2026-03-29T08:00:00", "until"},
           {"?limit=0", "limit"},
           {"?limit=1001", "limit"},
           {"?limit=x", "limit"},
           {"?before=-1", "before"},
           {"?limt=2", "did you mean limit?"},
           {"?state=queued", "state"},
           {"?STATUS=queued", "STATUS"},
           {"?status=queued&status=queued", "status"},
           {"?=queued", "parameter"}}) {
    CAPTURE(query);
    const auto answer = Ask(site, "GET", "/triggers" + query);
    CHECK(answer.status == 400);
    CHECK_THAT(answer.body, ContainsSubstring(named));
  }
  CHECK(Ask(site, "GET", "/triggers?since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00%2B01:00")
            .status == 200);
  const std::string uuid = "01890a5d-ac96-774b-bcce-b302099a8057";
  CHECK(Ask(site, "GET", "/triggers/" + uuid + "?verbose").status == 400);
  CHECK(Ask(site, "DELETE", "/triggers/" + uuid + "?status=published").status == 400);
  CHECK(site.Post("/triggers/" + uuid + "/redeliver?dryRun=true").status == 400);
  CHECK(site.PostJson("/triggers?dry-run", R"({"apiVersion":"T/v1","protocol":"A","spec":{}})")
            .status == 400);
  CHECK(site.queue->Stats().depth == 0);
  CHECK(site.Post("/triggers/x/redeliver").status == 400);
  CHECK(site.Post("/triggers/" + uuid + "/redeliver").status == 404);
}

TEST_CASE("a filter that is not understood changes nothing, and every fault is named",
          "[redeliver]") {
  Site site;
  site.Put(2);
  site.Settle(site.Take(), false);
  REQUIRE(Eventually([&] { return site.queue->Stats().undeliverable == 2; }));
  for (const auto& [body, named] : std::initializer_list<std::pair<std::string, std::string>>{
           {"", "the filter"},
           {"[]", "must be an object"},
           {"{}", "/status"},
           {R"({"status":""})", "/status"},
           {R"({"status":"queued"})", "/status"},
           {R"({"status":"lost"})", "/status"},
           {R"({"status":null})", "/status"},
           {R"({"status":["undeliverable"]})", "/status"},
           {R"({"status":"undeliverable","status":"undeliverable"})", "/status"},
           {R"({"status":"undeliverable","protocol":""})", "/protocol"},
           {R"({"status":"undeliverable","protocol":null})", "/protocol"},
           {R"({"status":"undeliverable","apiVersion":1})", "/apiVersion"},
           {R"({"status":"undeliverable","source":""})", "/source"},
           {R"({"status":"undeliverable","sorce":"x"})", "did you mean source?"},
           {R"({"status":"undeliverable","since":"2026-03-29"})", "/since"},
           {R"({"status":"undeliverable","until":1700000000})", "/until"},
           {R"({"status":"undeliverable","dryRun":"true"})", "/dryRun"},
           {R"({"status":"undeliverable","confirm":-1})", "/confirm"},
           {R"({"status":"undeliverable","confirm":1.5})", "/confirm"},
           {R"({"status":"undeliverable","confirm":"2"})", "/confirm"},
           {R"({"status":"undeliverable","limit":1})", "/limit"}}) {
    for (const auto* change : {"redeliver", "discard"}) {
      CAPTURE(change, body);
      const auto answer = site.PostJson(std::string("/triggers/") + change, body);
      CHECK(answer.status == 400);
      CHECK_THAT(answer.body, ContainsSubstring(named));
    }
  }
  const auto two = site.Discard(R"({"status":"published","protocol":""})");
  CHECK_THAT(two.body, ContainsSubstring("/status") && ContainsSubstring("/protocol"));
  for (const auto* target : {"/triggers/redeliver", "/triggers/discard"}) {
    const auto with_query = std::string(target) + "?status=undeliverable";
    CHECK(site.Post(target).status == 415);
    CHECK(site.PostJson(with_query, R"({"status":"undeliverable"})").status == 400);
    CHECK(Ask(site, "POST", target, R"({"status":"undeliverable"})", "Content-Type: text/plain\r\n")
              .status == 415);
  }
  CHECK(site.queue->Stats().undeliverable == 2);
  CHECK(site.queue->Stats().depth == 0);
}

TEST_CASE("more than a thousand are changed only once their number is confirmed", "[redeliver]") {
  const CapturedLogs logs;
  Site site;
  site.Put(2200);
  for (auto taken = site.Take(); !taken.empty(); taken = site.Take()) site.Settle(taken, false);
  REQUIRE(Eventually([&] { return site.queue->Stats().undeliverable == 2200; }));
  const std::string filter = R"({"status":"undeliverable","protocol":"A")";
  CHECK(site.Discard(filter + R"(,"dryRun":true})").body == "{\"dryRun\":true,\"matched\":1100}\n");
  for (const auto* confirm : {"", R"(,"confirm":1099)", R"(,"confirm":0)"}) {
    const auto refused = site.Discard(filter + confirm + "}");
    CHECK(refused.status == 409);
    CHECK_THAT(refused.body, ContainsSubstring(R"("matched":1100,"discarded":0})"));
    CHECK_THAT(refused.body, ContainsSubstring(R"(send \"confirm\": 1100)"));
  }
  CHECK(site.queue->Stats().undeliverable == 2200);
  const auto done = site.Discard(filter + R"(,"confirm":1100})");
  CHECK(done.status == 202);
  CHECK(done.body == "{\"discarded\":1100}\n");
  CHECK(site.queue->Stats().undeliverable == 1100);
  CHECK(site.Redeliver(R"({"status":"undeliverable"})").status == 409);
  CHECK(site.Redeliver(R"({"status":"undeliverable","confirm":1100})").body ==
        "{\"redelivered\":1100}\n");
  CHECK(site.queue->Stats().depth == 1100);
  CHECK_THAT(logs.text(), ContainsSubstring("triggers discarded on request") &&
                              ContainsSubstring(
                                  R"("count":1100,"triggers":"status=undeliverable protocol=A")") &&
                              ContainsSubstring("triggers redelivered on request") &&
                              ContainsSubstring(R"("peer":"127.0.0.1")"));
  CHECK_THAT(site.metrics.Render(), ContainsSubstring("triggers_discarded_total 1100\n"));
}

TEST_CASE("DELETE discards one undeliverable trigger, and nothing else", "[redeliver]") {
  const CapturedLogs logs;
  Site site;
  const auto uuids = site.Put(3);
  auto taken = site.Take();
  site.Settle({taken[0]}, false);
  site.Settle({taken[1]}, true);
  REQUIRE(Eventually([&] { return site.StatusOf(uuids[1]) == "published"; }));
  const auto remove = [&](const std::string& uuid) {
    return Ask(site, "DELETE", "/triggers/" + uuid);
  };
  const auto first = uuids[0].ToString();
  for (int i = 0; i < 2; ++i) {
    const auto answer = remove(first);
    CHECK(answer.status == 200);
    CHECK(answer.body == "{\"uuid\":\"" + first + "\",\"status\":\"discarded\"}\n");
  }
  CHECK_THAT(Ask(site, "GET", "/triggers/" + first).body,
             ContainsSubstring(R"("status":"discarded")") &&
                 ContainsSubstring(R"("discardedBy":"127.0.0.1","reason":"unroutable")"));
  CHECK(remove(uuids[1].ToString()).status == 409);
  CHECK(remove(uuids[2].ToString()).status == 409);
  CHECK(remove("01890a5d-ac96-774b-bcce-b302099a8057").status == 404);
  CHECK(remove("x").status == 400);
  CHECK(site.StatusOf(uuids[1]) == "published");
  CHECK(site.StatusOf(uuids[2]) == "queued");
  CHECK_THAT(logs.text(), ContainsSubstring(R"("count":1,"triggers":"uuid=)" + first));
}

TEST_CASE("a discarded trigger is no longer undeliverable, and its record says who and when",
          "[redeliver]") {
  Site site;
  const auto uuids = site.Put(4);
  auto taken = site.Take();
  site.Settle({taken[0], taken[1], taken[2]}, false);
  REQUIRE(Eventually([&] { return site.queue->Stats().undeliverable == 3; }));
  const auto bytes = site.queue->Stats().bytes;
  CHECK(site.Discard(uuids[1]).value() == 1);
  CHECK(site.Discard(uuids[1]).value() == 0);
  CHECK(site.Discard(uuids[3]).error().code == ErrorCode::kConflict);
  CHECK(site.Discard(NewUuidV7()).error().code == ErrorCode::kNotFound);
  CHECK(site.queue->Stats().undeliverable == 2);
  CHECK(site.queue->Stats().bytes < bytes);
  CHECK(site.StatusOf(uuids[1]) == "discarded");
  CHECK(site.queue->Find(uuids[1])->reason == "unroutable");
  const auto listed = site.List("?status=discarded");
  CHECK(CountOf(listed, "\"uuid\"") == 1);
  CHECK_THAT(listed, ContainsSubstring(R"("discardedAt":"2)"));
  CHECK_THAT(listed, ContainsSubstring(R"("discardedBy":"alice")"));
  CHECK(CountOf(site.List("?status=undeliverable"), "\"uuid\"") == 2);

  // The same from the file, where the cursor has not passed it: it is not published again.
  site.Open();
  CHECK(site.StatusOf(uuids[1]) == "discarded");
  taken = site.Take();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].uuid == uuids[3]);
  site.Settle(taken, true);

  CHECK(site.DiscardAll({.protocol = "none"}, {}).changed == 0);
  CHECK(site.DiscardAll({}, {}).changed == 2);
  CHECK(site.queue->Stats().undeliverable == 0);
  // It can be delivered again as long as it is kept.
  CHECK(site.Post("/triggers/" + uuids[1].ToString() + "/redeliver").status == 202);
  CHECK(site.StatusOf(uuids[1]) == "queued");
  CHECK(site.RedeliverAll({.state = TriggerState::kDiscarded}, {}).changed == 2);
  CHECK(site.Take().size() == 3);
}

TEST_CASE("a discarded trigger is kept for the retention and goes like history", "[redeliver]") {
  Site site;
  site.queue_options.max_history = 2;
  site.Open();
  const auto uuids = site.Put(8);
  site.Settle(site.Take(), false);
  site.Put(8);
  site.Settle(site.Take(), true);
  REQUIRE(Eventually([&] { return site.queue->Stats().depth == 0; }));
  for (const auto& uuid : uuids) CHECK(site.Discard(uuid).value() == 1);
  // The log's trimming has passed them all; the two that were discarded last are kept.
  CHECK(Eventually([&] {
    return site.StatusOf(uuids[5]) == "unknown" && site.StatusOf(uuids[6]) == "discarded";
  }));
  CHECK(CountOf(site.List("?status=discarded"), "\"uuid\"") == 2);
}

TEST_CASE("a bulk change takes what was accepted in a time", "[redeliver]") {
  Site site;
  const auto uuids = site.Put(3);
  site.Settle(site.Take(), false);
  REQUIRE(Eventually([&] { return site.queue->Stats().undeliverable == 3; }));
  const auto time = site.queue->Find(uuids[0])->trigger.accepted_at;
  const auto later = time + std::chrono::milliseconds(1);
  const BulkOptions dry{.dry_run = true};
  CHECK(site.RedeliverAll({.since = time}, dry).matched == 3);
  CHECK(site.RedeliverAll({.since = later}, dry).matched == 0);
  CHECK(site.RedeliverAll({.until = time}, dry).matched == 0);
  CHECK(site.RedeliverAll({.since = time, .until = later}, dry).matched == 3);
  CHECK(site.DiscardAll({.until = time}, {}).changed == 0);
  CHECK(site.queue->List({.since = time, .until = later}, 10, 0)->records.size() == 3);
  CHECK(site.queue->List({.since = later}, 10, 0)->records.empty());
}

TEST_CASE("a file of another version is refused and left as it is", "[redeliver]") {
  Site site;
  site.server->Stop();
  site.queue.reset();
  {
    auto database = Database::Open(site.queue_options.path, Database::Access::kReadWrite);
    REQUIRE(database);
    REQUIRE(database->Execute("PRAGMA user_version = 2;"));
  }
  const auto opened = TriggerQueue::Open(site.queue_options, {}, site.metrics);
  REQUIRE_FALSE(opened);
  CHECK_THAT(opened.error().message, ContainsSubstring("format version 2"));
}

}  // namespace
}  // namespace tower
