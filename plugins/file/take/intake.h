// Takes one file: reads it, puts its triggers, and moves or deletes it as the options say.
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
    kDone,      // handled, refused, unreadable or gone
    kUnstable,  // it changed meanwhile or is still empty: try again once it has settled
  };

  // `expected` is the version that has settled; nothing if the file was just closed or moved in.
  // `undisturbed` is called once the file has been read, and returns whether nobody wrote to it
  // meanwhile. Errors of the file are logged; a returned error is the queue's, or kStopped.
  Result<Verdict> Take(const Place& place, const std::optional<Version>& expected,
                       const std::function<bool()>& undisturbed, const std::stop_token& stop);

  // Whether a file that was handled has yet to be moved or deleted.
  bool IsDisposalDue(const Handled& handled) const { return disposal_.IsDue(handled); }

  // Syncs moves and deletions, then writes the ledger.
  Status Flush();
  bool FlushDue() const noexcept {
    return ledger_.unwritten() >= 1000 || disposal_.unsynced() >= 64;
  }

 private:
  Result<Verdict> TakeContent(const Place& place, Handled handled, const std::string& content,
                              const std::stop_token& stop);
  Result<Interpreter::Triggers> Interpret(const Place& place, const std::string& content,
                                          const std::stop_token& stop);
  // `where` is the position in the file, for the log.
  Result<Verdict> Refuse(const Place& place, Handled handled, std::string_view why,
                         std::initializer_list<LogField> where = {});
  Result<Verdict> Refuse(const Place& place, Handled handled, const Refusal& refusal);
  void WriteReason(const Place& place, std::string_view why);
  void DeleteReason(const Place& place);
  // Sets `now_at` to the new path of a file that was moved.
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
