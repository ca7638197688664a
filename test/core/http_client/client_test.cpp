#include "core/http_client/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "core/http_client/policy.h"
#include "test/support/eventually.h"
#include "test/support/http_service.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// The policy of the process, back to the default at the end of the scope.
struct Policy {
  explicit Policy(HttpPolicy policy) { ConfigureHttpClients(std::move(policy)); }
  ~Policy() { ConfigureHttpClients(DefaultHttpPolicy()); }
};

Result<HttpReply> Get(const std::string& url, HttpClientOptions options = {},
                      const HttpHeaders& headers = {}, const std::stop_token& stop = {}) {
  auto client = HttpClient::Make(url, options);
  if (!client) return client.error();
  return (*client)->Get(url, headers, stop);
}

// How it failed: the code, and the message.
std::string Fault(const Result<HttpReply>& reply) {
  if (reply) return "status " + std::to_string(reply->status);
  return std::string(ToString(reply.error().code)) + ": " + reply.error().message;
}

TEST_CASE("a reply is what the service has sent, whatever its status", "[http_client]") {
  const std::string body = R"({"a":1.0,"b":"é"})";
  HttpService service([&](const ServedRequest& request) -> ServedAnswer {
    if (request.path == "/chunked") return {.body = body, .headers = {}, .chunked = true};
    if (request.path == "/empty") return {.status = 204, .headers = {{"X-A", "b"}}};
    if (request.path == "/same") return {.status = 304, .headers = {{"ETag", "\"1\""}}};
    return {.status = request.path == "/" ? 200 : 404, .body = body, .headers = {{"X-A", "b"}}};
  });
  auto client = HttpClient::Make(service.Url("/"), {});
  REQUIRE(client);
  const auto get = [&](const std::string& target) {
    auto reply = (*client)->Get(service.Url(target), {{"Authorization", "Bearer s"}}, {});
    INFO(Fault(reply));
    REQUIRE(reply);
    return *reply;
  };
  CHECK(get("/").status == 200);
  CHECK(get("/").body == body);
  CHECK(get("/").Header("x-a") == "b");
  CHECK(get("/chunked").body == body);
  CHECK(get("/empty").status == 204);
  CHECK(get("/same").status == 304);
  CHECK(service.connections() == 1);  // kept alive
  CHECK(get("/none").status == 404);
  CHECK(get("/none").body == body);
  get("/a%20b/c?q=1&x=a%26b");
  const auto last = service.requests().back();
  CHECK(last.target == "/a%20b/c?q=1&x=a%26b");
  CHECK(last.Header("authorization") == "Bearer s");
  CHECK(last.Header("host") == "127.0.0.1:" + std::to_string(service.port()));
  CHECK(last.Header("accept-encoding") == "identity");
  CHECK_THAT(last.Header("user-agent"), ContainsSubstring("control-tower/"));
}

// Each says something else once it was decoded and encoded anew.
constexpr const char* kTargets[] = {"/?z=%20",
                                    "/?z=+",
                                    "/?z=a%2Fb&y=a/b",
                                    "/?token=abc==",
                                    "/?b=2&a=1&b=2",
                                    "/?a&&b=&=c",
                                    "/?",
                                    "/a?b?c=d?",
                                    "/a%2fb%2Fc/%7e~//.;x=1,2/@:!$'()*+",
                                    "/?q=%zz%e4%C3%A4[\"<>]{|}^`\\"};

TEST_CASE("a target goes out byte for byte", "[http_client]") {
  std::mutex mutex;
  std::vector<std::string> heads;
  std::string location;
  const RawService service([&](int fd) {
    for (;;) {
      const auto head = RawService::ReadHead(fd);
      if (head.empty()) return;
      const std::lock_guard lock(mutex);
      heads.push_back(head.substr(0, head.find("\r\n")));
      const bool redirect = head.starts_with("GET /from ");
      RawService::Send(fd, redirect ? "HTTP/1.1 302 Found\r\nLocation: " + location +
                                          "\r\nContent-Length: 0\r\n\r\n"
                                    : "HTTP/1.1 204 No Content\r\n\r\n");
    }
  });
  auto client = HttpClient::Make(service.Url("/"), {});
  REQUIRE(client);
  const auto sent = [&](const std::string& target) {
    const auto reply = (*client)->Get(service.Url(target), {{"X-A", "b"}}, {});
    INFO(Fault(reply));
    REQUIRE(reply);
    const std::lock_guard lock(mutex);
    return heads.back();
  };
  for (const std::string target : kTargets) {
    CHECK(sent(target) == "GET " + target + " HTTP/1.1");
    for (const auto& to : {target, service.Url(target)}) {
      {
        const std::lock_guard lock(mutex);
        location = to;
      }
      CHECK(sent("/from") == "GET " + target + " HTTP/1.1");
    }
  }
  CHECK(service.connections() == 1);
}

