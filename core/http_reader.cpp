#include "core/http_reader.h"

#include <algorithm>
#include <cstring>

namespace tower {
namespace {

constexpr std::uint64_t kReserved = 262144;
constexpr std::size_t kKeptBody = 65536;  // memory that stays for the next body

}  // namespace

std::string_view HttpReader::request_line() const noexcept {
  return std::string_view(text_).substr(0, text_.find('\r'));
}

std::size_t HttpReader::Take(std::string_view bytes) {
  std::size_t taken = 0;
  if (!bytes.empty()) begun_ = true;
  if (stage_ == Stage::kHead && !refusal_) taken = TakeHead(bytes);
  if (stage_ == Stage::kBody && !refusal_) {
    bytes.remove_prefix(taken);
    taken += head_.chunked ? TakeChunks(bytes) : TakeBody(bytes);
  }
  return taken;
}

std::size_t HttpReader::TakeHead(std::string_view bytes) {
  std::size_t taken = 0;
  while (stage_ == Stage::kHead && !refusal_ && taken < bytes.size()) {
    const auto feed = bytes.find('\n', taken);
    const auto end = feed == std::string_view::npos ? bytes.size() : feed + 1;
    text_ += bytes.substr(taken, end - taken);
    taken = end;
    if (feed != std::string_view::npos) EndLine();
  }
  if (stage_ != Stage::kHead || refusal_ || text_.empty()) return taken;
  const char first = text_.front();
  if (first != '\r' && ((first | 32) < 'a' || (first | 32) > 'z')) {
    Refuse({400, "this is not an HTTP/1.1 request"});  // TLS, say
  } else if (text_.size() > kMaxHttpHead) {
    Refuse({431, "the head of the request is over 32 KiB"});
  }
  return taken;
}

void HttpReader::EndLine() {
  const auto size = text_.size() - line_;
  if (size < 2 || text_[text_.size() - 2] != '\r') {
    Refuse({400, "a line ends with something else than CRLF"});
  } else if (size > 2) {
    line_ = text_.size();
  } else if (line_ == 0) {
    text_.clear();  // RFC 9112, section 2.2: empty lines before a request mean nothing
  } else {
    EndHead();
  }
}

void HttpReader::EndHead() {
  if (text_.size() > kMaxHttpHead) {
    Refuse({431, "the head of the request is over 32 KiB"});
    return;
  }
  refusal_ = ParseHttpHead(text_, head_);
  body_left_ = head_.content_length.value_or(0);
  stage_ = head_.chunked || body_left_ > 0 ? Stage::kBody : Stage::kComplete;
  // Far less than may be announced: memory is for what comes.
  body_.reserve(static_cast<std::size_t>(std::min({body_left_, max_body_, kReserved})));
}

std::size_t HttpReader::TakeBody(std::string_view bytes) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), body_left_));
  body_ += bytes.substr(0, size);
  body_left_ -= size;
  if (body_left_ == 0) stage_ = Stage::kComplete;
  return size;
}

std::size_t HttpReader::TakeChunks(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !chunks_.done()) {
    const bool data = chunks_.in_data();
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size() - taken, chunks_.Next()));
    const auto piece = bytes.substr(taken, size);
    taken += size;
    if (!chunks_.Accept(piece)) {
      Refuse({400, "the body did not arrive as its headers say"});
      return taken;
    }
    if (!data) continue;
    if (piece.size() > max_body_ - body_.size()) {
      Refuse({413, "the body is larger than server.max-body"});
      return taken;
    }
    body_ += piece;
  }
  if (chunks_.done()) stage_ = Stage::kComplete;
  return taken;
}

void HttpReader::Next() {
  stage_ = Stage::kHead;
  begun_ = false;
  line_ = 0;
  text_.clear();
  body_.clear();
  if (body_.capacity() > kKeptBody) body_.shrink_to_fit();
  chunks_ = HttpChunks();
  refusal_.reset();
}

}  // namespace tower
