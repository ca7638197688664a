// The queue's file from below: rows that are appended are stored several at once.
#include "core/queue/store.h"

#include <catch2/catch_test_macros.hpp>

#include "core/base/uuid.h"
#include "core/queue/reader.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

QueueRow Row(int n) {
  QueueRow row;
  row.trigger.uuid = NewUuidV7();
  row.trigger.source = "test";
  row.trigger.api_version = "OT-2/v1alpha1";
  row.trigger.protocol = "Dilute";
  row.trigger.body = "{" + std::to_string(n) + "}";
  return row;
}

std::vector<QueueRow> Rows(std::size_t count) {
  std::vector<QueueRow> rows;
  while (rows.size() < count) rows.push_back(Row(static_cast<int>(rows.size())));
  return rows;
}

struct Fixture {
  TempDir folder;
  QueueOptions options{.path = folder / "queue.db"};
  std::unique_ptr<QueueStore> store = std::move(*QueueStore::Open(options));
  std::unique_ptr<QueueReader> reader =
      std::move(*QueueReader::Open(options.path, store->shared()));

  void Append(std::vector<QueueRow>& rows) const {
    for (auto& row : rows) REQUIRE(store->log().Append(row));
  }
  std::vector<QueueRow> Stored() const {
    return reader->Rows(0, store->ends().last_seq, 1000, 1 << 20).value();
  }
};

TEST_CASE("whatever their number, rows are stored in order and as they are", "[queue]") {
  Fixture f;
  std::vector<QueueRow> all;
  for (const std::size_t count : {1, 7, 8, 9, 16, 50}) {
    auto rows = Rows(count);
    REQUIRE(f.store->Begin());
    f.Append(rows);
    REQUIRE(f.store->Commit());
    all.insert(all.end(), rows.begin(), rows.end());
  }
  const auto stored = f.Stored();
  REQUIRE(stored.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(stored[i].trigger.seq == static_cast<std::int64_t>(i) + 1);
    CHECK(stored[i].trigger.uuid == all[i].trigger.uuid);
    CHECK(stored[i].trigger.body == all[i].trigger.body);
    CHECK(stored[i].position == all[i].position);
  }
}

TEST_CASE("rows of a transaction that was undone are not stored by the next one", "[queue]") {
  Fixture f;
  {
    auto undone = Rows(3);
    REQUIRE(f.store->Begin());
    f.Append(undone);
    f.store->Rollback();
  }
  auto rows = Rows(2);
  REQUIRE(f.store->Begin());
  f.Append(rows);
  REQUIRE(f.store->Commit());
  CHECK(f.store->ends().last_seq == 2);
  const auto stored = f.Stored();
  REQUIRE(stored.size() == 2);
  CHECK(stored.front().trigger.uuid == rows.front().trigger.uuid);
}

TEST_CASE("a transaction sees the rows that it has appended", "[queue]") {
  Fixture f;
  auto rows = Rows(3);
  const auto& first = rows.front().trigger;
  REQUIRE(f.store->Begin());
  f.Append(rows);
  SECTION("by uuid") { CHECK(f.store->log().FindBody(first.uuid).value() == first.body); }
  SECTION("all that may be delivered again") {
    CHECK(f.store->lists().Candidates(0, 10, std::nullopt, 10).value().size() == 3);
  }
  SECTION("one that may be delivered again") {
    CHECK(f.store->lists().FindCandidate(first.uuid).value());
  }
  REQUIRE(f.store->Commit());
  CHECK(f.Stored().size() == 3);
}

TEST_CASE("a uuid that is there already ends the transaction, and nothing of it stays", "[queue]") {
  Fixture f;
  auto before = Rows(1);
  REQUIRE(f.store->Begin());
  f.Append(before);
  REQUIRE(f.store->Commit());
  auto rows = Rows(8);
  rows[5].trigger.uuid = before.front().trigger.uuid;
  REQUIRE(f.store->Begin());
  Status appended = Ok();
  for (auto& row : rows) appended = appended ? f.store->log().Append(row) : appended;
  CHECK(!appended);
  f.store->Rollback();
  CHECK(f.store->ends().last_seq == 1);
  REQUIRE(f.store->Begin());
  REQUIRE(f.store->Commit());
  CHECK(f.Stored().size() == 1);
}

}  // namespace
}  // namespace tower
