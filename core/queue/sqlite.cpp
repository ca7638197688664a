#include "core/queue/sqlite.h"

#include <sqlite3.h>

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>

namespace tower {
namespace {

Error ErrorOf(int code, sqlite3* database) {
  Error error{ErrorCode::kUnavailable, sqlite3_errstr(code)};
  if (code == SQLITE_FULL) error.code = ErrorCode::kFull;
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR) {
    error.code = ErrorCode::kPermanent;
  }
  if (database == nullptr) return error;
  if (const int system_error = sqlite3_system_errno(database);
      system_error != 0 && (code == SQLITE_IOERR || code == SQLITE_CANTOPEN)) {
    error.message += " (" + ErrnoText(system_error) + ")";
  } else if (code == SQLITE_ERROR || code == SQLITE_CONSTRAINT) {
    error.message = sqlite3_errmsg(database);
  }
  return error;
}

Error NoTransaction() {
  return {ErrorCode::kUnavailable, "an error before has ended the transaction"};
}

Error ErrorOf(int code, sqlite3_stmt* statement) {
  return ErrorOf(code & 0xff, sqlite3_db_handle(statement));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

void Statement::BindOne(int index, std::int64_t value) noexcept {
  sqlite3_bind_int64(statement_.get(), index, value);
}

void Statement::BindOne(int index, std::string_view text) noexcept {
  // A view without storage would bind NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  sqlite3_bind_text(statement_.get(), index, data, static_cast<int>(text.size()), SQLITE_STATIC);
}

void Statement::BindOne(int index, Blob blob) noexcept {
  const char* data = blob.bytes.data() == nullptr ? "" : blob.bytes.data();
  sqlite3_bind_blob64(statement_.get(), index, data, blob.bytes.size(), SQLITE_STATIC);
}

void Statement::BindOne(int index, std::nullptr_t) noexcept {
  sqlite3_bind_null(statement_.get(), index);
}

bool Statement::MayRun() const noexcept {
  return !in_transaction_ || sqlite3_get_autocommit(sqlite3_db_handle(statement_.get())) == 0;
}

Result<bool> Statement::Step() {
  if (!MayRun()) return NoTransaction();
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  sqlite3_reset(statement_.get());
  if (code == SQLITE_DONE) return false;
  return ErrorOf(code, statement_.get());
}

Status Statement::Finish() {
  if (!MayRun()) return NoTransaction();
  const int code = sqlite3_step(statement_.get());
  sqlite3_reset(statement_.get());
  if (code == SQLITE_DONE || code == SQLITE_ROW) return Ok();
  return ErrorOf(code, statement_.get());
}

void Statement::Reset() noexcept { sqlite3_reset(statement_.get()); }

std::int64_t Statement::Int(int column) const noexcept {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::Bytes(int column) const noexcept {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return data == nullptr ? std::string_view() : std::string_view(data, size);
}

bool Statement::IsNull(int column) const noexcept {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::CloseDatabase::operator()(sqlite3* database) const noexcept {
  sqlite3_close_v2(database);
}

Result<Database> Database::Open(const std::string& path, Access access) {
  // Statistics that nobody reads would cost a mutex around every allocation. Refused, without harm,
  // once the library is in use.
  [[maybe_unused]] static const int unmeasured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  const int flags = SQLITE_OPEN_NOMUTEX |
                    (access == Access::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) return ErrorOf(code & 0xff, raw);
  sqlite3_busy_timeout(raw, 5000);
  return database;
}

Status Database::Execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return Ok();
  return ErrorOf(code & 0xff, database_.get());
}

Result<Statement> Database::Prepare(std::string_view sql, Within within) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement(raw, within == Within::kTransaction);
  if (code != SQLITE_OK) return ErrorOf(code & 0xff, database_.get());
  return statement;
}

Status Database::PrepareAll(std::initializer_list<StatementText> all, Within within) {
  for (const auto& [statement, sql] : all) {
    auto prepared = Prepare(sql, within);
    if (!prepared) return prepared.error();
    statement = std::move(*prepared);
  }
  return Ok();
}

Result<std::optional<std::int64_t>> Database::QueryInt(std::string_view sql) {
  auto statement = Prepare(sql);
  if (!statement) return statement.error();
  auto row = statement->Step();
  if (!row) return row.error();
  if (!*row) return std::optional<std::int64_t>();
  return std::optional<std::int64_t>(statement->Int(0));
}

// The check is one instruction of SQLite's machine. Before 3.42 no progress handler is called
// within it, but it looks at each page for an interrupt.
Status Database::QuickCheck(std::chrono::milliseconds budget) try {
  auto statement = Prepare("PRAGMA quick_check(1)");
  if (!statement) return statement.error();
  const auto until = std::chrono::steady_clock::now() + budget;
  std::jthread alarm([this, until](const std::stop_token& done) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait_until(lock, done, until, [] { return false; });
    if (!done.stop_requested()) sqlite3_interrupt(database_.get());
  });
  const int code = sqlite3_step(statement->statement_.get());
  const std::string found(code == SQLITE_ROW ? statement->Bytes(0) : std::string_view());
  alarm.request_stop();
  alarm.join();
  if (code == SQLITE_INTERRUPT || found == "ok") return Ok();
  if (code != SQLITE_ROW) return ErrorOf(code & 0xff, database_.get());
  return Error{ErrorCode::kPermanent, found};
} catch (const std::system_error& error) {
  return Error{ErrorCode::kUnavailable, std::string("check the file: ") + error.what()};
}

void Database::CheckpointOnClose(bool fold) noexcept {
  sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, fold ? 0 : 1, nullptr);
}

bool Database::in_transaction() const noexcept {
  return sqlite3_get_autocommit(database_.get()) == 0;
}

std::string_view SqliteVersion() noexcept { return sqlite3_libversion(); }

}  // namespace tower
