// Polls all experiments at an interval.
#ifndef PLUGINS_RIFFYN_SESSION_H_
#define PLUGINS_RIFFYN_SESSION_H_

#include <cstddef>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/watch/watcher.h"
#include "plugins/riffyn/api.h"
#include "plugins/riffyn/intake.h"
#include "plugins/riffyn/ledger.h"
#include "plugins/riffyn/retry_log.h"
#include "plugins/riffyn/settings.h"

namespace tower::riffyn {

class Session {
 public:
  // All must outlive the session.
  Session(WatcherContext& tower, const Settings& settings, Throttle& throttle, RetryLog& retry_log,
          Ledger ledger, ApiPool pool)
      : tower_(tower),
        settings_(settings),
        throttle_(throttle),
        retry_log_(retry_log),
        ledger_(std::move(ledger)),
        pool_(std::move(pool)),
        intake_(tower, pool_.first(), throttle, ledger_, retry_log) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Returns when stop is requested, the whole service fails, or the queue fails.
  Status Run(const std::stop_token& stop);

 private:
  template <typename T>
  using Answer = std::optional<Result<T>>;  // nothing: not requested in this poll

  struct GroupListing {
    std::string name;
    Answer<List<tower::riffyn::Run>> runs;
  };
  struct Listing {
    std::string experiment;
    Answer<List<std::string>> groups;
    std::vector<GroupListing> runs;  // as groups
  };

  Status Poll(const std::stop_token& stop);
  Result<std::vector<std::string>> ListExperiments(const std::stop_token& stop);
  std::vector<Listing> Read(std::span<const std::string> experiments, const std::stop_token& stop);
  Result<bool> Take(Listing listing, const std::stop_token& stop);
  void RecordList(const std::string& resource, bool whole);
  Status ReportFailure(const std::string& resource, const Error& error);

  WatcherContext& tower_;
  const Settings& settings_;
  Throttle& throttle_;
  RetryLog& retry_log_;
  Ledger ledger_;
  ApiPool pool_;
  Intake intake_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_SESSION_H_
