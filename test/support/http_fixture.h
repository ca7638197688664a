// A server on a free port of its own, with what its rooms need.
#ifndef TEST_SUPPORT_HTTP_FIXTURE_H_
#define TEST_SUPPORT_HTTP_FIXTURE_H_

#include <sys/stat.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/base/metrics.h"
#include "core/http/server.h"
#include "test/support/http_client.h"
#include "test/support/temp_dir.h"

namespace tower {

struct HttpFixture {
  explicit HttpFixture(HttpServerOptions given = {}) : options(std::move(given)) {
    options.port = 0;
    // A busy machine must not look like a slow client, unless the test is about that.
    const HttpServerOptions defaults;
    if (options.allowed_hosts.empty()) options.allowed_hosts = {"t"};
    if (options.idle_timeout == defaults.idle_timeout) options.idle_timeout *= 20;
    if (options.request_timeout == defaults.request_timeout) options.request_timeout *= 20;
    server = std::make_unique<HttpServer>(options, Logger(), metrics);
  }
  // Routes are there: from now on the server answers.
  void Start() {
    if (auto started = server->Start(); !started) throw std::runtime_error(started.error().message);
  }
  int port() const { return server->port(); }

  HttpServerOptions options;
  Metrics metrics;
  std::unique_ptr<HttpServer> server;
};

// A file of tokens that only its owner may read, as `chmod 600` makes it.
inline std::string WriteTokens(const TempDir& folder, std::string_view text) {
  const auto path = folder.Write("tokens", text);
  chmod(path.c_str(), S_IRUSR | S_IWUSR);
  return path;
}

// One request on a connection of its own.
inline HttpAnswer Ask(const HttpFixture& fixture, std::string_view method, std::string_view target,
                      std::string_view body = {}, std::string_view headers = {}) {
  RawHttpClient client(fixture.port());
  return client.Request(method, target, body, headers).value_or(HttpAnswer{});
}

}  // namespace tower

#endif  // TEST_SUPPORT_HTTP_FIXTURE_H_
