#include "core/queue/schema.h"

#include <string>

namespace tower {
namespace {

constexpr std::int64_t kPageSize = 8192;  // of new files; half the writes of SQLite's own 4096

constexpr const char* kSchema = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE triggers(
  seq INTEGER PRIMARY KEY, uuid BLOB NOT NULL, source INTEGER NOT NULL, accepted_ms INTEGER NOT NULL,
  position INTEGER NOT NULL, api_version TEXT NOT NULL, protocol TEXT NOT NULL, traceparent TEXT NOT NULL,
  tracestate TEXT NOT NULL, client TEXT NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX triggers_uuid ON triggers(uuid);
CREATE TABLE sources(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE state(
  id INTEGER PRIMARY KEY CHECK (id = 1), cursor INTEGER NOT NULL, cursor_position INTEGER NOT NULL,
  trimmed INTEGER NOT NULL, trimmed_position INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0, 0, 0);
CREATE TABLE settlements(seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL);
CREATE TABLE undeliverable(
  seq INTEGER PRIMARY KEY, reason TEXT NOT NULL, at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE redeliveries(number INTEGER PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, bytes INTEGER NOT NULL);
CREATE TABLE deferred(seq INTEGER PRIMARY KEY, routing_key TEXT NOT NULL, bytes INTEGER NOT NULL);
CREATE INDEX deferred_key ON deferred(routing_key, seq);
CREATE TABLE discarded(
  number INTEGER PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, reason TEXT NOT NULL, who TEXT NOT NULL,
  at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE keys(
  source INTEGER NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, uuids BLOB NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE INDEX keys_seq ON keys(seq);
CREATE TABLE checkpoints(
  source INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;
PRAGMA application_id = 1131706226;
PRAGMA user_version = 3;
COMMIT;
)sql";
static_assert(kApplicationId == 1131706226 && kFormatVersion == 3);

}  // namespace

Status MakeTables(Database& database) {
  const std::string size = "PRAGMA page_size=" + std::to_string(kPageSize);
  if (auto set = database.Execute(size.c_str()); !set) return set;
  return database.Execute(kSchema);
}

Status CheckFormat(Database& database) {
  auto application = database.QueryInt("PRAGMA application_id");
  if (!application) return application.error();
  auto version = database.QueryInt("PRAGMA user_version");
  if (!version) return version.error();
  if (**application != kApplicationId) {
    return Error{ErrorCode::kInvalid, "it is a database of another program"};
  }
  if (**version != kFormatVersion) {
    return Error{ErrorCode::kInvalid, "it has format version " + std::to_string(**version) +
                                          ", this control-tower reads version " +
                                          std::to_string(kFormatVersion)};
  }
  return Ok();
}

}  // namespace tower
