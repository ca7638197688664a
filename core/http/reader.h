// Takes the bytes that a client sends apart into requests, whatever pieces they come in.
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

// An empty string that is assigned leaves the memory where it is.
inline void FreeText(std::string& text) noexcept { std::string().swap(text); }

// One request at a time. Used by one thread.
class HttpReader {
 public:
  // Bodies over `max_body` bytes are refused where their length does not stand in the head.
  explicit HttpReader(std::uint64_t max_body) : max_body_(max_body) {}

  // Takes what belongs to the current request, and returns how many bytes that was: all of them,
  // unless the request is complete or refused.
  std::size_t Take(std::string_view bytes);

  bool begun() const noexcept { return begun_; }  // its first byte has come
  bool has_head() const noexcept { return stage_ != Stage::kHead; }
  bool complete() const noexcept { return stage_ == Stage::kComplete; }
  // Set when the request can't be read on; it still wants an answer.
  const std::optional<HttpRefusal>& refusal() const noexcept { return refusal_; }
  void Refuse(HttpRefusal refusal) { refusal_ = refusal; }

  // The method is HEAD, as far as can be told: the answer has no body, a refusal neither.
  bool is_head() const noexcept { return text_.starts_with("HEAD "); }

  // Good until Next. The body is without its framing.
  const HttpHead& head() const noexcept { return head_; }
  std::string_view body() const noexcept { return body_; }

  // Bytes that are held.
  std::size_t memory() const noexcept {
    return text_.capacity() + body_.capacity() + head_.headers.capacity() * sizeof(HttpHeader);
  }
  // Gives back the memory of a body that nobody will read, unless it is at most `kept` bytes.
  void Drop(std::size_t kept) {
    if (body_.capacity() > kept) FreeText(body_);
  }

  // Begins the next request. Of the memory, at most `kept` bytes each stay for its head and body.
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
  std::string text_;             // of the head
  std::size_t line_ = 0;         // where its last line begins
  HttpHead head_;                // of views into text_
  std::uint64_t body_left_ = 0;  // unless chunked
  HttpChunks chunks_;
  std::string body_;
  std::optional<HttpRefusal> refusal_;
};

}  // namespace tower

#endif  // CORE_HTTP_READER_H_
