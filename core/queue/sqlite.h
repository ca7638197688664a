// SQLite as RAII, as much of it as the queue needs. Only sqlite.cpp includes sqlite3.h.
//
// Errors: kFull (SQLITE_FULL: the disk or max_page_count), kPermanent (the file is damaged, no
// database, or not in our format), kUnavailable (the rest).
#ifndef CORE_QUEUE_SQLITE_H_
#define CORE_QUEUE_SQLITE_H_

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tower {

// A prepared statement. Must not outlive its Database. Text and blobs passed in must stay unchanged
// until the next Reset or Run ends.
class Statement {
 public:
  Statement() = default;

  // Binds all parameters in order: integers, strings (as text), Blob, nullptr and empty optionals
  // (as NULL).
  struct Blob {
    std::string_view bytes;
  };
  template <typename... Args>
  Statement& Bind(const Args&... args) {
    BindFrom(1, args...);
    return *this;
  }
  // The same for those from `index` on, counted from 1; returns the index of the next one. The
  // others keep what they were bound to.
  template <typename... Args>
  int BindFrom(int index, const Args&... args) {
    (BindOne(index++, args), ...);
    return index;
  }

  // True: a row is there to be read. False: done, and the statement was reset.
  Result<bool> Step();
  // Binds, steps to the end, resets.
  template <typename... Args>
  Status Run(const Args&... args) {
    Bind(args...);
    return Finish();
  }
  // Ends a statement that is not at its end; frees its read lock.
  void Reset() noexcept;

  // Of the row that is there; columns from 0. Views are good until the next Step or Reset.
  std::int64_t Int(int column) const noexcept;
  std::string_view Bytes(int column) const noexcept;
  bool IsNull(int column) const noexcept;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  Statement(sqlite3_stmt* statement, bool in_transaction)
      : in_transaction_(in_transaction), statement_(statement) {}
  bool MayRun() const noexcept;
  void BindOne(int index, std::int64_t value) noexcept;
  void BindOne(int index, std::string_view text) noexcept;
  void BindOne(int index, Blob blob) noexcept;
  void BindOne(int index, std::nullptr_t) noexcept;
  Status Finish();
  bool in_transaction_ = false;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Resets a statement at the end of a scope.
class StatementScope {
 public:
  explicit StatementScope(Statement& statement) : statement_(statement) {}
  ~StatementScope() { statement_.Reset(); }
  StatementScope(const StatementScope&) = delete;
  StatementScope& operator=(const StatementScope&) = delete;

 private:
  Statement& statement_;
};

// A connection. Used by one thread at a time.
class Database {
 public:
  enum class Access { kReadOnly, kReadWrite };
  // A file must exist; an empty one is an empty database. ":memory:" is a new one.
  static Result<Database> Open(const std::string& path, Access access);

  // One or more statements without parameters.
  Status Execute(const char* sql);
  // Some errors (of room, of I/O) end the whole transaction, and what runs after them would be
  // committed by itself: a statement of kTransaction fails where there is none.
  enum class Within { kAny, kTransaction };
  Result<Statement> Prepare(std::string_view sql, Within within = Within::kAny);
  struct StatementText {
    Statement& statement;
    std::string_view sql;
  };
  Status PrepareAll(std::initializer_list<StatementText> all, Within within = Within::kTransaction);
  // The first column of the first row; nothing when there is no row.
  Result<std::optional<std::int64_t>> QueryInt(std::string_view sql);
  // Runs PRAGMA quick_check for at most `budget`, and takes a file that is longer to read for sound
  // so far. The error says what was found.
  Status QuickCheck(std::chrono::milliseconds budget);
  // Whether closing the last connection folds the write-ahead log into the file; it does unless
  // told otherwise.
  void CheckpointOnClose(bool fold) noexcept;
  bool in_transaction() const noexcept;

 private:
  struct CloseDatabase {
    void operator()(sqlite3* database) const noexcept;
  };
  explicit Database(sqlite3* database) : database_(database) {}
  std::unique_ptr<sqlite3, CloseDatabase> database_;
};

// A connection and the lock that whoever uses it holds. In memory, writer and reader share one.
struct SharedDatabase {
  explicit SharedDatabase(Database opened) : database(std::move(opened)) {}
  std::mutex mutex;
  Database database;
};

// "3.40.1"
std::string_view SqliteVersion() noexcept;

}  // namespace tower

#endif  // CORE_QUEUE_SQLITE_H_
