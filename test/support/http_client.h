// A raw HTTP/1.1 client on one connection: what is sent is what the test says, malformed or not.
#ifndef TEST_SUPPORT_HTTP_CLIENT_H_
#define TEST_SUPPORT_HTTP_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tower {

struct HttpAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  std::string Header(std::string_view name) const {  // empty where there is none
    for (const auto& [key, value] : headers) {
      if (strcasecmp(key.c_str(), std::string(name).c_str()) == 0) return value;
    }
    return {};
  }
};

class RawHttpClient {
 public:
  // `from`: the address to connect from, of 127.0.0.0/8.
  explicit RawHttpClient(int port, const char* from = "127.0.0.1")
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    inet_pton(AF_INET, from, &own.sin_addr);
    bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof(own));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      close(fd_);
      throw std::runtime_error("no connection to the server");
    }
  }
  ~RawHttpClient() { close(fd_); }
  RawHttpClient(const RawHttpClient&) = delete;
  RawHttpClient& operator=(const RawHttpClient&) = delete;

  // False when the server has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // The next answer, or nothing when the server closes or is silent for a minute. `head`: the
  // request was HEAD.
  std::optional<HttpAnswer> Receive(bool head = false) {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return std::nullopt;
    }
    HttpAnswer answer;
    answer.status = std::atoi(received_.c_str() + 9);
    for (std::size_t at = received_.find("\r\n") + 2; at < end;) {
      const auto line_end = received_.find("\r\n", at);
      const auto colon = received_.find(": ", at);
      answer.headers.emplace_back(received_.substr(at, colon - at),
                                  received_.substr(colon + 2, line_end - colon - 2));
      at = line_end + 2;
    }
    received_.erase(0, end + 4);
    if (head || answer.status == 100) return answer;
    const auto size = std::strtoul(answer.Header("Content-Length").c_str(), nullptr, 10);
    while (received_.size() < size) {
      if (!Fill()) return std::nullopt;
    }
    answer.body = received_.substr(0, size);
    received_.erase(0, size);
    return answer;
  }

  // `headers`: whole lines, each with CRLF. Host and Content-Length are added.
  std::optional<HttpAnswer> Request(std::string_view method, std::string_view target,
                                    std::string_view body = {}, std::string_view headers = {}) {
    std::string text(method);
    text.append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\n").append(headers);
    if (method == "POST") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    Send(text.append("\r\n").append(body));
    return Receive(method == "HEAD");
  }
  std::optional<HttpAnswer> PostJson(std::string_view target, std::string_view body,
                                     std::string_view headers = {}) {
    return Request("POST", target, body,
                   "Content-Type: application/json\r\n" + std::string(headers));
  }

  // Something has come, or the server has closed.
  bool Readable() const {
    pollfd ready{fd_, POLLIN, 0};
    return !received_.empty() || poll(&ready, 1, 0) > 0;
  }

  // True when the server ends the connection without sending more; waits a minute for that.
  bool ClosedByServer() { return received_.empty() && !Fill() && closed_; }

 private:
  bool Fill() {
    pollfd ready{fd_, POLLIN, 0};
    if (poll(&ready, 1, 60'000) <= 0) return false;
    char bytes[16384];
    const auto got = recv(fd_, bytes, sizeof(bytes), 0);
    closed_ = got <= 0;
    if (got > 0) received_.append(bytes, static_cast<std::size_t>(got));
    return got > 0;
  }

  const int fd_;
  bool closed_ = false;
  std::string received_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_HTTP_CLIENT_H_