TEST_CASE("a connection that the server has closed is made anew", "[http_client]") {
  RawService service([](int fd) {
    if (RawService::ReadHead(fd).empty()) return;
    RawService::Send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    RawService::ReadHead(fd);  // and closes without an answer
  });
  auto client = HttpClient::Make(service.Url("/"), {});
  REQUIRE(client);
  for (int i = 1; i <= 3; ++i) {
    const auto reply = (*client)->Get(service.Url("/"), {}, {});
    INFO(Fault(reply));
    REQUIRE(reply);
    CHECK(reply->body == "hi");
    CHECK(service.connections() == i);
  }
}

TEST_CASE("a host is asked at its other addresses where one does not listen", "[http_client]") {
  HttpService service([](const ServedRequest&) { return ServedAnswer{.body = "1"}; });
  CHECK(Get(service.Url("/", "localhost")));  // ::1 first, where the machine knows it
}

TEST_CASE("the environment's proxies are not used", "[http_client]") {
  RawService proxy([](int) {});
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) {
    setenv(name, proxy.Url("").c_str(), 1);
  }
  HttpService service([](const ServedRequest&) { return ServedAnswer{.body = "1"}; });
  CHECK(Get(service.Url("/")));
  CHECK(proxy.connections() == 0);
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) unsetenv(name);
}

struct Lab {
  TestIdentity ca{"lab CA", "", nullptr};
  TempDir dir;
  std::string ca_file = dir.Write("ca.pem", ca.CertificatePem());
  Policy policy{{.deny = {}, .ca_file = ca_file}};

  // What becomes of a request to a server with that identity.
  static Result<HttpReply> Ask(const TestIdentity& identity, const std::string& host,
                               int highest_tls = TLS1_3_VERSION) {
    HttpService service([](const ServedRequest&) { return ServedAnswer{.body = "secure"}; },
                        &identity, highest_tls);
    auto reply = Get(service.Url("/?z=%20", host), {}, {{"Authorization", "s3cret"}});
    if (!reply) CHECK(service.requests().empty());
    if (reply) CHECK(service.requests().back().target == "/?z=%20");
    return reply;
  }
};

TEST_CASE("a service is believed whose certificate the bundle vouches for", "[http_client]") {
  const Lab lab;
  const TestIdentity named("service", "DNS:localhost", &lab.ca);
  const TestIdentity numbered("service", "IP:127.0.0.1", &lab.ca);
  CHECK(Fault(Lab::Ask(named, "localhost")) == "status 200");
  CHECK(Fault(Lab::Ask(numbered, "127.0.0.1")) == "status 200");
  CHECK(Fault(Lab::Ask(named, "localhost", TLS1_2_VERSION)) == "status 200");
}

TEST_CASE("no request goes to a service whose certificate is not right", "[http_client]") {
  const Lab lab;
  const TestIdentity other_ca("another CA", "", nullptr);
  const auto refused = [](const TestIdentity& identity, const std::string& host) {
    const auto reply = Lab::Ask(identity, host);
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == ErrorCode::kUnavailable);
    CHECK_THAT(reply.error().message,
               !ContainsSubstring("s3cret") && ContainsSubstring("the certificate of " + host));
    return reply.error().message;
  };
  CHECK_THAT(refused(TestIdentity("s", "DNS:elsewhere.example", &lab.ca), "localhost"),
             ContainsSubstring("ostname mismatch"));
  CHECK_THAT(refused(TestIdentity("localhost", "", &lab.ca), "127.0.0.1"),
             ContainsSubstring("IP address mismatch"));
  CHECK_THAT(refused(TestIdentity("s", "DNS:localhost", &lab.ca, -60), "localhost"),
             ContainsSubstring("expired"));
  CHECK_THAT(refused(TestIdentity("s", "DNS:localhost", nullptr), "localhost"),
             ContainsSubstring("self-signed") || ContainsSubstring("self signed"));
  CHECK_THAT(refused(TestIdentity("s", "DNS:localhost", &other_ca), "localhost"),
             ContainsSubstring("unable to get local issuer"));
  CHECK_FALSE(Lab::Ask(TestIdentity("s", "DNS:localhost", &lab.ca), "localhost", TLS1_1_VERSION));
}

