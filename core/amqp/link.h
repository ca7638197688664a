// One connection's bytes and heartbeats: frames go out in as few system calls as it takes, and come
// in one by one. Never blocks but in Pump, which is bounded and can be interrupted.
#ifndef CORE_AMQP_LINK_H_
#define CORE_AMQP_LINK_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/amqp/frames.h"
#include "core/amqp/url.h"
#include "core/base/result.h"
#include "core/base/wakeup.h"
#include "core/net/stream.h"

namespace tower {

class AmqpFrameHandler {
 public:
  virtual ~AmqpFrameHandler() = default;
  virtual Status OnFrame(const AmqpFrame& frame) = 0;  // an error ends the connection
};

// Used by one thread, except Interrupt. After an error the link is dead; Open starts anew.
class AmqpLink {
 public:
  explicit AmqpLink(AmqpFrameHandler& handler) : handler_(handler) {}

  // Forgets an earlier Interrupt. Separate from Open, so that none is missed.
  void Arm();
  // `silence`: how long sent bytes may stay unacknowledged.
  Status Open(const AmqpUrl& url, const TlsClient* tls, std::chrono::milliseconds timeout,
              std::chrono::milliseconds silence);
  void Close();
  bool is_open() const noexcept { return stream_.is_open(); }

  // From now on: sends something at least every half `interval`, and takes a silence of twice the
  // interval for death. 0: neither.
  void SetHeartbeat(std::chrono::milliseconds interval) { heartbeat_ = interval; }
  // Lets sent bytes stay unacknowledged for ever, or not any more: a broker with an alarm reads
  // nothing, and is alive.
  void SetPatient(bool patient);

  AmqpFrames& frames() { return *frames_; }
  std::string& out() { return out_; }  // append whole frames
  std::size_t unsent() const noexcept { return out_.size() - sent_; }

  Status Flush() { return Die(Send()); }  // as much as the socket takes now
  // One round: sends, waits for something to happen, receives, minds heartbeats. `woken` tells
  // whether wake_fd (or -1) was readable.
  Status Pump(Deadline deadline, int wake_fd, bool& woken) {
    return Die(Round(deadline, wake_fd, woken));
  }

  void Interrupt();  // thread-safe: Open and Pump fail with kStopped until the next Arm

 private:
  Status Die(Status s) {
    if (!s) Close();
    return s;
  }
  Status Round(Deadline deadline, int wake_fd, bool& woken);
  Status Send();
  Status Receive();
  Status MindHeartbeats();

  AmqpFrameHandler& handler_;
  Connector connector_;
  NetStream stream_;
  std::unique_ptr<AmqpFrames> frames_;  // of one connection
  std::vector<char> in_ = std::vector<char>(64 * 1024);
  std::string out_;
  std::size_t sent_ = 0;  // of out_, from its start
  std::chrono::milliseconds silence_{0}, heartbeat_{0};
  bool wrote_ = false, read_ = false;  // since the times below were set
  Deadline last_write_{}, last_read_{};

  std::atomic<bool> interrupted_{false};
  Wakeup interrupt_;
};

}  // namespace tower

#endif  // CORE_AMQP_LINK_H_
