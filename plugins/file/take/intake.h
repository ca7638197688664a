// Takes one file: reads it, puts its triggers, and does with it what was asked for.
#ifndef PLUGINS_FILE_TAKE_INTAKE_H_
#define PLUGINS_FILE_TAKE_INTAKE_H_

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "core/base/result.h"
#include "core/watch/watcher.h"
#include "plugins/file/files.h"
#include "plugins/file/read/interpreter.h"
#include "plugins/file/retry_log.h"
#include "plugins/file/settings.h"
#include "plugins/file/take/disposal.h"
#include "plugins/file/take/ledger.h"

namespace tower::file {

class Intake {
 public:
  // All must outlive the intake.
  Intake(WatcherContext& tower, const Settings& settings, Mapping& mapping, Ledger& ledger,
         RetryLog& retry_log)
      : tower_(tower),
        settings_(settings),
        ledger_(ledger),
        retry_log_(retry_log),
        interpreter_(settings, mapping, tower.name),
        disposal_(settings, tower.log) {}

  enum class Verdict {
    kDone,      // handled, refused, left alone or gone
    kUnstable,  // it changed meanwhile or is still empty: look again once it has settled
  };

  // `expected` is the version that was found to be stable; without it the file was closed or moved
  // in just now. `undisturbed` tells, once the file was read, whether nobody wrote to it meanwhile.
  // Errors of the file are logged; an error that is returned is the queue's, or kStopped.
  Result<Verdict> Take(const Place& place, const std::optional<Version>& expected,
                       const std::function<bool()>& undisturbed, const std::stop_token& stop);

  // Whether a file that was handled has yet to be moved or deleted.
  bool IsDisposalDue(const Handled& handled) const { return disposal_.IsDue(handled); }

  // Writes what is known of files to the queue's disk, after the moves that it speaks of.
  Status Flush();
  bool FlushDue() const noexcept {
    return ledger_.unwritten() >= 1000 || disposal_.unsynced() >= 64;
  }

 private:
  Result<Verdict> TakeContent(const Place& place, Handled handled, const std::string& content,
                              const std::stop_token& stop);
  Result<Interpreter::Triggers> Interpret(const Place& place, const std::string& content,
                                          const std::stop_token& stop);
  // `where` in the file, for the log.
  Result<Verdict> Refuse(const Place& place, Handled handled, std::string_view why,
                         std::initializer_list<LogField> where = {});
  Result<Verdict> Refuse(const Place& place, Handled handled, const Refusal& refusal);
  void WriteReason(const Place& place, std::string_view why);
  void DeleteReason(const Place& place);
  // Where the file is then goes to `now_at`.
  Verdict Dispose(const Place& place, const Handled& handled, std::string* now_at = nullptr);

  WatcherContext& tower_;
  const Settings& settings_;
  Ledger& ledger_;
  RetryLog& retry_log_;
  Interpreter interpreter_;
  Disposal disposal_;
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_TAKE_INTAKE_H_
