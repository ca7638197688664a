// HTTP services for tests of what asks them, on a free port of 127.0.0.1: one that behaves, and one
// that does what it is told.
#ifndef TEST_SUPPORT_HTTP_SERVICE_H_
#define TEST_SUPPORT_HTTP_SERVICE_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "test/support/test_ca.h"

namespace httplib {
class Server;
}

namespace tower {

struct ServedRequest {
  std::string target;                            // path and query
  std::string path;                              // without the query
  std::map<std::string, std::string> query;      // decoded
  std::multimap<std::string, std::string> sent;  // headers, names in lower case

  std::string Header(const std::string& name) const {  // in lower case; empty where absent
    const auto found = sent.find(name);
    return found == sent.end() ? "" : found->second;
  }
};

struct ServedAnswer {
  int status = 200;
  std::string body = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  bool chunked = false;
};

class HttpService {
 public:
  using Handler = std::function<ServedAnswer(const ServedRequest&)>;

  // `handler` is called by threads of the service. With an identity it speaks TLS.
  explicit HttpService(Handler handler, const TestIdentity* tls = nullptr,
                       int highest_tls = TLS1_3_VERSION);
  ~HttpService();

  int port() const { return port_; }
  std::string Url(const std::string& target, const std::string& host = "127.0.0.1") const;
  std::vector<ServedRequest> requests() const;  // so far
  std::size_t connections() const;              // from which they came

 private:
  const bool tls_;
  std::unique_ptr<httplib::Server> server_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<ServedRequest> requests_;
  std::map<int, int> clients_;  // by port
  std::thread thread_;
};

// Every connection is handed to `script`, on a thread of its own, and closed after that.
class RawService {
 public:
  explicit RawService(std::function<void(int fd)> script);
  ~RawService();

  int port() const { return port_; }
  std::string Url(const std::string& target, const std::string& scheme = "http") const;
  int connections() const;  // so far

  static std::string ReadHead(int fd);  // of a request; empty when the client has closed
  static bool Send(int fd, std::string_view bytes);
  static void WaitForClose(int fd);
  // A byte every 20 ms until the client closes.
  static void Drip(int fd, std::string_view repeated);

 private:
  void Accept();

  const std::function<void(int)> script_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<int> open_;
  int connections_ = 0;
  std::vector<std::thread> scripts_;
  std::thread thread_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_HTTP_SERVICE_H_