TEST_CASE("a bundle that is missing or empty is an error before the first request",
          "[http_client]") {
  const TempDir dir;
  const auto make = [](const std::string& url, const std::string& ca_file) {
    const Policy policy({.deny = {}, .ca_file = ca_file});
    const auto client = HttpClient::Make(url, {});
    if (client) return std::string();
    CHECK(client.error().code == ErrorCode::kInvalid);
    return client.error().message;
  };
  CHECK_THAT(make("https://a.example/", dir / "none.pem"), ContainsSubstring("none.pem"));
  CHECK_THAT(make("https://a.example/", dir.Write("empty.pem", "")),
             ContainsSubstring("empty.pem"));
  CHECK(make("http://a.example/", dir / "none.pem").empty());
  setenv("SSL_CERT_FILE", (dir / "named.pem").c_str(), 1);
  CHECK_THAT(make("https://a.example/", ""), ContainsSubstring("named.pem"));
  unsetenv("SSL_CERT_FILE");
}

TEST_CASE("addresses that are denied are not asked, however they are written", "[http_client]") {
  for (const std::string host : {"169.254.169.254",
                                 "[::ffff:169.254.169.254]",
                                 "[::ffff:a9fe:a9fe]",
                                 "2852039166",
                                 "0xa9fea9fe",
                                 "0251.0376.0251.0376",
                                 "[fe80::1]",
                                 "[febf::1]",
                                 "[fd00:ec2::254]",
                                 "100.100.100.200",
                                 "[64:ff9b::a9fe:a9fe]",
                                 "[2002:a9fe:a9fe::1]",
                                 "[::169.254.1.1]",
                                 "[fd00:ec2::23]",
                                 "[::ffff:0:169.254.169.254]",
                                 "[64:ff9b:1::a9fe:a9fe]",
                                 "[64:ff9b:1:2:3:4:169.254.169.254]",
                                 "[64:ff9b:1:a9fe:a9:fe00::]",
                                 "[64:ff9b:1:a9:fe:a9fe::]",
                                 "[64:ff9b:1:2:a9:fea9:fe00:0]",
                                 "[64:ff9b:1:2:a9:fea9:fe77:7]",
                                 "[2001:0:8000:1::5601:5601]",
                                 "[2001:db8::5efe:169.254.1.1]",
                                 "[2001:db8::200:5efe:169.254.1.1]"}) {
    INFO(host);
    const auto reply = Get("http://" + host + ":9/latest/meta-data", {.timeout = seconds(5)});
    REQUIRE_FALSE(reply);
    CHECK(reply.error().code == ErrorCode::kPermanent);
    CHECK_THAT(reply.error().message, ContainsSubstring("is denied by http.deny"));
  }
}

TEST_CASE("loopback is every address that leads to this host", "[http_client]") {
  HttpService service([](const ServedRequest&) { return ServedAnswer{.body = "1"}; });
  const Policy policy({.deny = {"loopback"}, .ca_file = {}});
  for (const auto* host :
       {"127.0.0.1", "127.1.2.3", "[::1]", "0.0.0.0", "0", "0.1.2.3", "[::]", "[::ffff:0.0.0.0]",
        "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]"}) {
    INFO(host);
    CHECK_THAT(Fault(Get(service.Url("/", host), {.timeout = seconds(5)})),
               ContainsSubstring("permanent: ") && ContainsSubstring("is denied"));
  }
  CHECK(service.requests().empty());
}

TEST_CASE("an address in which a public one is embedded is not denied", "[http_client]") {
  const auto list = HttpDenyList::Parse({"loopback", "link-local", "metadata", "private"});
  REQUIRE(list);
  for (const auto* text : {"2001:db8::1", "64:ff9b::808:808", "64:ff9b:1::808:808",
                           "64:ff9b:1:808:8:800::", "2002:808:808::1", "::ffff:0:8.8.8.8"}) {
    INFO(text);
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    REQUIRE(inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1);
    SocketAddress address{};
    std::memcpy(&address.storage, &ipv6, sizeof ipv6);
    CHECK_FALSE(list->Denies(address));
  }
}

