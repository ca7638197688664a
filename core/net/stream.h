// A byte stream to a peer over a connected socket, plain or through TLS. Every wait is bounded and
// can be interrupted, and certificates are verified in the same way for AMQP and HTTPS.
#ifndef CORE_NET_STREAM_H_
#define CORE_NET_STREAM_H_

#include <cstddef>
#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/net/connector.h"

struct ssl_ctx_st;
struct ssl_st;

namespace tower {

struct TlsClientFiles {
  std::string ca_file;           // PEM; empty: SSL_CERT_FILE, else the system's bundle
  std::string cert;              // PEM, our certificate and its chain; empty for none
  std::string key;               // PEM, its key, without a pass phrase
  std::string prefix = "amqp.";  // of the options that name them, for errors
  std::string url = {};          // what names the host, for errors; empty: the option `url`
};

// What all TLS connections of a client share: TLS 1.2 at least, the peer's certificate is always
// verified. Immutable; thread-safe.
class TlsClient {
 public:
  // kInvalid names the file that is missing or unfit.
  static Result<std::shared_ptr<const TlsClient>> Load(const TlsClientFiles& files);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

 private:
  friend class NetStream;
  explicit TlsClient(std::string hint);
  ssl_ctx_st* context_;
  const std::string hint_;  // where to look when a certificate is not accepted
};

// Used by one thread. The process must ignore SIGPIPE where TLS is used.
class NetStream {
 public:
  NetStream() = default;
  ~NetStream();
  NetStream(const NetStream&) = delete;
  NetStream& operator=(const NetStream&) = delete;

  // Takes over a connected, non-blocking socket. With `tls`, shakes hands; the certificate must be
  // for `host`, a name or an address. kPermanent when it is not, or not to be trusted.
  Status Open(int fd, const std::string& host, const TlsClient* tls, Deadline deadline,
              int interrupt_fd);
  void Close();  // at once; says goodbye in TLS when that costs no waiting

  // Bytes read or written; 0 when there is nothing to read, or no room to write, just now.
  Result<std::size_t> Read(char* data, std::size_t size);
  Result<std::size_t> Write(const char* data, std::size_t size);

  // The peer has ended the stream, in TLS with a goodbye: nothing is missing.
  bool ended() const noexcept { return ended_; }

  bool is_open() const noexcept { return fd_ >= 0; }
  bool is_tls() const noexcept { return ssl_ != nullptr; }
  int fd() const noexcept { return fd_; }
  // What to poll(2) for; `output`: there are bytes that Write did not take.
  short PollEvents(bool output) const noexcept;
  // True when a Read would find bytes that poll(2) does not see.
  bool HasBuffered() const noexcept;

 private:
  Result<std::size_t> TlsResult(int result, const char* what, bool& wants_write);
  Status Handshake(const std::string& host, const std::string& hint, Deadline deadline,
                   int interrupt_fd);

  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
  bool read_wants_write_ = false;  // TLS: no progress until the socket takes more
  bool write_wants_write_ = false;
  bool ended_ = false;
};

}  // namespace tower

#endif  // CORE_NET_STREAM_H_
