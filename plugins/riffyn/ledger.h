// Which runs were handled when they started, and run still: the watcher's checkpoint, and its copy
// in memory.
#ifndef PLUGINS_RIFFYN_LEDGER_H_
#define PLUGINS_RIFFYN_LEDGER_H_

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/watch/watcher.h"
#include "plugins/riffyn/answers.h"

namespace tower::riffyn {

// One row of the checkpoint a run: the key is `experiment/run`, both percent-encoded, the value
// `1 running`.
class Ledger {
 public:
  // What is on disk. Entries that can't be read, of a newer version say, are an error.
  static Result<Ledger> Load(const WatcherQueue& queue);

  bool Handled(const std::string& experiment, const std::string& run) const;

  // The change that goes into a put.
  static Remember HandledChange(const std::string& experiment, const std::string& run);
  static Remember ForgetChange(const std::string& experiment, const std::string& run);
  // Its effect here, once the put has returned.
  void SetHandled(const std::string& experiment, const std::string& run);
  void Forget(const std::string& experiment, const std::string& run);

  // The handled runs of an experiment that don't run any more: those that are idle or deleted, and,
  // where the list of runs is `whole`, those that were in neither of the last two whole lists. One
  // is not enough: while a list is read page by page, what others delete moves runs between pages.
  std::vector<std::string> NoteRuns(const std::string& experiment, const std::vector<Run>& runs,
                                    bool whole);
  // The same for all runs of the experiments that are not in a list of these.
  std::vector<std::pair<std::string, std::string>> NoteExperiments(
      const std::vector<std::string>& listed);

 private:
  struct Entry {
    int missed = 0;  // lists in a row
  };
  std::map<std::string, std::map<std::string, Entry>> experiments_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_LEDGER_H_
