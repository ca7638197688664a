// The transport of one AMQP connection: bytes and heartbeats. Outgoing frames are buffered and sent
// in few system calls; incoming frames are passed to a handler one by one. Only Open and Pump wait;
// both have a deadline and can be interrupted.
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

// Used by one thread, except Interrupt. After an error the link is dead; Open starts a new one.
class AmqpLink {
 public:
  explicit AmqpLink(AmqpFrameHandler& handler) : handler_(handler) {}

  // Clears an earlier Interrupt. Separate from Open, so that no Interrupt is missed.
  void Arm();
  // `silence`: the maximum time that sent bytes may stay unacknowledged.
  Status Open(const AmqpUrl& url, const TlsClient* tls, std::chrono::milliseconds timeout,
              std::chrono::milliseconds silence);
  void Close();
  bool is_open() const noexcept { return stream_.is_open(); }

  // From now on sends something at least every half `interval`, and treats twice the interval
  // without input as a dead connection. 0 disables both.
  void SetHeartbeat(std::chrono::milliseconds interval) { heartbeat_ = interval; }
  // Disables (or enables again) the limit on unacknowledged bytes: a broker with a resource alarm
  // is alive, but reads nothing.
  void SetPatient(bool patient);

  AmqpFrames& frames() { return *frames_; }
  std::string& out() { return out_; }  // the send buffer: append complete frames only
  std::size_t unsent() const noexcept { return out_.size() - sent_; }

  Status Flush() { return Die(Send()); }  // sends as much as the socket accepts without waiting
  // One round: sends, waits for an event, receives, and handles heartbeats. Sets `woken` to whether
  // wake_fd (-1 for none) was readable.
  Status Pump(Deadline deadline, int wake_fd, bool& woken) {
    return Die(Round(deadline, wake_fd, woken));
  }

  // Open and Pump fail with kStopped until the next Arm. Thread-safe.
  void Interrupt();

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
  std::unique_ptr<AmqpFrames> frames_;  // one per connection
  std::vector<char> in_ = std::vector<char>(64 * 1024);
  std::string out_;
  std::size_t sent_ = 0;  // bytes of out_ that have been sent
  std::chrono::milliseconds silence_{0}, heartbeat_{0};
  bool wrote_ = false, read_ = false;  // since the times below were last set
  Deadline last_write_{}, last_read_{};

  std::atomic<bool> interrupted_{false};
  Wakeup interrupt_;
};

}  // namespace tower

#endif  // CORE_AMQP_LINK_H_