TEST_CASE("a name that leads to a denied address is not asked", "[http_client]") {
  HttpService service([](const ServedRequest&) { return ServedAnswer{.body = "1"}; });
  {
    const Policy policy({.deny = {"192.0.2.1", "loopback"}, .ca_file = {}});
    const auto reply = Get(service.Url("/", "localhost"));
    CHECK_THAT(Fault(reply), ContainsSubstring("permanent: ") && ContainsSubstring("is denied"));
  }
  CHECK(service.requests().empty());
  CHECK(Get(service.Url("/", "localhost")));
  const Policy next_door({.deny = {"127.0.0.2/31", "127.0.0.128/25"}, .ca_file = {}});
  CHECK(Get(service.Url("/")));
}

TEST_CASE("a policy names every network that is none", "[http_client]") {
  CHECK(CheckHttpPolicy(DefaultHttpPolicy()));
  CHECK(CheckHttpPolicy(
      {.deny = {"0.0.0.0/0", "::/0", "10.0.0.1", "fd00::/8", "private"}, .ca_file = {}}));
  const auto bad = CheckHttpPolicy(
      {.deny = {"10.0.0.0/33", "lab", "::1/129", "1.2.3.4/", "1.2.3.4/-1"}, .ca_file = "/none"});
  REQUIRE_FALSE(bad);
  for (const auto* part : {"10.0.0.0/33", "lab", "::1/129", "1.2.3.4/:", "1.2.3.4/-1", "/none"}) {
    CHECK_THAT(bad.error().message, ContainsSubstring(part));
  }
}

TEST_CASE("a redirect is followed on the same host and port, and nowhere else", "[http_client]") {
  HttpService other([](const ServedRequest&) { return ServedAnswer{.body = "other"}; });
  HttpService service([](const ServedRequest& request) -> ServedAnswer {
    if (request.path == "/end") return {.body = "end " + request.target};
    if (request.path == "/loop") return {.status = 302, .headers = {{"Location", "/loop"}}};
    return {.status = request.path == "/307" ? 307 : 301,
            .headers = {{"Location", request.query.at("to")}}};
  });
  for (const std::string& to : {std::string("/end?a=1"), service.Url("/end?a=1"),
                                std::string("end?a=1"), std::string("../x/../end?a=1#part")}) {
    INFO(to);
    const auto reply = Get(WithQuery(service.Url("/307"), "to", to));
    REQUIRE(reply);
    CHECK(reply->body == "end /end?a=1");
  }
  for (const std::string& to :
       {other.Url("/?token=s3cret"), "//127.0.0.1:" + std::to_string(other.port()) + "/",
        service.Url("/end", "localhost"), std::string("https://127.0.0.1/"),
        std::string("ftp://127.0.0.1/"), std::string("http://[")}) {
    INFO(to);
    const auto reply = Get(WithQuery(service.Url("/go?key=s3cret"), "to", to));
    CHECK_THAT(Fault(reply), ContainsSubstring("permanent: ") &&
                                 ContainsSubstring("redirected to another origin") &&
                                 !ContainsSubstring("s3cret"));
  }
  CHECK(other.requests().empty());
  const auto before = service.requests().size();
  CHECK_THAT(Fault(Get(service.Url("/loop"), {.max_redirects = 3})),
             ContainsSubstring("unavailable: ") && ContainsSubstring("too many redirects"));
  CHECK(service.requests().size() - before == 4);
}

