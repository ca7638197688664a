// One request of the HTTP client, and its answer (RFC 9112). cpp-httplib is not asked: it decodes
// queries and encodes them anew, and percent-decodes the values of headers (0.41.0).
#ifndef CORE_HTTP_CLIENT_EXCHANGE_H_
#define CORE_HTTP_CLIENT_EXCHANGE_H_

#include <cstddef>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/http_client/client.h"
#include "core/net/resolver.h"
#include "core/net/stream.h"

namespace tower {

// What ends a request before its time.
struct HttpPatience {
  std::stop_token stop;
  int interrupt_fd;  // readable once stop was requested
  Deadline deadline;

  // kStopped or kTimeout, once it is over.
  Status Left() const;
};

// Used by one thread, once.
class HttpExchange {
 public:
  // Both outlive it.
  HttpExchange(NetStream& stream, const HttpPatience& patience, std::size_t max_body)
      : stream_(stream), patience_(patience), max_body_(max_body) {}

  // Sends the head of a request without a body, and reads the answer to a GET. kStopped, kTimeout,
  // kUnavailable (cut off, too large, compressed, not HTTP).
  Result<HttpReply> Run(std::string_view request);

  // The service has begun to answer.
  bool begun() const noexcept { return begun_; }
  // Another request may follow on the stream.
  bool reusable() const noexcept { return reusable_; }

 private:
  enum class Framing { kNone, kLength, kChunked, kToTheEnd };

  Status Send(std::string_view bytes);
  Status Wait(bool output) const;
  // More of the answer, behind what is there; false at the end of the stream.
  Result<bool> Fill();
  Status FillOrFail();  // the same, where the end comes too early
  Result<std::string> ReadHead();
  Result<Framing> FramingOf(const HttpReply& reply, std::size_t& length) const;
  Status ReadBody(Framing framing, std::size_t length, std::string& body);
  Status ReadChunks(std::string& body);
  Status Take(std::size_t size, std::string& body);

  NetStream& stream_;
  const HttpPatience& patience_;
  const std::size_t max_body_;
  std::string buffer_;  // what was read; from at_ on it is not yet used
  std::size_t at_ = 0;
  bool begun_ = false, reusable_ = false;
};

// Whether nothing in it would end a header, or is no text.
bool IsHttpFieldValue(std::string_view text);

}  // namespace tower

#endif  // CORE_HTTP_CLIENT_EXCHANGE_H_
