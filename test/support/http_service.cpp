#include "test/support/http_service.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace tower {
namespace {

std::unique_ptr<httplib::Server> MakeServer(const TestIdentity* tls, int highest_tls) {
  if (tls == nullptr) return std::make_unique<httplib::Server>();
  return std::make_unique<httplib::SSLServer>([&](httplib::tls::ctx_t handle) {
    auto* context = static_cast<SSL_CTX*>(handle);
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context, highest_tls);
    return SSL_CTX_use_certificate(context, tls->certificate()) == 1 &&
           SSL_CTX_use_PrivateKey(context, tls->key()) == 1;
  });
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

HttpService::HttpService(Handler handler, const TestIdentity* tls, int highest_tls)
    : tls_(tls != nullptr), server_(MakeServer(tls, highest_tls)) {
  server_->set_keep_alive_timeout(60);
  server_->set_keep_alive_max_count(1000);
  server_->Get(".*", [this, handler = std::move(handler)](const httplib::Request& request,
                                                          httplib::Response& response) {
    ServedRequest served{.target = request.target, .path = request.path, .query = {}, .sent = {}};
    for (const auto& [name, value] : request.params) served.query[name] = value;
    for (const auto& [name, value] : request.headers) served.sent.emplace(Lower(name), value);
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(served);
      ++clients_[request.remote_port];
    }
    const auto answer = handler(served);
    response.status = answer.status;
    for (const auto& [name, value] : answer.headers) response.headers.emplace(name, value);
    if (!answer.chunked) {
      response.set_content(answer.body, "application/json");
      return;
    }
    response.set_chunked_content_provider(
        "application/json", [body = answer.body](std::size_t offset, httplib::DataSink& sink) {
          if (offset < body.size()) {
            return sink.write(body.data() + offset, std::min<std::size_t>(7, body.size() - offset));
          }
          sink.done();
          return true;
        });
  });
  port_ = server_->bind_to_any_port("127.0.0.1");
  if (port_ <= 0) throw std::runtime_error("the service can't listen");
  thread_ = std::thread([this] { server_->listen_after_bind(); });
  server_->wait_until_ready();
}

HttpService::~HttpService() {
  server_->stop();
  thread_.join();
}

std::string HttpService::Url(const std::string& target, const std::string& host) const {
  return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(port_) + target;
}

std::vector<ServedRequest> HttpService::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t HttpService::connections() const {
  const std::lock_guard lock(mutex_);
  return clients_.size();
}

RawService::RawService(std::function<void(int)> script)
    : script_(std::move(script)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (bind(listener_, plain, size) != 0 || listen(listener_, 16) != 0 ||
      getsockname(listener_, plain, &size) != 0) {
    throw std::runtime_error("the service can't listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Accept(); });
}

RawService::~RawService() {
  shutdown(listener_, SHUT_RDWR);
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
  }
  for (auto& script : scripts_) script.join();
  close(listener_);
}

void RawService::Accept() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    ++connections_;
    scripts_.emplace_back([this, fd] {
      script_(fd);
      const std::lock_guard closing(mutex_);
      open_.erase(std::find(open_.begin(), open_.end(), fd));
      close(fd);
    });
  }
}

std::string RawService::Url(const std::string& target, const std::string& scheme) const {
  return scheme + "://127.0.0.1:" + std::to_string(port_) + target;
}

int RawService::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

std::string RawService::ReadHead(int fd) {
  std::string head;
  char byte = 0;
  while (!head.ends_with("\r\n\r\n")) {
    if (recv(fd, &byte, 1, 0) != 1) return {};
    head += byte;
  }
  return head;
}

bool RawService::Send(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void RawService::WaitForClose(int fd) {
  char bytes[4096];
  while (recv(fd, bytes, sizeof bytes, 0) > 0) {
  }
}

void RawService::Drip(int fd, std::string_view repeated) {
  for (std::size_t i = 0;; ++i) {
    pollfd closed{fd, POLLIN, 0};
    if (poll(&closed, 1, 20) > 0 && recv(fd, &closed.revents, 1, MSG_DONTWAIT) <= 0) return;
    if (!Send(fd, repeated.substr(i % repeated.size(), 1))) return;
  }
}

}  // namespace tower
