#include "core/net/stream.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <thread>

#include "core/base/wakeup.h"
#include "test/support/temp_dir.h"
#include "test/support/test_ca.h"

namespace tower {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Context = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freer<SSL_free>>;

// A TLS server on one end of a socket pair; sends back what comes until the other end closes.
class EchoServer {
 public:
  EchoServer(const TestIdentity& identity, int highest_version, const TestIdentity* client_ca)
      : context_(SSL_CTX_new(TLS_server_method())) {
    signal(SIGPIPE, SIG_IGN);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0);
    SSL_CTX_use_certificate(context_.get(), identity.certificate());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key());
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), highest_version);
    if (client_ca != nullptr) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), client_ca->certificate());
      SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                         nullptr);
    }
    thread_ = std::thread([this] { Run(); });
  }
  ~EchoServer() {
    shutdown(ends_[1], SHUT_RDWR);
    thread_.join();
    close(ends_[1]);
  }
  int client_end() const { return ends_[0]; }  // whoever takes it closes it

 private:
  void Run() {
    const Session ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), ends_[1]);
    if (SSL_accept(ssl.get()) == 1) {
      std::array<char, 16384> data;
      int n = 0;
      while ((n = SSL_read(ssl.get(), data.data(), static_cast<int>(data.size()))) > 0) {
        SSL_write(ssl.get(), data.data(), n);
      }
    }
    ERR_clear_error();
    shutdown(ends_[1], SHUT_RDWR);
  }

  std::array<int, 2> ends_{};
  Context context_;
  std::thread thread_;
};

std::string Fault(const Status& status) { return status ? "" : status.error().message; }

struct Lab {
  TestIdentity ca{"lab CA", "", nullptr};
  TestIdentity other_ca{"another CA", "", nullptr};
  TestIdentity server{"broker", "DNS:broker.example,DNS:*.lab.example,IP:127.0.0.1,IP:::1", &ca};
  TestIdentity client{"tower", "", &ca};
  TempDir dir;
  std::string ca_file = dir.Write("ca.pem", ca.CertificatePem());
  std::string cert = dir.Write("cert.pem", client.CertificatePem());
  std::string key = dir.Write("key.pem", client.KeyPem());
  Wakeup interrupt;

  std::shared_ptr<const TlsClient> Load(const TlsClientFiles& files) {
    auto tls = TlsClient::Load(files);
    INFO((tls ? "" : tls.error().message));
    REQUIRE(tls);
    return *tls;
  }

