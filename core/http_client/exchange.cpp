#include "core/http_client/exchange.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "core/base/encode.h"
#include "core/http/chunks.h"

namespace tower {
namespace {

constexpr std::size_t kMaxHead = 64U << 10U;
constexpr std::size_t kMaxStatusLine = 8192;
constexpr int kMaxInterim = 10;  // 1xx responses before the final one
constexpr std::string_view kSpace = " \t";

Error Unavailable(std::string message) { return {ErrorCode::kUnavailable, std::move(message)}; }

Error Cut() { return Unavailable("the connection was cut, or the answer is not HTTP"); }

Error TooLarge(const std::string& size) {
  return Unavailable("the answer is too large: " + size + " bytes");
}

// The offset after the empty line that ends a head, searched from `from`; npos if there is none
// yet.
std::size_t EndOfHead(std::string_view text, std::size_t from) {
  for (auto feed = text.find('\n', from); feed != std::string_view::npos;
       feed = text.find('\n', feed + 1)) {
    const auto rest = text.substr(feed + 1);
    if (rest.starts_with('\n')) return feed + 2;
    if (rest.starts_with("\r\n")) return feed + 3;
  }
  return std::string_view::npos;
}

// Removes and returns the next line. A line feed alone also ends a line (section 2.2). REQUIRES:
// there is a line.
std::string_view NextLine(std::string_view& text) {
  const auto feed = text.find('\n');
  auto line = text.substr(0, feed);
  text.remove_prefix(feed + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Parses "HTTP/1.1 200 OK". Returns false if the line is invalid.
bool ParseStatusLine(std::string_view line, int& status, bool& keeps_alive) {
  constexpr std::string_view kVersion = "HTTP/1.";
  constexpr std::size_t kStatus = 9, kReason = 12;  // offsets
  if (line.size() < kReason || line.size() > kMaxStatusLine || !line.starts_with(kVersion) ||
      !IsDigit(line[kVersion.size()]) || line[kStatus - 1] != ' ' ||
      (line.size() > kReason && line[kReason] != ' ')) {
    return false;
  }
  const auto digits = line.substr(kStatus, kReason - kStatus);
  if (!std::all_of(digits.begin(), digits.end(), IsDigit) || digits[0] == '0') return false;
  std::from_chars(digits.data(), digits.data() + digits.size(), status);
  keeps_alive = line[kVersion.size()] != '0';
  return true;
}

bool ParseHeaders(std::string_view lines, HttpHeaders& headers) {
  while (!lines.empty()) {
    const auto line = NextLine(lines);
    if (line.empty()) return true;
    if (kSpace.find(line[0]) != std::string_view::npos) {  // obsolete line folding (section 5.2)
      if (headers.empty() || !IsHttpFieldValue(line)) return false;
      headers.back().second.append(" ").append(Trim(line));
      continue;
    }
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) return false;
    const auto value = Trim(line.substr(colon + 1));
    if (!IsHttpFieldValue(value)) return false;
    headers.emplace_back(line.substr(0, colon), value);
  }
  return false;
}

// The items of a list, which may be spread over several headers with this name.
std::vector<std::string_view> Items(const HttpReply& reply, std::string_view name) {
  std::vector<std::string_view> items;
  for (const auto& [key, value] : reply.headers) {
    if (!EqualsIgnoringCase(key, name)) continue;
    for (std::string_view rest = value;;) {
      const auto comma = rest.find(',');
      if (const auto item = Trim(rest.substr(0, comma)); !item.empty()) items.push_back(item);
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return items;
}

bool Has(const std::vector<std::string_view>& items, std::string_view wanted) {
  return std::any_of(items.begin(), items.end(),
                     [wanted](auto item) { return EqualsIgnoringCase(item, wanted); });
}

}  // namespace

Status RequestDeadline::Check() const {
  if (stop.stop_requested()) return Error{ErrorCode::kStopped, "interrupted"};
  if (std::chrono::steady_clock::now() < at) return Ok();
  return Error{ErrorCode::kTimeout, "no complete answer in time"};
}

Status HttpClientExchange::Wait(bool output) const {
  const auto plain = static_cast<short>(output ? POLLOUT : POLLIN);
  WaitFor(stream_.fd(), stream_.is_tls() ? stream_.PollEvents(output) : plain,
          deadline_.interrupt_fd, deadline_.at);
  return deadline_.Check();
}

Status HttpClientExchange::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = stream_.Write(bytes.data(), bytes.size());
    if (!sent) return Annotate("the connection was cut", sent.error());
    bytes.remove_prefix(*sent);
    if (*sent > 0) continue;
    if (auto ready = Wait(true); !ready) return ready;
  }
  return Ok();
}

Result<bool> HttpClientExchange::ReadMore() {
  if (at_ == buffer_.size()) {
    buffer_.clear();
    at_ = 0;
  }
  std::array<char, 16384> bytes;
  for (;;) {
    // Checked here too, because bytes may arrive without end.
    if (auto left = deadline_.Check(); !left) return left.error();
    const auto got = stream_.Read(bytes.data(), bytes.size());
    if (!got && stream_.ended()) return false;
    if (!got) return Annotate("the connection was cut", got.error());
    if (*got > 0) {
      begun_ = true;
      buffer_.append(bytes.data(), *got);
      return true;
    }
    if (auto ready = Wait(false); !ready) return ready.error();
  }
}

Status HttpClientExchange::FillOrFail() {
  const auto filled = ReadMore();
  if (!filled) return filled.error();
  return *filled ? Ok() : Status(Cut());
}

Result<std::string> HttpClientExchange::ReadHead() {
  constexpr std::string_view kBegin = "HTTP/";
  constexpr std::size_t kOverlap = 3;  // the end of the head may have arrived in two parts
  std::size_t looked = at_;
  for (;;) {
    const auto begin = std::string_view(buffer_).substr(at_, kBegin.size());
    if (!kBegin.starts_with(begin)) return Cut();
    const auto end = EndOfHead(buffer_, looked);
    if (end != std::string::npos) {
      auto head = buffer_.substr(at_, end - at_);
      at_ = end;
      return head;
    }
    if (buffer_.size() - at_ > kMaxHead) return Unavailable("the head of the answer is too large");
    looked = std::max(at_, buffer_.size() - std::min(buffer_.size(), kOverlap));
    if (auto filled = FillOrFail(); !filled) return filled.error();
  }
}

Result<HttpReply> HttpClientExchange::Run(std::string_view request) {
  if (auto sent = Send(request); !sent) return sent.error();
  for (int answers = 0; answers <= kMaxInterim; ++answers) {
    const auto head = ReadHead();
    if (!head) return head.error();
    HttpReply reply;
    bool keeps_alive = false;
    std::string_view lines = *head;
    if (!ParseStatusLine(NextLine(lines), reply.status, keeps_alive) ||
        !ParseHeaders(lines, reply.headers)) {
      return Cut();
    }
    if (reply.status == 101) return Unavailable("the service switches to another protocol");
    if (reply.status < 200) continue;
    std::size_t length = 0;
    const auto framing = FramingOf(reply, length);
    if (!framing) return framing.error();
    if (auto read = ReadBody(*framing, length, reply.body); !read) return read.error();
    const auto connection = Items(reply, "Connection");
    reusable_ = (keeps_alive ? !Has(connection, "close") : Has(connection, "keep-alive")) &&
                *framing != Framing::kToTheEnd && at_ == buffer_.size() &&
                (*framing != Framing::kChunked || !reply.Header("Content-Length"));
    return reply;
  }
  return Unavailable("the service sends only interim answers");
}

// Determines the framing (section 6.3). Sets `length` for kLength.
Result<HttpClientExchange::Framing> HttpClientExchange::FramingOf(const HttpReply& reply,
                                                                  std::size_t& length) const {
  for (const auto encoding : Items(reply, "Content-Encoding")) {
    if (EqualsIgnoringCase(encoding, "identity")) continue;
    return Unavailable("the answer is compressed, which the request did not allow");
  }
  if (reply.status == 204 || reply.status == 304) return Framing::kNone;
  const auto encodings = Items(reply, "Transfer-Encoding");
  if (!encodings.empty()) {
    if (encodings.size() == 1 && Has(encodings, "chunked")) return Framing::kChunked;
    return Unavailable("the answer has an unsupported transfer encoding");
  }
  const auto lengths = Items(reply, "Content-Length");
  if (lengths.empty()) return Framing::kToTheEnd;
  for (const auto text : lengths) {
    if (text != lengths[0] || !std::all_of(text.begin(), text.end(), IsDigit)) return Cut();
  }
  const auto* last = lengths[0].data() + lengths[0].size();
  const auto fault = std::from_chars(lengths[0].data(), last, length).ec;
  if (fault != std::errc() || length > max_body_) return TooLarge(std::string(lengths[0]));
  return Framing::kLength;
}

Status HttpClientExchange::ReadBody(Framing framing, std::size_t length, std::string& body) {
  switch (framing) {
    case Framing::kNone:
      return Ok();
    case Framing::kChunked:
      return ReadChunks(body);
    case Framing::kLength:
      while (body.size() < length) {
        if (at_ == buffer_.size()) {
          if (auto filled = FillOrFail(); !filled) return filled;
        }
        if (auto taken = Take(length - body.size(), body); !taken) return taken;
      }
      return Ok();
    case Framing::kToTheEnd:
      break;
  }
  for (;;) {
    if (auto taken = Take(buffer_.size(), body); !taken) return taken;
    const auto filled = ReadMore();
    if (!filled) return filled.error();
    if (!*filled) return Ok();
  }
}

Status HttpClientExchange::ReadChunks(std::string& body) {
  HttpChunks chunks;
  while (!chunks.done()) {
    if (at_ == buffer_.size()) {
      if (auto filled = FillOrFail(); !filled) return filled;
    }
    const auto next =
        static_cast<std::size_t>(std::min<std::uint64_t>(chunks.Next(), buffer_.size() - at_));
    const bool data = chunks.in_data();
    if (!chunks.Accept(std::string_view(buffer_).substr(at_, next))) return Cut();
    if (!data) {
      at_ += next;
    } else if (auto taken = Take(next, body); !taken) {
      return taken;
    }
  }
  return Ok();
}

// Appends the available part of the next `size` bytes to the body.
Status HttpClientExchange::Take(std::size_t size, std::string& body) {
  const auto bytes = std::string_view(buffer_).substr(at_, size);
  if (bytes.size() > max_body_ - body.size()) {
    return TooLarge("more than " + std::to_string(max_body_));
  }
  body += bytes;
  at_ += bytes.size();
  return Ok();
}

}  // namespace tower
