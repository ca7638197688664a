// One connection of the HTTP server: bytes in, bytes out, and the clock. A request as a whole has a
// deadline from its first byte, so a client that drips bytes is cut like one that sends none; the
// time that a handler takes is no part of it.
#ifndef CORE_HTTP_CONNECTION_H_
#define CORE_HTTP_CONNECTION_H_

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/http_chunks.h"
#include "core/http_head.h"

namespace tower {

// Used by one thread. Does not own the socket, which is a blocking one.
class HttpConnection {
 public:
  using Clock = std::chrono::steady_clock;

  // `busy` is set when a request has begun. `idle`: how long a client may wait with its first byte.
  // `request`: the deadline for the rest of the request, and again for writing the answer.
  HttpConnection(int fd, std::chrono::milliseconds idle, std::chrono::milliseconds request,
                 std::atomic<bool>& busy);

  // Waits for the next request and reads its head; the views stay good until Finish. False: the
  // client is gone, or was idle for too long. A refusal (of which there is one when `refusal` is
  // filled) still wants an answer, and then Linger.
  bool ReadHead(HttpHead& head, std::optional<HttpRefusal>& refusal);

  // The next bytes of the request, head first, at most `size`: what cpp-httplib reads. 0 at the end
  // of the body, negative when the client is gone, late, or sends something else than was framed.
  ssize_t Read(char* to, std::size_t size);
  bool late() const noexcept { return late_; }

  // Ends reading the request. True when no byte of its body is outstanding, or what is could be
  // dropped without waiting; else the connection can only be closed.
  bool EndBody();

  // Makes room for the next request.
  void Finish();

  // Sends all of it; false when the client is gone or does not read.
  bool Write(std::string_view bytes);

  // Ends a connection on which the client may still be sending: tells it that no more will come,
  // then discards what arrives for a moment. Closing at once would reset the connection, and could
  // take the answer away from the client.
  void Linger();

  Clock::time_point began() const noexcept { return began_; }  // of the current request

 private:
  bool AwaitFirstByte();
  bool Fill();
  bool FindHeadEnd(std::optional<HttpRefusal>& refusal);
  bool Await(short events, Clock::time_point deadline);
  std::size_t Left() const noexcept { return end_ - begin_; }

  const int fd_;
  const std::chrono::milliseconds request_timeout_;
  std::atomic<bool>& busy_;
  const std::unique_ptr<char[]> buffer_;
  std::size_t base_ = 0;         // the head of the current request stands before it
  std::size_t begin_ = 0;        // of what was received and not yet used
  std::size_t end_ = 0;          // of what was received
  std::size_t scanned_ = 0;      // the head does not end before it
  std::string_view head_;        // what of it was not yet read
  std::uint64_t body_left_ = 0;  // unless chunked
  std::optional<HttpChunks> chunks_;
  bool ended_ = false;  // EndBody was called
  bool late_ = false;   // the deadline passed
  Clock::time_point began_{};
};

}  // namespace tower

#endif  // CORE_HTTP_CONNECTION_H_
