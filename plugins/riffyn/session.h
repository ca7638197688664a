// Looks at all experiments, again and again.
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
#include "plugins/riffyn/crew.h"
#include "plugins/riffyn/gate.h"
#include "plugins/riffyn/intake.h"
#include "plugins/riffyn/ledger.h"
#include "plugins/riffyn/settings.h"
#include "plugins/riffyn/troubles.h"

namespace tower::riffyn {

class Session {
 public:
  // All must outlive the session.
  Session(WatcherContext& tower, const Settings& settings, Gate& gate, Troubles& troubles,
          Ledger ledger, Crew crew)
      : tower_(tower),
        settings_(settings),
        gate_(gate),
        troubles_(troubles),
        ledger_(std::move(ledger)),
        crew_(std::move(crew)),
        intake_(tower, crew_.first(), gate, ledger_, troubles) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Until stop is requested, or an error of the service as a whole, or the queue's.
  Status Run(const std::stop_token& stop);

 private:
  template <typename T>
  using Answer =
      std::optional<Result<T>>;  // nothing: not asked, in trouble or for want of a service

  struct GroupReading {
    std::string place;
    Answer<List<tower::riffyn::Run>> runs;
  };
  struct Reading {
    std::string experiment;
    Answer<List<std::string>> groups;
    std::vector<GroupReading> runs;  // as groups
  };

  Status Look(const std::stop_token& stop);
  Result<std::vector<std::string>> ListExperiments(const std::stop_token& stop);
  std::vector<Reading> Read(std::span<const std::string> experiments, const std::stop_token& stop);
  Result<bool> Take(Reading reading, const std::stop_token& stop);
  void Judge(const std::string& place, bool whole);
  Status Note(const std::string& place, const Error& error);

  WatcherContext& tower_;
  const Settings& settings_;
  Gate& gate_;
  Troubles& troubles_;
  Ledger ledger_;
  Crew crew_;
  Intake intake_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_SESSION_H_
