#include "core/queue/sqlite.h"

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <string>

#include "test/support/temp_dir.h"

namespace tower {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAmple{600'000};
constexpr int kPage = 4096;

// 16 MB, of which the first leaf is no page: it is looked at last.
std::string Damaged(const TempDir& dir) {
  const std::string path = dir / "damaged.db";
  std::ofstream(path).flush();  // Open makes none
  {
    auto database = Database::Open(path, Database::Access::kReadWrite);
    REQUIRE(database);
    REQUIRE(database->Execute(
        "PRAGMA page_size=4096; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 16000)"
        " INSERT INTO t SELECT i, printf('%0900d', i) FROM n;"));
    REQUIRE(database->QuickCheck(kAmple));
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(2 * kPage);  // behind the schema and the root
  file << std::string(kPage, '\xff');
  REQUIRE(file.flush());
  return path;
}

TEST_CASE("a check of a file ends when its time is up, and finds damage when it has time",
          "[sqlite]") {
  const TempDir dir;
  auto database = Database::Open(Damaged(dir), Database::Access::kReadOnly);
  REQUIRE(database);
  // How far it gets is the machine's affair: that it does not always get to the end.
  bool ended_early = false;
  for (int i = 0; i < 100 && !ended_early; ++i) {
    ended_early = static_cast<bool>(database->QuickCheck(milliseconds(0)));
  }
  CHECK(ended_early);
  const auto whole = database->QuickCheck(kAmple);
  REQUIRE(!whole);
  CHECK(whole.error().code == ErrorCode::kPermanent);
  CHECK(database->QueryInt("SELECT count(*) FROM t WHERE a > 15900"));  // no interrupt is left over
}

TEST_CASE("a statement of a transaction never runs outside of one", "[sqlite]") {
  auto database = Database::Open(":memory:", Database::Access::kReadWrite);
  REQUIRE(database);
  REQUIRE(database->Execute("CREATE TABLE t(a)"));
  auto insert = database->Prepare("INSERT INTO t VALUES (1)", Database::Within::kTransaction);
  REQUIRE(insert);
  CHECK_FALSE(insert->Run());
  CHECK_FALSE(insert->Step());
  REQUIRE(database->Execute("BEGIN"));
  CHECK(insert->Run());
  REQUIRE(database->Execute("ROLLBACK"));
  CHECK_FALSE(insert->Run());
  CHECK(database->QueryInt("SELECT count(*) FROM t").value() == 0);
}

}  // namespace
}  // namespace tower
