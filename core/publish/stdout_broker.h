// Standard output as a broker: each trigger as one JSON line. For a first look without RabbitMQ,
// and for pipes.
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

// A line is the trigger's body: raw line breaks, which JSON allows between its tokens only, become
// spaces, and every other byte stays. It is confirmed once write(2) has taken all of it; a reader
// that is slow makes the publisher wait. When the reader is gone, Wait and Connect fail; the
// process must ignore SIGPIPE.
class StdoutBroker final : public Broker {
 public:
  explicit StdoutBroker(int fd = 1);  // not closed, and not made non-blocking: others share it

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
  std::string out_;          // lines, of which
  std::size_t written_ = 0;  // bytes went out
  std::uint64_t last_tag_ = 0;
  std::uint64_t confirmed_ = 0;
  std::atomic<bool> interrupted_{false};
  Wakeup interrupt_;
};

}  // namespace tower

#endif  // CORE_PUBLISH_STDOUT_BROKER_H_
