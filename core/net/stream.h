// A byte stream over a connected socket, plain or with TLS. Every wait has a deadline and can be
// interrupted. AMQP and HTTPS share this certificate verification.
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
  std::string cert;              // PEM, the client certificate and its chain; empty for none
  std::string key;               // PEM, the private key of `cert`, without a pass phrase
  std::string prefix = "amqp.";  // prefix of the options, for error messages
  // What contains the host name, for error messages; empty: the option `url`.
  std::string url = {};
};

// The settings that the TLS connections of a client share: at least TLS 1.2, and the certificate of
// the peer is always verified. Immutable; thread-safe.
class TlsClient {
 public:
  // kInvalid if a file is missing or unusable; the message names it.
  static Result<std::shared_ptr<const TlsClient>> Load(const TlsClientFiles& files);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

 private:
  friend class NetStream;
  explicit TlsClient(std::string hint);
  ssl_ctx_st* context_;
  const std::string hint_;  // added to errors: what to check when a certificate is not accepted
};

// Used by one thread. The process must ignore SIGPIPE where TLS is used.
class NetStream {
 public:
  NetStream() = default;
  ~NetStream();
  NetStream(const NetStream&) = delete;
  NetStream& operator=(const NetStream&) = delete;

  // Takes ownership of a connected, non-blocking socket. With `tls`, performs the handshake; the
  // certificate must be valid for `host`, a name or an address. kPermanent if the certificate is
  // not trusted or is for another host.
  Status Open(int fd, const std::string& host, const TlsClient* tls, Deadline deadline,
              int interrupt_fd);
  // Closes the socket without waiting; sends close_notify of TLS if that is possible at once.
  void Close();

  // Return the number of bytes read or written; 0 if the call would block.
  Result<std::size_t> Read(char* data, std::size_t size);
  Result<std::size_t> Write(const char* data, std::size_t size);

  // The peer has ended the stream, in TLS with close_notify, so that no data was cut off.
  bool ended() const noexcept { return ended_; }

  bool is_open() const noexcept { return fd_ >= 0; }
  bool is_tls() const noexcept { return ssl_ != nullptr; }
  int fd() const noexcept { return fd_; }
  // The events to poll(2) for; `output`: there are bytes that Write did not accept.
  short PollEvents(bool output) const noexcept;
  // True if Read would return buffered bytes, which poll(2) does not report.
  bool HasBuffered() const noexcept;

 private:
  Result<std::size_t> TlsResult(int result, const char* what, bool& wants_write);
  Status Handshake(const std::string& host, const std::string& hint, Deadline deadline,
                   int interrupt_fd);

  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
  bool read_wants_write_ = false;  // TLS: reading needs the socket to be writable
  bool write_wants_write_ = false;
  bool ended_ = false;
};

}  // namespace tower

#endif  // CORE_NET_STREAM_H_
