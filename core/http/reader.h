// Splits the bytes of a connection into requests, in whatever pieces they arrive.
#ifndef CORE_HTTP_READER_H_
#define CORE_HTTP_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/http/chunks.h"
#include "core/http/head.h"

namespace tower {

// Frees the memory of a string; assigning an empty string would keep it.
inline void FreeText(std::string& text) noexcept { std::string().swap(text); }

// Reads one request at a time. Used by one thread.
class HttpReader {
 public:
  // A chunked body of more than `max_body` bytes is refused; the caller checks Content-Length.
  explicit HttpReader(std::uint64_t max_body) : max_body_(max_body) {}

  // Consumes the bytes that belong to the current request and returns their number: all of them,
  // unless the request is complete or refused.
  std::size_t Take(std::string_view bytes);

  bool begun() const noexcept { return begun_; }  // its first byte has arrived
  bool has_head() const noexcept { return stage_ != Stage::kHead; }
  bool complete() const noexcept { return stage_ == Stage::kComplete; }
  // Set if the request cannot be read any further; it still needs a response.
  const std::optional<HttpRefusal>& refusal() const noexcept { return refusal_; }
  void Refuse(HttpRefusal refusal) { refusal_ = refusal; }

  // The method is HEAD, as far as it has been read: no response, not even a refusal, has a body.
  bool is_head() const noexcept { return text_.starts_with("HEAD "); }

  // Valid until Next. The body is without its framing.
  const HttpHead& head() const noexcept { return head_; }
  std::string_view body() const noexcept { return body_; }

  // Bytes of memory in use.
  std::size_t memory() const noexcept {
    return text_.capacity() + body_.capacity() + head_.headers.capacity() * sizeof(HttpHeader);
  }
  // Frees the memory of a body that is not needed, if it has more than `kept` bytes.
  void Drop(std::size_t kept) {
    if (body_.capacity() > kept) FreeText(body_);
  }

  // Starts the next request. Keeps at most `kept` bytes of memory each for its head and body.
  void Next(std::size_t kept);

 private:
  enum class Stage { kHead, kBody, kComplete };
  std::size_t TakeHead(std::string_view bytes);
  std::size_t TakeBody(std::string_view bytes);
  std::size_t TakeChunks(std::string_view bytes);
  void EndLine();
  void EndHead();
  void Append(std::string_view bytes, std::uint64_t most);

  const std::uint64_t max_body_;
  Stage stage_ = Stage::kHead;
  bool begun_ = false;
  std::string text_;             // the head
  std::size_t line_ = 0;         // offset of its last line
  HttpHead head_;                // refers to text_
  std::uint64_t body_left_ = 0;  // bytes still to come, unless chunked
  HttpChunks chunks_;
  std::string body_;
  std::optional<HttpRefusal> refusal_;
};

}  // namespace tower

#endif  // CORE_HTTP_READER_H_
