#include "core/http/reader.h"

#include <algorithm>

namespace tower {
namespace {

constexpr std::size_t kStep = 16384;  // minimum growth of a body

}  // namespace

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
    const auto room = kMaxHttpHead + 1 - text_.size();
    const auto piece = bytes.substr(taken, std::min(end - taken, room));
    text_ += piece;
    taken += piece.size();
    if (line_ == 0 && text_.size() > kMaxHttpRequestLine) {
      Refuse(RefuseLongRequestLine(text_));
    } else if (text_.size() > kMaxHttpHead) {
      Refuse({431, "the head of the request is over 32 KiB"});
    } else if (feed != std::string_view::npos) {
      EndLine();
    }
  }
  if (stage_ != Stage::kHead || refusal_ || text_.empty()) return taken;
  const char first = text_.front();
  if (first != '\r' && ((first | 32) < 'a' || (first | 32) > 'z')) {
    Refuse({400, "this is not an HTTP/1.1 request"});  // such as TLS
  }
  return taken;
}

void HttpReader::EndLine() {
  const auto size = text_.size() - line_;
  if (size < 2 || text_[text_.size() - 2] != '\r') {
    Refuse({400, "a line does not end with CRLF"});
  } else if (size > 2) {
    line_ = text_.size();
  } else if (line_ == 0) {
    text_.clear();  // RFC 9112, section 2.2: ignore empty lines before a request
  } else {
    EndHead();
  }
}

void HttpReader::EndHead() {
  refusal_ = ParseHttpHead(text_, head_);
  body_left_ = head_.content_length.value_or(0);
  stage_ = head_.chunked || body_left_ > 0 ? Stage::kBody : Stage::kComplete;
}

std::size_t HttpReader::TakeBody(std::string_view bytes) {
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), body_left_));
  Append(bytes.substr(0, size), body_.size() + body_left_);
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
      Refuse({400, "the chunked body is malformed"});
      return taken;
    }
    if (!data) continue;
    if (piece.size() > max_body_ - body_.size()) {
      Refuse({413, "the body is larger than server.max-body"});
      return taken;
    }
    Append(piece, max_body_);
  }
  if (chunks_.done()) stage_ = Stage::kComplete;
  return taken;
}

// Allocates memory for received bytes, not for the announced length: the capacity doubles, up to
// `most`, the maximum size of the body.
void HttpReader::Append(std::string_view bytes, std::uint64_t most) {
  const auto size = body_.size() + bytes.size();
  if (size > body_.capacity()) {
    std::string grown;  // reserve() of a non-empty string rounds up
    const auto doubled = std::max(2 * body_.capacity(), kStep);
    grown.reserve(std::max(size, static_cast<std::size_t>(std::min<std::uint64_t>(doubled, most))));
    grown += body_;
    body_.swap(grown);
  }
  body_ += bytes;
}

void HttpReader::Next(std::size_t kept) {
  stage_ = Stage::kHead;
  begun_ = false;
  line_ = 0;
  text_.clear();
  body_.clear();
  if (text_.capacity() > kept) FreeText(text_);
  if (body_.capacity() > kept) FreeText(body_);
  chunks_ = HttpChunks();
  refusal_.reset();
}

}  // namespace tower
