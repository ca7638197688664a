#include "core/http_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tower {
namespace {

constexpr std::size_t kBufferSize = kMaxHttpHead + 8192;
constexpr std::chrono::seconds kLingerTime{1};
constexpr std::size_t kLingerBytes = 8UL << 20U;

}  // namespace

HttpConnection::HttpConnection(int fd, std::chrono::milliseconds idle,
                               std::chrono::milliseconds request, std::atomic<bool>& busy)
    : fd_(fd),
      request_timeout_(request),
      busy_(busy),
      buffer_(std::make_unique_for_overwrite<char[]>(kBufferSize)) {
  timeval limit{};
  limit.tv_sec = idle.count() / 1000;
  limit.tv_usec = idle.count() % 1000 * 1000;
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

bool HttpConnection::Await(short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      late_ = true;
      return false;
    }
    pollfd ready{fd_, events, 0};
    const int count = poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 1'000'000)));
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
}

bool HttpConnection::AwaitFirstByte() {
  if (Left() == 0) {
    begin_ = end_ = base_ = scanned_ = 0;
    ssize_t got = 0;
    do {
      got = recv(fd_, buffer_.get(), kBufferSize, 0);  // SO_RCVTIMEO bounds it
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return false;
    end_ = static_cast<std::size_t>(got);
  }
  busy_.store(true);
  began_ = Clock::now();
  return true;
}

bool HttpConnection::Fill() {
  if (begin_ == end_) begin_ = end_ = scanned_ = base_;
  if (end_ == kBufferSize) {
    std::memmove(buffer_.get() + base_, buffer_.get() + begin_, Left());
    scanned_ -= std::min(scanned_, begin_ - base_);
    end_ -= begin_ - base_;
    begin_ = base_;
  }
  for (;;) {
    if (!Await(POLLIN, began_ + request_timeout_)) return false;
    const auto got = recv(fd_, buffer_.get() + end_, kBufferSize - end_, MSG_DONTWAIT);
    if (got > 0) {
      end_ += static_cast<std::size_t>(got);
      return true;
    }
    if (got == 0 || (errno != EINTR && errno != EAGAIN)) return false;
  }
}

// True when the head is complete: it ends before scanned_.
bool HttpConnection::FindHeadEnd(std::optional<HttpRefusal>& refusal) {
  const char* const bytes = buffer_.get();
  while (scanned_ < end_) {
    const auto* feed =
        static_cast<const char*>(std::memchr(bytes + scanned_, '\n', end_ - scanned_));
    if (feed == nullptr) {
      scanned_ = end_;
      break;
    }
    const auto at = static_cast<std::size_t>(feed - bytes);
    scanned_ = at + 1;
    if (at == begin_ || bytes[at - 1] != '\r') {
      refusal = HttpRefusal{400, "a line ends with something else than CRLF"};
      return false;
    }
    if (at - 1 == begin_) {
      begin_ = scanned_;  // RFC 9112, section 2.2: empty lines before a request mean nothing
    } else if (bytes[at - 2] == '\n') {
      return true;
    }
  }
  const char first = begin_ < end_ ? bytes[begin_] : 'G';
  if (first != '\r' && ((first | 32) < 'a' || (first | 32) > 'z')) {
    refusal = HttpRefusal{400, "this is not an HTTP/1.1 request"};  // TLS, say
  } else if (Left() > kMaxHttpHead) {
    refusal = HttpRefusal{431, "the head of the request is over 32 KiB"};
  }
  return false;
}

bool HttpConnection::ReadHead(HttpHead& head, std::optional<HttpRefusal>& refusal) {
  if (!AwaitFirstByte()) return false;
  while (!FindHeadEnd(refusal)) {
    if (refusal) return true;
    if (Fill()) continue;
    if (!late_) return false;
    refusal = HttpRefusal{408, "the request did not arrive in time (server.request-timeout)"};
    return true;
  }
  if (scanned_ - begin_ > kMaxHttpHead) {
    refusal = HttpRefusal{431, "the head of the request is over 32 KiB"};
    return true;
  }
  head_ = {buffer_.get() + begin_, scanned_ - begin_};
  base_ = begin_ = scanned_;
  refusal = ParseHttpHead(head_, head);
  if (head.chunked) chunks_.emplace();
  body_left_ = head.content_length.value_or(0);
  return true;
}

ssize_t HttpConnection::Read(char* to, std::size_t size) {
  if (!head_.empty()) {
    size = std::min(size, head_.size());
    std::copy_n(head_.data(), size, to);
    head_.remove_prefix(size);
    return static_cast<ssize_t>(size);
  }
  size = static_cast<std::size_t>(
      std::min<std::uint64_t>(size, chunks_ ? chunks_->Next() : body_left_));
  if (ended_ || size == 0) return 0;
  if (Left() == 0 && !Fill()) return -1;
  size = std::min(size, Left());
  const char* const from = buffer_.get() + begin_;
  std::copy_n(from, size, to);
  begin_ += size;
  if (chunks_) return chunks_->Accept({from, size}) ? static_cast<ssize_t>(size) : -1;
  body_left_ -= size;
  return static_cast<ssize_t>(size);
}

bool HttpConnection::EndBody() {
  ended_ = true;
  if (chunks_) return chunks_->done();
  if (body_left_ > Left()) return false;
  begin_ += static_cast<std::size_t>(body_left_);
  return true;
}

void HttpConnection::Finish() {
  if (begin_ > 0) std::memmove(buffer_.get(), buffer_.get() + begin_, Left());
  end_ = Left();
  base_ = begin_ = scanned_ = 0;
  head_ = {};
  chunks_.reset();
  ended_ = false;
}

bool HttpConnection::Write(std::string_view bytes) {
  Clock::time_point deadline{};
  while (!bytes.empty()) {
    const auto sent = send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    if (deadline == Clock::time_point{}) deadline = Clock::now() + request_timeout_;
    if (!Await(POLLOUT, deadline)) return false;
  }
  return true;
}

void HttpConnection::Linger() {
  if (shutdown(fd_, SHUT_WR) != 0) return;
  const auto deadline = Clock::now() + kLingerTime;
  for (std::size_t discarded = 0; discarded < kLingerBytes;) {
    if (!Await(POLLIN, deadline)) return;
    const auto got = recv(fd_, buffer_.get(), kBufferSize, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return;
    discarded += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }
}

}  // namespace tower