TEST_CASE("an answer that is too large is left, however it is framed", "[http_client]") {
  const std::string megabyte(1 << 20, 'x');
  const HttpClientOptions options{.max_body = 100'000};
  for (const std::string framing :
       {"Content-Length: 100001\r\n", "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n", "Connection: close\r\n"}) {
    INFO(framing);
    RawService service([&](int fd) {
      RawService::ReadHead(fd);
      RawService::Send(fd, "HTTP/1.1 200 OK\r\n" + framing + "\r\n");
      while (RawService::Send(fd, "100000\r\n" + megabyte + "\r\n")) {
      }
    });
    CHECK_THAT(Fault(Get(service.Url("/"), options)), ContainsSubstring("unavailable: "));
  }
  HttpService fitting([&](const ServedRequest&) {
    return ServedAnswer{.body = megabyte.substr(0, 100'000), .chunked = true};
  });
  const auto fits = Get(fitting.Url("/"), options);
  INFO((fits ? "" : fits.error().message));
  CHECK(fits);
}

TEST_CASE("an answer that is not whole, compressed or no HTTP is an error", "[http_client]") {
  for (const std::string& text :
       {std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Le"),
        std::string("SSH-2.0-OpenSSH_9.2\r\n"),
        std::string(""),
        std::string("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nxx"),
        "HTTP/1.1 200 " + std::string(9'000, 'x') + "\r\n\r\n",
        "HTTP/1.1 200 " + std::string(30'000, 'x') + "\r\n\r\n",
        "HTTP/1.1 200 " + std::string(1'000'000, 'x') + "\r\n\r\n",
        "HTTP/1.1 200 OK\r\n" + std::string(100'000, 'X') + ": y\r\n\r\n",
        std::string("HTTP/2 200 OK\r\n\r\n"),
        std::string("HTTP/1.1 20 OK\r\n\r\n"),
        std::string("HTTP/1.1 2000 OK\r\n\r\n"),
        std::string("HTTP/1.1 099 OK\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nX y\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nX : y\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nX: a\x01\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\n folded\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n12"),
        std::string("HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n12"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
        std::string("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n")}) {
    INFO(text.substr(0, 80));
    RawService service([&](int fd) {
      RawService::ReadHead(fd);
      RawService::Send(fd, text);
    });
    const auto reply = Get(service.Url("/"));
    CHECK_THAT(Fault(reply), ContainsSubstring("unavailable: GET http://127.0.0.1:"));
  }
}

TEST_CASE("an answer is read as RFC 9112 has it, in pieces too", "[http_client]") {
  struct Read {
    std::string sent, body, header = {};  // of X
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const auto& [sent, body, header] : std::vector<Read>{
           {ok + "Content-Length: 2\r\nX: a%0d%0ab%2F\r\n\r\nhi", "hi", "a%0d%0ab%2F"},
           {ok + "Content-Length: 2, 2\r\nContent-Length: 2\r\nx:\t y\t \r\n\r\nhi", "hi", "y"},
           {"HTTP/1.1 200\nContent-Length: 2\nX: a\r\n  b\n\nhi", "hi", "a b"},
           {"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 \r\n\r\n" + ok +
                "Content-Length: 2\r\n\r\nhi",
            "hi"},
           {"HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"},
           {ok + "Connection: close\r\n\r\n", ""},
           {ok + "Transfer-Encoding: Chunked\r\n\r\n2;x=y\r\nhi\r\n01\r\n!\r\n0\r\nT: z\r\n\r\n",
            "hi!"},
           {ok + "Content-Encoding: identity\r\nContent-Length: 0\r\n\r\n", ""}}) {
    for (const bool in_pieces : {false, true}) {
      INFO(sent << (in_pieces ? " in pieces" : ""));
      RawService service([&, &text = sent](int fd) {
        RawService::ReadHead(fd);
        for (std::size_t at = 0; at < text.size(); at += in_pieces ? 1 : text.size()) {
          RawService::Send(fd, std::string_view(text).substr(at, in_pieces ? 1 : text.size()));
        }
      });
      const auto reply = Get(service.Url("/"));
      INFO(Fault(reply));
      REQUIRE(reply);
      CHECK(reply->status == 200);
      CHECK(reply->body == body);
      CHECK(reply->Header("X").value_or("") == header);
    }
  }
}

TEST_CASE("a connection is used again only where the last answer has its end", "[http_client]") {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n";
  for (const auto& [answer, again] : std::vector<std::pair<std::string, bool>>{
           {ok + "\r\n1", true},
           {ok + "Connection: x, Close\r\n\r\n1", false},
           {ok + "\r\n1HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", false},
           {ok + "Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n", false},
           {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1", false},
           {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n1", true}}) {
    INFO(answer);
    RawService service([&text = answer](int fd) {
      while (!RawService::ReadHead(fd).empty()) RawService::Send(fd, text);
    });
    auto client = HttpClient::Make(service.Url("/"), {});
    REQUIRE(client);
    for (int i = 0; i < 2; ++i) {
      const auto reply = (*client)->Get(service.Url("/"), {}, {});
      INFO(Fault(reply));
      REQUIRE(reply);
      CHECK(reply->body == "1");
    }
    CHECK(service.connections() == (again ? 1 : 2));
  }
}

TEST_CASE("headers and URLs that can't be sent are refused", "[http_client]") {
  RawService service([](int) {});
  const auto fault = [&](const std::string& name, const std::string& value) {
    return Fault(Get(service.Url("/"), {}, {{name, value}}));
  };
  CHECK_THAT(fault("X-A", "s3cret\r\nX-B: 1"),
             ContainsSubstring("invalid: ") && !ContainsSubstring("s3cret"));
  CHECK_THAT(fault("X-A", std::string("a\0b", 3)), ContainsSubstring("invalid: "));
  CHECK_THAT(fault("X A", "1"), ContainsSubstring("no valid name"));
  CHECK_THAT(fault("", "1"), ContainsSubstring("no valid name"));
  CHECK_THAT(fault("host", "elsewhere"), ContainsSubstring("can't be set"));
  CHECK_THAT(Fault(Get("http://user:s3cret@127.0.0.1/")),
             ContainsSubstring("invalid: ") && !ContainsSubstring("s3cret"));
  CHECK(service.connections() == 0);
}

// Services that keep a request waiting, each in another phase.
struct Tarpit {
  explicit Tarpit(const std::string& where)
      : service([where](int fd) {
          if (where == "handshake") return RawService::WaitForClose(fd);
          if (where == "drip handshake") return RawService::Drip(fd, "\x16\x03\x03\x3f\xff");
          RawService::ReadHead(fd);
          if (where == "answer") return RawService::WaitForClose(fd);
          if (where == "drip head") return RawService::Drip(fd, "HTTP/1.1 200 OKaaaaaaaaaaaaaaaa");
          RawService::Send(
              fd, where == "drip chunks"   ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  : where == "drip length" ? "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
                                           : "HTTP/1.1 200 OK\r\n\r\n");
          RawService::Drip(fd, where == "drip chunks" ? "1\r\nx\r\n" : "xxxx");
        }),
        tls(where.find("handshake") != std::string::npos) {}
  RawService service;
  const bool tls;
  std::string Url() const { return service.Url("/?key=s3cret", tls ? "https" : "http"); }
};

constexpr const char* kPhases[] = {"handshake",   "drip handshake", "answer",       "drip head",
                                   "drip chunks", "drip length",    "drip the rest"};

TEST_CASE("a request ends at its deadline, whatever it waits for", "[http_client]") {
  const Lab lab;
  for (const auto* phase : kPhases) {
    INFO(phase);
    const Tarpit tarpit(phase);
    const auto began = steady_clock::now();
    const auto reply = Get(tarpit.Url(), {.timeout = milliseconds(300)});
    CHECK_THAT(Fault(reply), ContainsSubstring("timeout: GET http") &&
                                 ContainsSubstring("no complete answer in time") &&
                                 !ContainsSubstring("s3cret"));
    CHECK(steady_clock::now() - began >= milliseconds(300));
    CHECK(steady_clock::now() - began < seconds(20));
  }
}

TEST_CASE("a stop request ends a request at once, whatever it waits for", "[http_client]") {
  const Lab lab;
  for (const auto* phase : kPhases) {
    INFO(phase);
    const Tarpit tarpit(phase);
    std::stop_source stop;
    std::jthread stopper([&] {
      Eventually([&] { return tarpit.service.connections() == 1; });
      stop.request_stop();
    });
    const auto began = steady_clock::now();
    const auto reply = Get(tarpit.Url(), {.timeout = seconds(3600)}, {}, stop.get_token());
    CHECK_THAT(Fault(reply), ContainsSubstring("stopped: "));
    CHECK(steady_clock::now() - began < seconds(60));
  }
}

TEST_CASE("a stop request or the deadline ends a connect that nobody answers", "[http_client]") {
  // A listener with a full backlog: the kernel drops what else wants to connect.
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  REQUIRE(bind(listener, plain, size) == 0);
  REQUIRE(listen(listener, 0) == 0);
  REQUIRE(getsockname(listener, plain, &size) == 0);
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    connect(fillers.back(), plain, size);
  }
  const auto url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/";
  CHECK_THAT(Fault(Get(url, {.timeout = milliseconds(100)})), ContainsSubstring("timeout: "));
  std::stop_source stop;
  std::jthread stopper([&] {
    poll(nullptr, 0, 50);  // into the connect, most likely
    stop.request_stop();
  });
  CHECK_THAT(Fault(Get(url, {.timeout = seconds(3600)}, {}, stop.get_token())),
             ContainsSubstring("stopped: "));
  for (const int fd : fillers) close(fd);
  close(listener);
  CHECK_THAT(Fault(Get(url)), ContainsSubstring("unavailable: GET " + url));
}

}  // namespace
}  // namespace tower
