#include "core/http_connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tower {
namespace {

using Refused = std::optional<HttpRefusal>;

constexpr std::size_t kBufferSize = kMaxHttpHead + 8192;
constexpr std::size_t kMaxChunkLine = 1024;
constexpr std::size_t kMaxTrailers = 8192;
constexpr std::size_t kBodyStep = 65536;  // memory for a body grows as the body arrives
constexpr std::chrono::seconds kLingerTime{1};
constexpr std::size_t kLingerBytes = 8UL << 20U;

// RFC 9112, section 7.1: 1*HEXDIG, then perhaps extensions, which mean nothing here.
std::optional<std::uint64_t> ChunkSize(std::string_view line) noexcept {
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (; digits < line.size() && line[digits] != ';'; ++digits) {
    const char c = line[digits];
    std::uint64_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint64_t>(c - '0');
    } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
      digit = static_cast<std::uint64_t>((c | 32) - 'a') + 10;
    } else {
      return std::nullopt;
    }
    size = size * 16 + digit;
  }
  if (digits == 0 || digits > 12) return std::nullopt;
  return size;
}

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
bool HttpConnection::FindHeadEnd(Refused& refusal) {
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

bool HttpConnection::ReadHead(HttpHead& head, Refused& refusal) {
  if (!AwaitFirstByte()) return false;
  while (!FindHeadEnd(refusal)) {
    if (refusal) return true;
    if (Fill()) continue;
    if (!late_) return false;
    refusal = Cut();
    return true;
  }
  if (scanned_ - begin_ > kMaxHttpHead) {
    refusal = HttpRefusal{431, "the head of the request is over 32 KiB"};
    return true;
  }
  refusal = ParseHttpHead({buffer_.get() + begin_, scanned_ - begin_}, head);
  base_ = begin_ = scanned_;
  return true;
}

HttpRefusal HttpConnection::Cut() const noexcept {
  if (late_) return {408, "the request did not arrive in time (server.request-timeout)"};
  return {400, "the request ended before its body was complete"};
}

Refused HttpConnection::ReadBody(const HttpHead& head, std::uint64_t max_body) {
  constexpr HttpRefusal kTooLarge{413, "the body is larger than server.max-body"};
  state_ = Body::kBroken;
  if (head.content_length.value_or(0) > max_body) return kTooLarge;
  const auto size = static_cast<std::size_t>(head.content_length.value_or(0));
  if (head.expects_continue && (head.chunked ? Left() == 0 : Left() < size) &&
      !Write("HTTP/1.1 100 Continue\r\n\r\n")) {
    return Cut();
  }
  auto refused = head.chunked ? ReadChunks(max_body) : ReadPlainBody(size);
  if (!refused) state_ = Body::kRead;
  return refused;
}

Refused HttpConnection::ReadPlainBody(std::size_t size) {
  if (size <= Left()) {
    body_ = {buffer_.get() + begin_, size};
    begin_ += size;
    return std::nullopt;
  }
  if (auto refused = ReadInto(body_text_, size)) return refused;
  body_ = body_text_;
  return std::nullopt;
}

// Appends exactly `size` bytes: what is in the buffer, then straight from the socket.
Refused HttpConnection::ReadInto(std::string& text, std::size_t size) {
  const auto held = std::min(size, Left());
  text.append(buffer_.get() + begin_, held);
  begin_ += held;
  for (auto missing = size - held; missing > 0;) {
    if (!Await(POLLIN, began_ + request_timeout_)) return Cut();
    const auto step = std::min(missing, kBodyStep);
    const auto old_size = text.size();
    text.resize(old_size + step);
    const auto got = recv(fd_, text.data() + old_size, step, MSG_DONTWAIT);
    text.resize(old_size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return Cut();
    missing -= static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }
  return std::nullopt;
}

// The view is good until the next read.
Refused HttpConnection::ReadChunkLine(std::string_view& line) {
  constexpr HttpRefusal kMalformed{400, "the body is not chunked as RFC 9112 says"};
  for (;;) {
    const std::string_view held(buffer_.get() + begin_, Left());
    const auto feed = held.find('\n');
    if (feed != std::string_view::npos) {
      if (feed == 0 || held[feed - 1] != '\r') return kMalformed;
      line = held.substr(0, feed - 1);
      begin_ += feed + 1;
      const bool clean = std::all_of(line.begin(), line.end(),
                                     [](char c) { return c == '\t' || c < 0 || c >= ' '; });
      return clean && line.size() <= kMaxChunkLine ? Refused{} : kMalformed;
    }
    if (held.size() > kMaxChunkLine) return kMalformed;
    if (!Fill()) return Cut();
  }
}

Refused HttpConnection::ReadChunks(std::uint64_t max_body) {
  constexpr HttpRefusal kMalformed{400, "the body is not chunked as RFC 9112 says"};
  constexpr HttpRefusal kTooLarge{413, "the body is larger than server.max-body"};
  std::string_view line;
  for (;;) {
    if (auto refused = ReadChunkLine(line)) return refused;
    const auto size = ChunkSize(line);
    if (!size) return kMalformed;
    if (*size == 0) break;
    if (*size > max_body - body_text_.size()) return kTooLarge;
    if (auto refused = ReadInto(body_text_, static_cast<std::size_t>(*size))) return refused;
    if (auto refused = ReadChunkLine(line)) return refused;
    if (!line.empty()) return kMalformed;
  }
  for (std::size_t trailers = 0;;) {  // RFC 9112, section 7.1.2: may be ignored
    if (auto refused = ReadChunkLine(line)) return refused;
    if (line.empty()) break;
    trailers += line.size();
    if (trailers > kMaxTrailers) return kMalformed;
  }
  body_ = body_text_;
  return std::nullopt;
}

bool HttpConnection::SkipBody(const HttpHead& head) {
  if (state_ == Body::kRead || !head.HasBody()) return true;
  if (state_ == Body::kBroken || head.chunked || *head.content_length > Left()) return false;
  begin_ += static_cast<std::size_t>(*head.content_length);
  return true;
}

void HttpConnection::Finish() {
  if (begin_ > 0) std::memmove(buffer_.get(), buffer_.get() + begin_, Left());
  end_ = Left();
  base_ = begin_ = scanned_ = 0;
  state_ = Body::kUnread;
  body_ = {};
  body_text_.clear();
  if (body_text_.capacity() > kBodyStep) body_text_.shrink_to_fit();
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
