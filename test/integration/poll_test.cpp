// The plugin poll in the binary: what its options for all HTTP clients allow.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <string>
#include <vector>

#include "test/support/http_service.h"
#include "test/support/tower_process.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

ServedAnswer Document(const ServedRequest&) {
  return {.body = R"({"apiVersion":"T/v1","protocol":"Polled","spec":{}})"};
}

struct Poller {
  TempDir folder;
  TowerProcess process;

  explicit Poller(const std::string& url, const std::vector<std::string>& more)
      : process(folder, Flags(folder, url, more)) {}

  static std::vector<std::string> Flags(const TempDir& folder, const std::string& url,
                                        const std::vector<std::string>& more) {
    std::vector<std::string> flags = {"--broker",
                                      "stdout",
                                      "--server.port",
                                      "0",
                                      "--queue.path",
                                      folder / "queue.db",
                                      "--plugin",
                                      "lab=poll",
                                      "--plugin.lab.url",
                                      url,
                                      "--plugin.lab.interval",
                                      "50ms"};
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
  }
  bool Publishes() {
    return Eventually([&] { return process.out().find("Polled") != std::string::npos; });
  }
  // The answer of /watchers once the watcher is in that state.
  std::string Becomes(const std::string& state) {
    std::string watchers;
    Eventually([&] {
      watchers = process.Get("/watchers").body;
      return watchers.find("\"" + state + "\"") != std::string::npos;
    });
    return watchers;
  }
};

}  // namespace

TEST_CASE("a service with a certificate of the lab's own authority is polled with http.ca-file",
          "[poll]") {
  const TestIdentity ca("lab CA", "", nullptr);
  const TestIdentity identity("service", "DNS:localhost,IP:127.0.0.1", &ca);
  const HttpService service(Document, &identity);
  const TempDir folder;
  const auto file = folder.Write("ca.pem", ca.CertificatePem());
  SECTION("given") {
    Poller poller(service.Url("/"), {"--http.ca-file", file});
    CHECK(poller.Publishes());
    CHECK(poller.process.Stop() == 0);
  }
  SECTION("another one") {
    const TestIdentity other("other CA", "", nullptr);
    Poller poller(service.Url("/"),
                  {"--http.ca-file", folder.Write("other.pem", other.CertificatePem())});
    CHECK_THAT(poller.Becomes("backing off"), ContainsSubstring("http.ca-file"));
    CHECK(service.requests().empty());
    CHECK(poller.process.Stop() == 0);
    CHECK(poller.process.out().empty());
  }
  SECTION("no certificates") {
    Poller poller(service.Url("/"), {"--http.ca-file", folder.Write("empty.pem", "")});
    CHECK(poller.process.ExitCode() == 2);
    CHECK_THAT(poller.process.err(),
               ContainsSubstring("http.ca-file") && ContainsSubstring("empty.pem"));
  }
}

TEST_CASE("what http.deny names is not asked, by whatever name it is reached", "[poll]") {
  const HttpService service(Document);
  SECTION("an address") {
    Poller poller(service.Url("/"), {"--http.deny", "192.0.2.0/24", "--http.deny", "127.0.0.0/8"});
    CHECK_THAT(poller.Becomes("failed"), ContainsSubstring("http.deny"));
    CHECK(service.requests().empty());
  }
  SECTION("a name") {
    Poller poller(service.Url("/", "localhost"), {"--http.deny", "loopback"});
    CHECK_THAT(poller.Becomes("failed"), ContainsSubstring("http.deny"));
    CHECK(service.requests().empty());
  }
  SECTION("metadata of clouds, unless told otherwise") {
    Poller poller("http://[::ffff:169.254.169.254]/latest", {});
    CHECK_THAT(poller.Becomes("failed"), ContainsSubstring("http.deny"));
  }
  SECTION("others") {
    Poller poller(service.Url("/"), {"--http.deny", "192.0.2.0/24"});
    CHECK(poller.Publishes());
  }
  SECTION("no network") {
    Poller poller(service.Url("/"), {"--http.deny", "private,the-lab"});
    CHECK(poller.process.ExitCode() == 2);
    CHECK_THAT(poller.process.err(), ContainsSubstring("http.deny") &&
                                         ContainsSubstring("the-lab") &&
                                         ContainsSubstring("each value with its own flag"));
  }
}

}  // namespace tower