  // Shakes hands with a server and has 300 kB echoed.
  Status Talk(const std::string& host, const TlsClientFiles& files, int version = TLS1_3_VERSION,
              bool client_wanted = false) {
    EchoServer server_end(server, version, client_wanted ? &ca : nullptr);
    NetStream stream;
    const auto tls = Load(files);
    const int fd = server_end.client_end();
    REQUIRE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    const Deadline deadline = steady_clock::now() + seconds(30);
    if (Status s = stream.Open(fd, host, tls.get(), deadline, interrupt.fd()); !s) return s;
    const std::string sent(300'000, 'x');
    std::string received;
    std::size_t written = 0;
    while (received.size() < sent.size() && steady_clock::now() < deadline) {
      auto n = stream.Write(sent.data() + written, sent.size() - written);
      if (!n) return n.error();
      written += *n;
      pollfd poll_fd = {stream.fd(), stream.PollEvents(written < sent.size()), 0};
      if (!stream.HasBuffered()) poll(&poll_fd, 1, 1000);
      std::array<char, 4096> data;
      n = stream.Read(data.data(), data.size());
      if (!n) return n.error();
      received.append(data.data(), *n);
    }
    CHECK((received == sent));
    return Ok();
  }
};

TEST_CASE("TLS talks to a broker whose certificate names the host", "[stream]") {
  Lab lab;
  for (const std::string host : {"broker.example", "a.lab.example", "127.0.0.1", "::1"}) {
    INFO(host);
    CHECK(Fault(lab.Talk(host, {.ca_file = lab.ca_file, .cert = {}, .key = {}})) == "");
  }
  CHECK(Fault(lab.Talk("broker.example", {.ca_file = lab.ca_file, .cert = {}, .key = {}},
                       TLS1_2_VERSION)) == "");
}

TEST_CASE("TLS refuses a certificate for another host", "[stream]") {
  Lab lab;
  for (const std::string host :
       {"evil.example", "broker.example.evil", "b.a.lab.example", "127.0.0.2", "::2", "broker"}) {
    INFO(host);
    const Status talked = lab.Talk(host, {.ca_file = lab.ca_file, .cert = {}, .key = {}});
    REQUIRE_FALSE(talked);
    CHECK(talked.error().code == ErrorCode::kPermanent);
    CHECK(talked.error().message.find("mismatch") != std::string::npos);
  }
}

TEST_CASE("TLS refuses a certificate that nobody trusted has signed", "[stream]") {
  Lab lab;
  const std::string other = lab.dir.Write("other.pem", lab.other_ca.CertificatePem());
  const Status talked = lab.Talk("broker.example", {.ca_file = other, .cert = {}, .key = {}});
  REQUIRE_FALSE(talked);
  CHECK(talked.error().code == ErrorCode::kPermanent);
  CHECK(talked.error().message.find("amqp.ca-file") != std::string::npos);
}

TEST_CASE("TLS older than 1.2 is refused", "[stream]") {
  Lab lab;
  CHECK_FALSE(
      lab.Talk("broker.example", {.ca_file = lab.ca_file, .cert = {}, .key = {}}, TLS1_1_VERSION));
}

TEST_CASE("a client certificate is shown to a broker that wants one", "[stream]") {
  Lab lab;
  const TlsClientFiles with{.ca_file = lab.ca_file, .cert = lab.cert, .key = lab.key};
  CHECK(Fault(lab.Talk("broker.example", with, TLS1_3_VERSION, true)) == "");
  const TlsClientFiles without{.ca_file = lab.ca_file, .cert = {}, .key = {}};
  CHECK_FALSE(lab.Talk("broker.example", without, TLS1_3_VERSION, true));
}

TEST_CASE("TLS files that are missing or unfit are named at once", "[stream]") {
  Lab lab;
  const std::string empty = lab.dir.Write("empty.pem", "");
  const std::string other_key = lab.dir.Write("other_key.pem", lab.server.KeyPem());
  const std::string locked = lab.dir.Write("locked.pem", lab.client.KeyPem("pass phrase"));
  const auto message = [](const TlsClientFiles& files) {
    const auto tls = TlsClient::Load(files);
    REQUIRE_FALSE(tls);
    CHECK(tls.error().code == ErrorCode::kInvalid);
    return tls.error().message;
  };
  CHECK(message({lab.dir / "none.pem", {}, {}}).find("none.pem") != std::string::npos);
  CHECK(message({empty, {}, {}}).find("empty.pem") != std::string::npos);
  CHECK(message({lab.ca_file, lab.cert, {}}) == "amqp.cert and amqp.key belong together");
  CHECK(message({lab.ca_file, empty, lab.key}).find("empty.pem") != std::string::npos);
  CHECK(message({lab.ca_file, lab.cert, other_key}).find("other_key.pem") != std::string::npos);
  CHECK(message({lab.ca_file, lab.cert, locked}).find("locked.pem") != std::string::npos);
}

TEST_CASE("a TLS handshake with a silent peer ends at its deadline or when interrupted",
          "[stream]") {
  Lab lab;
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
  const auto tls = lab.Load({.ca_file = lab.ca_file, .cert = {}, .key = {}});
  NetStream stream;
  Status opened =
      stream.Open(dup(ends[0]), "h", tls.get(), steady_clock::now() + std::chrono::milliseconds(20),
                  lab.interrupt.fd());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::kTimeout);
  lab.interrupt.Signal();
  opened =
      stream.Open(ends[0], "h", tls.get(), steady_clock::now() + seconds(3600), lab.interrupt.fd());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::kStopped);
  close(ends[1]);
}

}  // namespace
}  // namespace tower
