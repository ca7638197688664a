// What those who ask the service tell each other: when it may be asked again, and that it is down.
#ifndef PLUGINS_RIFFYN_GATE_H_
#define PLUGINS_RIFFYN_GATE_H_

#include <chrono>
#include <mutex>
#include <optional>
#include <stop_token>

#include "core/base/result.h"

namespace tower::riffyn {

// Thread-safe.
class Gate {
 public:
  // Waits while it is closed; false as soon as stop is requested.
  bool Wait(const std::stop_token& stop) const;
  // Nobody asks for that long. True when that is news: in the looks before, it was open throughout.
  bool Close(std::chrono::milliseconds time);

  void BeginLook();
  // The service answered; or it did not, or with a fault of its own.
  void Answered();
  void Failed(const Error& error);
  // The service asks for less, again and again.
  void GiveUp(const Error& error);
  // Once it has failed three times in a row, and until the next look begins: the last fault. There
  // is no use in asking for more.
  std::optional<Error> Down() const;

 private:
  mutable std::mutex mutex_;
  std::chrono::steady_clock::time_point opens_{};
  bool closed_in_look_ = false;
  bool closed_before_ = false;
  int faults_ = 0;  // in a row
  Error last_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_GATE_H_
