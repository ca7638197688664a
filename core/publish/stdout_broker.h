// Standard output as a broker: each trigger is one line of JSON. For trying control-tower without
// RabbitMQ, and for pipes.
#ifndef CORE_PUBLISH_STDOUT_BROKER_H_
#define CORE_PUBLISH_STDOUT_BROKER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/wakeup.h"
#include "core/publish/broker.h"

namespace tower {

// A line is the trigger's body. Raw line breaks, which JSON allows between tokens only, are
// replaced by spaces; every other byte is unchanged. A trigger is confirmed once write(2) has taken
// all of it; a slow reader makes the publisher wait. When the reader is gone, Wait and Connect
// fail; the process must ignore SIGPIPE.
class StdoutBroker final : public Broker {
 public:
  // Neither closes `fd` nor makes it non-blocking: other processes may share it.
  explicit StdoutBroker(int fd = 1);

  Status Connect(std::stop_token stop) override;
  Result<std::uint64_t> Publish(const AcceptedTrigger& trigger) override;
  Status Wait(std::chrono::milliseconds timeout, int wake_fd,
              std::vector<BrokerEvent>& events) override;
  void Close() override {}
  void Interrupt() override;
  std::string Address() const override { return "stdout"; }

 private:
  Result<bool> WaitForRoom(std::chrono::steady_clock::time_point deadline);
  Status Flush(std::chrono::steady_clock::time_point deadline);

  const int fd_;
  bool regular_file_ = false;
  std::string out_;          // lines to write
  std::size_t written_ = 0;  // bytes of out_ that are written
  std::uint64_t last_tag_ = 0;
  std::uint64_t confirmed_ = 0;
  std::atomic<bool> interrupted_{false};
  Wakeup interrupt_;
};

}  // namespace tower

#endif  // CORE_PUBLISH_STDOUT_BROKER_H_
