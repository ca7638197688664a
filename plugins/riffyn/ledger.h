// Which running runs were handled when they started: the watcher's checkpoint, and a copy of it in
// memory.
#ifndef PLUGINS_RIFFYN_LEDGER_H_
#define PLUGINS_RIFFYN_LEDGER_H_

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/watch/watcher.h"
#include "plugins/riffyn/api.h"

namespace tower::riffyn {

// The checkpoint has one row for each run: the key is `experiment/run`, both percent-encoded, the
// value is `1 running`.
class Ledger {
 public:
  // Reads the checkpoint. kPermanent: it has rows of another plugin or version.
  static Result<Ledger> Load(const WatcherQueue& queue);

  bool Handled(const std::string& experiment, const std::string& run) const;

  // The change that goes into a put.
  static CheckpointChange HandledChange(const std::string& experiment, const std::string& run);
  static CheckpointChange ForgetChange(const std::string& experiment, const std::string& run);
  // Its effect here, once the put has returned.
  void SetHandled(const std::string& experiment, const std::string& run);
  void Forget(const std::string& experiment, const std::string& run);

  // Records the runs of an experiment. Returns the handled runs that have ended: those that are
  // idle or deleted, and, if the list is `whole`, those that the last two whole lists did not have.
  // One list is not enough: while its pages are read, deletions move runs between pages.
  std::vector<std::string> RecordRuns(const std::string& experiment, const std::vector<Run>& runs,
                                      bool whole);
  // The same for the runs of experiments that are missing from `listed`, a whole list.
  std::vector<std::pair<std::string, std::string>> RecordExperiments(
      const std::vector<std::string>& listed);

 private:
  struct Entry {
    int missed = 0;  // whole lists in a row without it
  };
  std::map<std::string, std::map<std::string, Entry>> experiments_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_LEDGER_H_
