// Takes one file: reads it, puts its triggers, and does with it what was asked for.
#ifndef PLUGINS_FILE_INTAKE_H_
#define PLUGINS_FILE_INTAKE_H_

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "core/watch/watcher.h"
#include "plugins/file/files.h"
#include "plugins/file/interpreter.h"
#include "plugins/file/ledger.h"
#include "plugins/file/settings.h"

namespace tower::file {

// What is wrong with paths that are tried again at each look. Logs it once, until something else is
// wrong with the path or it got better.
class ConfigErrors {
 public:
  using Clock = std::chrono::steady_clock;

  explicit ConfigErrors(const Logger& log) : log_(log) {}
  void Complain(const std::string& path, const Error& error);
  void Retract(const std::string& path) { said_.erase(path); }
  // Forgets what was said before that time of paths below `folder`: they were looked at since.
  void ForgetBefore(const std::string& folder, Clock::time_point time);
  // What is wrong now, as tried again at `at`; at most as many as are kept.
  std::vector<WatcherNotes::Retry> Retries(WallTime at) const;

 private:
  struct Said {
    std::string what;
    Clock::time_point when;  // the last time
  };
  const Logger& log_;
  std::unordered_map<std::string, Said> said_;
};

class Intake {
 public:
  // All must outlive the intake.
  Intake(WatcherContext& tower, const Settings& settings, Mapping& mapping, Ledger& ledger,
         ConfigErrors& errors)
      : tower_(tower),
        settings_(settings),
        ledger_(ledger),
        complaints_(errors),
        interpreter_(settings, mapping, tower.name) {}

  struct Place {
    int root;              // the open folder
    std::string relative;  // the file in it
    std::string path;      // the same from "/"
  };
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
  bool IsInTheWay(const Handled& handled) const {
    if (settings_.FolderIsEvent()) return false;
    return handled.refused ? settings_.on_failure != "keep" : settings_.after != "keep";
  }

  // Writes what is known of files to the queue's disk, after the moves that it speaks of.
  Status Flush();
  bool FlushDue() const noexcept { return ledger_.unwritten() >= 1000 || unsynced_.size() >= 64; }

 private:
  Result<Verdict> TakeContent(const Place& place, Handled handled, const std::string& content,
                              const std::stop_token& stop);
  Result<Interpreter::Triggers> Interpret(const Place& place, const std::string& content,
                                          const std::stop_token& stop);
  // `where` in the file, for the log.
  Result<Verdict> Refuse(const Place& place, Handled handled, std::string_view why,
                         std::initializer_list<LogField> where = {});
  Result<Verdict> Refuse(const Place& place, Handled handled, const Refusal& refusal);
  void NoteRefusal(const Place& place, std::string_view why);
  void ForgetRefusal(const Place& place);
  // Where the file is then goes to `now_at`.
  Verdict Dispose(const Place& place, const Handled& handled, std::string* now_at = nullptr);
  Status DisposeIn(int folder, const Place& place, const Handled& handled, std::string& now_at);

  WatcherContext& tower_;
  const Settings& settings_;
  Ledger& ledger_;
  ConfigErrors& complaints_;
  Interpreter interpreter_;
  std::map<std::string, Fd> unsynced_;  // folders in which files were moved or deleted
};

}  // namespace tower::file

#endif  // PLUGINS_FILE_INTAKE_H_
