#include "core/amqp/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kForgetSentAt = 1024 * 1024;  // sent bytes of out_ before they are erased

}  // namespace

void AmqpLink::Arm() {
  interrupted_.store(false);
  interrupt_.Clear();
}

void AmqpLink::Interrupt() {
  interrupted_.store(true);
  interrupt_.Signal();
}

Status AmqpLink::Open(const AmqpUrl& url, const TlsClient* tls, milliseconds timeout,
                      milliseconds silence) {
  Close();
  frames_ = std::make_unique<AmqpFrames>();
  silence_ = silence;
  heartbeat_ = milliseconds(0);
  wrote_ = read_ = false;
  const Deadline deadline = steady_clock::now() + timeout;
  auto fd = connector_.Connect(url.host, url.port, deadline, silence, interrupt_.fd());
  if (!fd) return fd.error();
  Status s = stream_.Open(*fd, url.host, url.tls ? tls : nullptr, deadline, interrupt_.fd());
  if (!s) stream_.Close();
  last_read_ = last_write_ = steady_clock::now();
  return s;
}

void AmqpLink::Close() {
  stream_.Close();
  out_.clear();
  sent_ = 0;
}

void AmqpLink::SetPatient(bool patient) {
  const int timeout = patient ? 0 : static_cast<int>(silence_.count());
  setsockopt(stream_.fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

Status AmqpLink::Send() {
  while (sent_ < out_.size()) {
    auto n = stream_.Write(out_.data() + sent_, out_.size() - sent_);
    if (!n) {
      // The broker may have sent the reason before it closed the connection.
      Status last = Receive();
      return last ? Status(n.error()) : last;
    }
    if (*n == 0) break;
    wrote_ = true;
    sent_ += *n;
  }
  if (sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
  } else if (sent_ > kForgetSentAt) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  return Ok();
}

Status AmqpLink::Round(Deadline deadline, int wake_fd, bool& woken) {
  if (!is_open()) return Error{ErrorCode::kUnavailable, "not connected"};
  if (Status s = Send(); !s) return s;
  if (heartbeat_.count() > 0) deadline = std::min(deadline, last_write_ + heartbeat_ / 2);
  std::array<pollfd, 3> fds = {{{stream_.fd(), stream_.PollEvents(unsent() > 0), 0},
                                {interrupt_.fd(), POLLIN, 0},
                                {wake_fd, POLLIN, 0}}};
  const int n = poll(fds.data(), fds.size(), stream_.HasBuffered() ? 0 : PollTimeout(deadline));
  if (n < 0 && errno != EINTR) {
    return Error{ErrorCode::kUnavailable, "poll: " + ErrnoText(errno)};
  }
  if (interrupted_.load()) return Error{ErrorCode::kStopped, "interrupted"};
  woken = n > 0 && fds[2].revents != 0;
  if (stream_.HasBuffered() || (n > 0 && fds[0].revents != 0)) {
    if (Status s = Receive(); !s) return s;
  }
  return MindHeartbeats();
}

Status AmqpLink::Receive() {
  constexpr int kMostRounds = 16;  // limits the time before the next send
  for (int round = 0; round < kMostRounds; ++round) {
    auto n = stream_.Read(in_.data(), in_.size());
    if (!n) return n.error();
    if (*n == 0) return Ok();
    read_ = true;
    for (std::size_t at = 0; at < *n;) {
      AmqpFrame frame;
      auto used = frames_->Feed(in_.data() + at, *n - at, frame);
      if (!used) return used.error();
      at += *used;
      if (frame.type == AmqpFrame::Type::kNone) continue;
      if (Status s = handler_.OnFrame(frame); !s) return s;
      frames_->Release();
    }
    if (*n < in_.size() && !stream_.is_tls()) return Ok();
  }
  return Ok();
}

Status AmqpLink::MindHeartbeats() {
  if (heartbeat_.count() == 0) return Ok();
  const Deadline now = steady_clock::now();
  if (std::exchange(read_, false)) last_read_ = now;
  if (std::exchange(wrote_, false)) last_write_ = now;
  if (now - last_read_ > 2 * heartbeat_) {
    return Error{ErrorCode::kTimeout, "no heartbeat from the broker"};
  }
  if (now - last_write_ < heartbeat_ / 2) return Ok();
  last_write_ = now;
  if (unsent() > 0) return Ok();  // the broker reads nothing, so a heartbeat would only be buffered
  AmqpFrames::AppendHeartbeat(out_);
  return Send();
}

}  // namespace tower
