#include "core/net/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <utility>

#include "core/net/ca_bundle.h"

namespace tower {
namespace {

std::string OpenSslText() {
  const unsigned long code = ERR_peek_last_error();
  const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string result = text == nullptr ? "unknown error" : text;
  // The first error, because the last one is often as vague as "system lib".
  const unsigned long cause = ERR_peek_error();
  if (ERR_SYSTEM_ERROR(cause)) result = ErrnoText(ERR_GET_REASON(cause));
  ERR_clear_error();
  return result;
}

// Keeps OpenSSL from asking for a pass phrase on the terminal.
int NoPassPhrase(char*, int, int, void*) { return -1; }

Error FileError(std::string_view what, const std::string& file) {
  return {ErrorCode::kInvalid, std::string(what) + " " + file + ": " + OpenSslText()};
}

bool IsAddress(const std::string& host) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return address != nullptr;
}

}  // namespace

TlsClient::TlsClient(std::string hint)
    : context_(SSL_CTX_new(TLS_client_method())), hint_(std::move(hint)) {}

TlsClient::~TlsClient() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsClient>> TlsClient::Load(const TlsClientFiles& files) {
  ERR_clear_error();
  std::shared_ptr<TlsClient> tls(
      new TlsClient(files.prefix + "ca-file and the host in " +
                    (files.url.empty() ? files.prefix + "url" : files.url)));
  SSL_CTX* context = tls->context_;
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    return Error{ErrorCode::kUnavailable, "set up TLS: " + OpenSslText()};
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_default_passwd_cb(context, NoPassPhrase);

  auto bundle = FindCaBundle(files.ca_file, files.prefix + "ca-file");
  if (!bundle) return bundle.error();
  if (SSL_CTX_load_verify_file(context, bundle->c_str()) != 1) {
    return FileError("read CA certificates from", *bundle);
  }
  if (files.cert.empty() != files.key.empty()) {
    return Error{ErrorCode::kInvalid,
                 files.prefix + "cert and " + files.prefix + "key belong together"};
  }
  if (!files.cert.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context, files.cert.c_str()) != 1) {
      return FileError("read the client certificate", files.cert);
    }
    if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
      return FileError("read the client key", files.key);
    }
  }
  return std::shared_ptr<const TlsClient>(std::move(tls));
}

NetStream::~NetStream() { Close(); }

Status NetStream::Open(int fd, const std::string& host, const TlsClient* tls, Deadline deadline,
                       int interrupt_fd) {
  Close();
  fd_ = fd;
  if (tls == nullptr) return Ok();
  ERR_clear_error();
  ssl_ = SSL_new(tls->context_);
  if (ssl_ == nullptr || SSL_set_fd(ssl_, fd) != 1) {
    return Error{ErrorCode::kUnavailable, "set up TLS: " + OpenSslText()};
  }
  X509_VERIFY_PARAM* rules = SSL_get0_param(ssl_);
  const bool address = IsAddress(host);
  if (address ? X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) != 1
              : SSL_set1_host(ssl_, host.c_str()) != 1 ||
                    SSL_set_tlsext_host_name(ssl_, host.c_str()) != 1) {
    return Error{ErrorCode::kInvalid, "'" + host + "' is no host name for TLS"};
  }
  SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return Handshake(host, tls->hint_, deadline, interrupt_fd);
}

Status NetStream::Handshake(const std::string& host, const std::string& hint, Deadline deadline,
                            int interrupt_fd) {
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_);
    if (result == 1) return Ok();
    const int why = SSL_get_error(ssl_, result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
      const long verdict = SSL_get_verify_result(ssl_);
      if (verdict == X509_V_OK) {
        return Error{ErrorCode::kUnavailable, "TLS handshake: " + OpenSslText()};
      }
      ERR_clear_error();
      return Error{ErrorCode::kPermanent, "the certificate of " + host + " is not accepted (" +
                                              X509_verify_cert_error_string(verdict) + "), see " +
                                              hint};
    }
    const short events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    std::array<pollfd, 2> fds = {{{fd_, events, 0}, {interrupt_fd, POLLIN, 0}}};
    if (poll(fds.data(), fds.size(), PollTimeout(deadline)) < 0 && errno == EINTR) continue;
    if (fds[1].revents != 0) return Error{ErrorCode::kStopped, "interrupted"};
    if (fds[0].revents == 0 && PollTimeout(deadline) == 0) {
      return Error{ErrorCode::kTimeout, "TLS handshake: no answer in time"};
    }
  }
}

void NetStream::Close() {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
    SSL_free(ssl_);
    ERR_clear_error();
  }
  ssl_ = nullptr;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  read_wants_write_ = write_wants_write_ = ended_ = false;
}

Result<std::size_t> NetStream::TlsResult(int result, const char* what, bool& wants_write) {
  wants_write = false;
  if (result > 0) return static_cast<std::size_t>(result);
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_WRITE:
      wants_write = true;
      return std::size_t{0};
    case SSL_ERROR_WANT_READ:
      return std::size_t{0};
    case SSL_ERROR_ZERO_RETURN:
      ended_ = true;
      return Error{ErrorCode::kUnavailable, "the peer closed the connection"};
    case SSL_ERROR_SYSCALL:
      return Error{ErrorCode::kUnavailable, std::string(what) + ": " + ErrnoText(errno)};
    default:
      return Error{ErrorCode::kUnavailable, std::string(what) + ": " + OpenSslText()};
  }
}

Result<std::size_t> NetStream::Read(char* data, std::size_t size) {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    return TlsResult(SSL_read(ssl_, data, static_cast<int>(std::min<std::size_t>(size, INT_MAX))),
                     "read", read_wants_write_);
  }
  for (;;) {
    const ssize_t n = recv(fd_, data, size, 0);
    if (n > 0) return static_cast<std::size_t>(n);
    if (n == 0) {
      ended_ = true;
      return Error{ErrorCode::kUnavailable, "the peer closed the connection"};
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
    if (errno != EINTR) return Error{ErrorCode::kUnavailable, "read: " + ErrnoText(errno)};
  }
}

Result<std::size_t> NetStream::Write(const char* data, std::size_t size) {
  if (size == 0) return size;  // OpenSSL reports an error for an empty write
  if (ssl_ != nullptr) {
    ERR_clear_error();
    return TlsResult(SSL_write(ssl_, data, static_cast<int>(std::min<std::size_t>(size, INT_MAX))),
                     "write", write_wants_write_);
  }
  for (;;) {
    const ssize_t n = send(fd_, data, size, MSG_NOSIGNAL);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
    if (errno != EINTR) return Error{ErrorCode::kUnavailable, "write: " + ErrnoText(errno)};
  }
}

short NetStream::PollEvents(bool output) const noexcept {
  const bool wants_write = ssl_ == nullptr ? output : read_wants_write_ || write_wants_write_;
  return static_cast<short>(wants_write ? POLLIN | POLLOUT : POLLIN);
}

bool NetStream::HasBuffered() const noexcept { return ssl_ != nullptr && SSL_pending(ssl_) > 0; }

}  // namespace tower
