// One request of the HTTP client and its reply (RFC 9112). cpp-httplib is not used for this,
// because it decodes and re-encodes queries, and percent-decodes header values (0.41.0).
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

// What can end a request early: a stop or the deadline.
struct RequestDeadline {
  std::stop_token stop;
  int interrupt_fd;  // readable once a stop is requested
  Deadline at;

  // kStopped after a stop request, kTimeout after the deadline, else Ok.
  Status Check() const;
};

// Used by one thread, for one request.
class HttpClientExchange {
 public:
  // `stream` and `deadline` outlive the exchange.
  HttpClientExchange(NetStream& stream, const RequestDeadline& deadline, std::size_t max_body)
      : stream_(stream), deadline_(deadline), max_body_(max_body) {}

  // Sends `request`, the head of a GET request, and reads the reply. Errors: kStopped, kTimeout,
  // kUnavailable (cut off, too large, compressed, not HTTP).
  Result<HttpReply> Run(std::string_view request);

  // The service has sent a part of the reply.
  bool begun() const noexcept { return begun_; }
  // The stream can be used for another request.
  bool reusable() const noexcept { return reusable_; }

 private:
  enum class Framing { kNone, kLength, kChunked, kToTheEnd };

  Status Send(std::string_view bytes);
  Status Wait(bool output) const;
  // Reads more of the reply into buffer_; false at the end of the stream.
  Result<bool> ReadMore();
  Status FillOrFail();  // the same, but the end of the stream is an error
  Result<std::string> ReadHead();
  Result<Framing> FramingOf(const HttpReply& reply, std::size_t& length) const;
  Status ReadBody(Framing framing, std::size_t length, std::string& body);
  Status ReadChunks(std::string& body);
  Status Take(std::size_t size, std::string& body);

  NetStream& stream_;
  const RequestDeadline& deadline_;
  const std::size_t max_body_;
  std::string buffer_;  // received bytes; those before at_ have been used
  std::size_t at_ = 0;
  bool begun_ = false, reusable_ = false;
};

// Whether `text` is a valid field value: it contains no line break or other control character.
bool IsHttpFieldValue(std::string_view text);

}  // namespace tower

#endif  // CORE_HTTP_CLIENT_EXCHANGE_H_
