// What the server does about time, numbers, tokens, addresses and its own end.
#include "core/http/limits.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <future>
#include <optional>
#include <thread>

#include "core/http/server.h"
#include "test/support/eventually.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

constexpr std::string_view kToken = "lab:0123456789abcdef\n";
constexpr std::string_view kGet = "GET /open HTTP/1.1\r\nHost: t\r\n\r\n";

// /open, /closed and /health answer at once; POST /wait after Release.
struct WaitServer : HttpFixture {
  explicit WaitServer(HttpServerOptions given = {}) : HttpFixture(std::move(given)) {
    server->Route("GET", "/open", [](const HttpRequest&) { return HttpResponse{}; },
                  {.open = true});
    server->Route("GET", "/health", [](const HttpRequest&) { return HttpResponse{}; },
                  {.open = true, .health = true});
    server->Route("GET", "/closed", [](const HttpRequest& request) {
      HttpResponse response;
      response.body = request.client;
      return response;
    });
    server->Route("POST", "/wait",
                  [this](const HttpRequest& request) {
                    held.emplace(request.Defer());
                    ++waiting;
                    return HttpResponse{};
                  },
                  {.content_types = {"application/json"}});
    Start();
  }
  void Release() { held->Send(); }
  std::atomic<int> waiting = 0;
  std::optional<HttpLater> held;  // of one request; once `waiting` counts it
};

TEST_CASE("a request that drips in is cut at the deadline of the whole", "[http]") {
  WaitServer fixture({.request_timeout = 300ms});
  RawHttpClient client(fixture.port());
  // Each byte comes well within the timeout; together they would take forever.
  const auto began = std::chrono::steady_clock::now();
  std::jthread drip([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && client.Send("G")) std::this_thread::sleep_for(20ms);
  });
  const auto answer = client.Receive();
  drip.request_stop();
  REQUIRE(answer);
  CHECK(answer->status == 408);
  CHECK(std::chrono::steady_clock::now() - began >= 300ms);
}

TEST_CASE("a body that does not come is cut at the deadline", "[http]") {
  WaitServer fixture({.request_timeout = 200ms});
  RawHttpClient client(fixture.port());
  client.Send("POST /wait HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n");
  client.Send("Content-Length: 10\r\n\r\n12345");
  CHECK(client.Receive()->status == 408);
  CHECK(client.ClosedByServer());
  CHECK(fixture.waiting == 0);
}

TEST_CASE("the time of a handler is no part of the deadline", "[http]") {
  WaitServer fixture({.request_timeout = 100ms, .idle_timeout = 100ms});
  RawHttpClient client(fixture.port());
  std::jthread release([&] {
    Eventually([&] { return fixture.waiting == 1; });
    std::this_thread::sleep_for(300ms);  // longer than both limits
    fixture.Release();
  });
  CHECK(client.PostJson("/wait", "{}")->status == 200);
}

TEST_CASE("an idle connection is closed", "[http]") {
  WaitServer fixture({.idle_timeout = 100ms});
  RawHttpClient fresh(fixture.port());
  CHECK(fresh.ClosedByServer());
  RawHttpClient used(fixture.port());
  CHECK(used.Request("GET", "/open")->status == 200);
  CHECK(used.ClosedByServer());
}

TEST_CASE("slow clients do not keep others from being served", "[http]") {
  WaitServer fixture;
  std::vector<std::unique_ptr<RawHttpClient>> slow;
  for (int i = 0; i < 64; ++i) {
    slow.push_back(std::make_unique<RawHttpClient>(fixture.port()));
    slow.back()->Send("GET /open HT");
  }
  CHECK(Ask(fixture, "GET", "/open").status == 200);
}

TEST_CASE("connections over the limit get 503, until there is room", "[http]") {
  const CapturedLogs logs;
  WaitServer fixture({.max_connections = 2});
  RawHttpClient first(fixture.port());
  auto second = std::make_unique<RawHttpClient>(fixture.port());
  REQUIRE(first.Request("GET", "/open")->status == 200);
  REQUIRE(second->Request("GET", "/open")->status == 200);
  for (const auto* request : {"GET /open", "GET /nothing", "OPTIONS *", "POST /health"}) {
    RawHttpClient third(fixture.port());
    third.Send(std::string(request) + " HTTP/1.1\r\nHost: t\r\n\r\n");
    const auto refused = third.Receive();
    REQUIRE(refused);
    CHECK(refused->status == 503);
    CHECK(refused->Header("Retry-After") == "1");
    CHECK(refused->Header("Content-Type") == "application/problem+json");
    CHECK_THAT(refused->body, ContainsSubstring("server.max-connections connections"));
    CHECK(third.ClosedByServer());
  }
  CHECK_THAT(logs.text(), ContainsSubstring("request refused: a limit is reached"));
  CHECK(first.Request("GET", "/open")->status == 200);
  second.reset();
  CHECK(Eventually([&] { return Ask(fixture, "GET", "/open").status == 200; }));
}

TEST_CASE("health checks get a connection, however many others say nothing", "[http]") {
  WaitServer fixture({.max_connections = 4});
  std::vector<std::unique_ptr<RawHttpClient>> silent;
  for (int i = 0; i < 200; ++i) {  // more than wait beyond the limit on all loops
    silent.push_back(std::make_unique<RawHttpClient>(fixture.port()));
    if (i % 2 == 0) silent.back()->Send("GET /hea");
    if (i % 10 != 0) continue;
    RawHttpClient probe(fixture.port());
    const auto answer = probe.Request("GET", "/health");
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->Header("Connection") == (i < 4 ? "" : "close"));
  }
  // Those that gave way were told.
  const auto told = silent[4]->Receive();
  REQUIRE(told);
  CHECK(told->status == 503);
  CHECK(silent[4]->ClosedByServer());
}

TEST_CASE("one address can't take every connection", "[http]") {
  WaitServer fixture({.max_connections_per_address = 2});
  auto first = std::make_unique<RawHttpClient>(fixture.port());
  RawHttpClient second(fixture.port());
  REQUIRE(first->Request("GET", "/open")->status == 200);
  REQUIRE(second.Request("GET", "/open")->status == 200);
  const auto refused = Ask(fixture, "GET", "/open");
  CHECK(refused.status == 503);
  CHECK_THAT(refused.body, ContainsSubstring("server.max-connections-per-address"));
  CHECK(Ask(fixture, "GET", "/health").status == 200);
  RawHttpClient other(fixture.port(), "127.0.0.2");
  CHECK(other.Request("GET", "/open")->status == 200);
  first.reset();
  CHECK(Eventually([&] { return Ask(fixture, "GET", "/open").status == 200; }));
}

sockaddr_storage Address(const char* text) {
  sockaddr_storage storage{};
  const bool v6 = std::string_view(text).find(':') != std::string_view::npos;
  storage.ss_family = v6 ? AF_INET6 : AF_INET;
  void* to = v6 ? static_cast<void*>(&reinterpret_cast<sockaddr_in6&>(storage).sin6_addr)
                : static_cast<void*>(&reinterpret_cast<sockaddr_in&>(storage).sin_addr);
  REQUIRE(inet_pton(storage.ss_family, text, to) == 1);
  return storage;
}

TEST_CASE("the addresses of one client are one", "[http]") {
  HttpPlaces places(100, 1);
  const auto beyond = [&](const char* address) {
    return !places.Take(Address(address)).beyond().empty();
  };
  const auto v4 = places.Take(Address("192.0.2.1"));
  CHECK(beyond("192.0.2.1"));
  CHECK(beyond("::ffff:192.0.2.1"));
  CHECK_FALSE(beyond("::ffff:192.0.2.2"));
  const auto v6 = places.Take(Address("2001:db8:1:2:3::4"));
  CHECK(beyond("2001:db8:1:2:5:6:7:8"));
  CHECK_FALSE(beyond("2001:db8:1:3::"));
  CHECK(places.beyond() == 0);  // they are gone
}

TEST_CASE("memory is counted for all, and for unauthenticated clients apart", "[http]") {
  constexpr std::size_t kMiB = 1U << 20U;
  HttpMemory memory(16 * kMiB);
  HttpMemory::Share stranger(memory);
  HttpMemory::Share client(memory);
  CHECK(stranger.Fits(4 * kMiB));
  CHECK_FALSE(stranger.Fits(4 * kMiB + 1));
  CHECK(stranger.Set(4 * kMiB, false));
  {
    HttpMemory::Share another(memory);
    CHECK(another.Set(HttpMemory::kFree, false));
    CHECK_FALSE(another.Set(HttpMemory::kFree + 1, false));
    CHECK_THAT(std::string(another.limit()), ContainsSubstring("quarter"));
    CHECK(another.Set(HttpMemory::kFree + 1, true));  // it has shown who it is
    CHECK_FALSE(another.Set(HttpMemory::kFree + 1, false));
    CHECK(another.Set(100, false));  // less is always right
  }
  CHECK(client.roomy());
  CHECK(client.Set(12 * kMiB, true));
  CHECK_FALSE(client.roomy());
  CHECK_FALSE(client.Fits(1));
  CHECK_FALSE(client.Set(12 * kMiB + 1, true));
  CHECK(client.Set(0, true));
  CHECK(client.Fits(12 * kMiB));
  CHECK(stranger.Set(0, false));
  CHECK(stranger.Fits(4 * kMiB));
}

// /take keeps nothing; /hook knows its sender by the word "mine" at the end of the body, and never
// answers it.
struct MemoryServer : HttpFixture {
  std::atomic<int> held = 0;
  explicit MemoryServer(HttpServerOptions given) : HttpFixture(std::move(given)) {
    const auto take = [](const HttpRequest&) { return HttpResponse{}; };
    server->Route("POST", "/take", take, {.content_types = {"*/*"}});
    server->Route("POST", "/hook",
                  [this](const HttpRequest& request) {
                    if (!request.body.ends_with("mine")) return Problem(401, "not mine");
                    request.Defer();
                    ++held;
                    return HttpResponse{};
                  },
                  {.content_types = {"*/*"}, .own_auth = true});
    server->Route("GET", "/large", [](const HttpRequest&) {
      return HttpResponse{.body = std::string(8U << 20U, 'x')};
    });
    server->Route("GET", "/large-later", [](const HttpRequest& request) {
      request.Defer().Send(HttpResponse{.body = std::string(8U << 20U, 'x')});
      return HttpResponse{};
    });
    server->Route("GET", "/health", take, {.open = true, .health = true});
    Start();
  }
};

constexpr std::size_t kBody = 65536;

// A request whose last four bytes are still to come.
std::unique_ptr<RawHttpClient> Unfinished(const HttpFixture& fixture, std::string_view path,
                                          std::string_view headers = {}) {
  auto client = std::make_unique<RawHttpClient>(fixture.port());
  std::string request = "POST " + std::string(path) + " HTTP/1.1\r\nHost: t\r\n";
  request.append(headers).append("Content-Length: " + std::to_string(kBody) + "\r\n\r\n");
  client->Send(request + std::string(kBody - 4, 'x'));
  return client;
}

int Answered(const std::vector<std::unique_ptr<RawHttpClient>>& clients) {
  return static_cast<int>(std::count_if(clients.begin(), clients.end(),
                                        [](const auto& client) { return client->Readable(); }));
}

TEST_CASE(
    "bodies of unauthenticated clients have a quarter of the memory, and leave the rest to others",
    "[http]") {
  TempDir folder;
  MemoryServer fixture(
      {.max_body = kBody, .max_memory = 16 * kBody, .tokens_file = WriteTokens(folder, kToken)});
  const std::string token = "Authorization: Bearer 0123456789abcdef\r\n";
  const std::string large(kBody, 'x');
  std::vector<std::unique_ptr<RawHttpClient>> strangers;
  for (int i = 0; i < 20; ++i) strangers.push_back(Unfinished(fixture, "/hook"));
  REQUIRE(Eventually([&] { return Answered(strangers) >= 17; }));  // 3 have room, with their heads
  CHECK(Answered(strangers) < 20);
  for (const auto& client : strangers) {
    if (!client->Readable()) continue;
    const auto answer = client->Receive();
    REQUIRE(answer);
    CHECK(answer->status == 503);
    CHECK(answer->Header("Retry-After") == "1");
    CHECK_THAT(answer->body, ContainsSubstring("quarter of server.max-memory"));
  }
  CHECK(Ask(fixture, "POST", "/hook", "mine?").status == 401);  // small ones have their place
  CHECK(Ask(fixture, "POST", "/take", large, token).status == 200);
  CHECK(Ask(fixture, "POST", "/take", large).status == 401);

  // Those with a token have all of it together, but no more.
  std::vector<std::unique_ptr<RawHttpClient>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(Unfinished(fixture, "/take", token));
  REQUIRE(Eventually([&] { return Answered(clients) >= 5; }));
  CHECK(Answered(clients) < 15);
  for (const auto& client : clients) {
    if (!client->Readable()) continue;
    CHECK_THAT(client->Receive()->body, ContainsSubstring("server.max-memory is in use"));
  }
  CHECK(Ask(fixture, "GET", "/health").status == 200);
  CHECK(Ask(fixture, "POST", "/take", "small", token).status == 200);

  strangers.clear();
  clients.clear();
  CHECK(Eventually([&] { return Ask(fixture, "POST", "/take", large, token).status == 200; }));
  CHECK(Eventually([&] { return Ask(fixture, "POST", "/hook", large).status == 401; }));
}

TEST_CASE("a body counts until its answer, and no longer as a stranger's once its sender is known",
          "[http]") {
  MemoryServer fixture({.max_body = kBody, .max_memory = 16 * kBody});
  std::vector<std::unique_ptr<RawHttpClient>> clients;  // never answered, unless refused
  for (int i = 0; i < 20; ++i) {
    clients.push_back(Unfinished(fixture, "/hook"));
    clients.back()->Send("mine");
    REQUIRE(Eventually([&] { return fixture.held + Answered(clients) == i + 1; }));
  }
  CHECK(fixture.held > 4);
  CHECK(fixture.held < 16);
}

TEST_CASE("answers that nobody reads have no more than the memory", "[http]") {
  const std::string path = GENERATE("/large", "/large-later");
  MemoryServer fixture({.max_memory = 32U << 20U});
  std::vector<std::unique_ptr<RawHttpClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<RawHttpClient>(fixture.port()));
    clients.back()->Send("GET " + path + " HTTP/1.1\r\nHost: t\r\n\r\n");
  }
  REQUIRE(Eventually([&] { return Answered(clients) == 10; }));
  int refused = 0;
  for (const auto& client : clients) {
    const auto answer = client->Receive();
    REQUIRE(answer);
    if (answer->status == 503) {
      ++refused;
    } else {
      CHECK(answer->body.size() == 8U << 20U);
    }
  }
  CHECK(refused >= 5);
  CHECK(refused < 10);
  CHECK(Ask(fixture, "GET", path).status == 200);
}

TEST_CASE("running out of file descriptors does not end the server", "[http]") {
#ifdef __SANITIZE_ADDRESS__
  SUCCEED("not here: the undefined-behaviour sanitizer opens a pipe to look at an object");
  return;
#endif
  const CapturedLogs logs;
  WaitServer fixture;
  RawHttpClient before(fixture.port());
  REQUIRE(before.Request("GET", "/open")->status == 200);
  rlimit old{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
  std::vector<int> taken;
  rlimit low{128, old.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (int fd = 0; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken.push_back(fd);
  REQUIRE(!taken.empty());
  close(taken.back());  // for the client's end
  taken.pop_back();
  RawHttpClient client(fixture.port());
  client.Send(kGet);
  // Nothing is asserted in this state: the sanitizers' own checks need a file descriptor.
  const bool refused = Eventually(
      [&] { return logs.text().find("a connection could not be accepted") != std::string::npos; });
  const auto meanwhile = before.Request("GET", "/open");
  const auto said = [&logs] {
    const auto text = logs.text();
    std::size_t lines = 0;
    for (auto at = text.find("could not be accepted"); at != std::string::npos;
         at = text.find("could not be accepted", at + 1)) {
      ++lines;
    }
    return lines;
  };
  std::this_thread::sleep_for(std::chrono::milliseconds(350));  // for three more tries
  const auto lines = said();
  for (const int fd : taken) close(fd);
  setrlimit(RLIMIT_NOFILE, &old);
  CHECK(refused);
  REQUIRE(meanwhile);
  CHECK(meanwhile->status == 200);
  CHECK(client.Receive()->status == 200);
  CHECK(lines == 1);
}

TEST_CASE("a listening socket that breaks is opened again", "[http]") {
  const CapturedLogs logs;
  WaitServer fixture;
  for (int fd = 3; fd < 1024; ++fd) {  // the one that listens on the server's port
    int listening = 0;
    socklen_t size = sizeof(listening);
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) {
      continue;
    }
    sockaddr_in address{};
    socklen_t length = sizeof(address);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
    if (ntohs(address.sin_port) == fixture.port()) shutdown(fd, SHUT_RD);
  }
  REQUIRE(
      Eventually([&] { return logs.text().find("listening socket failed") != std::string::npos; }));
  CHECK(Eventually([&] {
    try {
      return Ask(fixture, "GET", "/open").status == 200;
    } catch (const std::exception&) {
      return false;
    }
  }));
}

TEST_CASE("an address that is taken is an error that says so", "[http]") {
  WaitServer first;
  Metrics metrics;
  HttpServer second({.port = first.port()}, {}, metrics);
  const auto started = second.Start();
  REQUIRE(!started);
  CHECK_THAT(started.error().message, ContainsSubstring("port " + std::to_string(first.port())));
  CHECK_THAT(started.error().message, ContainsSubstring("in use; set server.port"));
}

TEST_CASE("without tokens only loopback addresses are listened on", "[http]") {
  Metrics metrics;
  HttpServer closed({.host = "0.0.0.0", .port = 0}, {}, metrics);
  const auto started = closed.Start();
  REQUIRE(!started);
  CHECK(started.error().code == ErrorCode::kInvalid);
  CHECK_THAT(started.error().message, ContainsSubstring("server.tokens-file"));
  CHECK_THAT(started.error().message, ContainsSubstring("server.allow-anonymous"));

  HttpServer anonymous({.host = "0.0.0.0", .port = 0, .allow_anonymous = true}, {}, metrics);
  CHECK(anonymous.Start());
  HttpServer named({.host = "localhost", .port = 0}, {}, metrics);
  CHECK(named.Start());
  HttpServer unknown({.host = "no such host", .port = 0}, {}, metrics);
  CHECK_THAT(unknown.Start().error().message, ContainsSubstring("set server.host"));
}

TEST_CASE("with tokens, everything but open routes wants one", "[http]") {
  TempDir folder;
  const auto file =
      WriteTokens(folder, "# robots\n\nlab-1:0123456789s3cret/+=\r\nlab-2:another-long-token\n");
  WaitServer fixture({.tokens_file = file});
  const auto ask = [&](std::string_view headers, std::string_view path = "/closed") {
    return Ask(fixture, "GET", path, {}, headers);
  };
  CHECK(ask("", "/open").status == 200);
  CHECK(ask("Authorization: Bearer 0123456789s3cret/+=\r\n").body == "lab-1");
  CHECK(ask("authorization: bearer another-long-token\r\n").body == "lab-2");
  CHECK(ask("Authorization: BEARER   another-long-token\r\n").body == "lab-2");
  const std::string realm = "Bearer realm=\"control-tower\"";
  const auto refused = [&](std::string_view headers, const std::string& challenge) {
    CAPTURE(headers);
    const auto answer = ask(headers);
    CHECK(answer.status == 401);
    CHECK(answer.Header("WWW-Authenticate") == challenge);
    CHECK(answer.Header("Content-Type") == "application/problem+json");
  };
  for (const std::string_view none :
       {"", "Authorization: another-long-token\r\n", "Authorization: Basic another-long-token\r\n",
        "Authorization: Beareranother-long-token\r\n",
        "Authorization: Bearer\tanother-long-token\r\n",
        "Authorization: Bearer another-long-token\r\nAuthorization: Bearer "
        "another-long-token\r\n"}) {
    refused(none, realm);
  }
  for (const std::string_view wrong :
       {"Authorization: Bearer\r\n", "Authorization: Bearer \r\n",
        "Authorization: bearer nothing\r\n", "Authorization: Bearer another-long-toke\r\n",
        "Authorization: Bearer another-long-token x\r\n",
        "Authorization: Bearer %61nother-long-token\r\n", "Authorization: Bearer # robots\r\n"}) {
    refused(wrong, realm + ", error=\"invalid_token\"");
  }
  CHECK(ask("", "/nothing").status == 401);
}

TEST_CASE("the body of a request without a token is never run as the next one", "[http]") {
  TempDir folder;
  WaitServer fixture({.tokens_file = WriteTokens(folder, kToken)});
  RawHttpClient client(fixture.port());
  client.Send("POST /wait HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n");
  client.Send("Content-Length: " + std::to_string(kGet.size()) + "\r\n\r\n");
  CHECK(client.Receive()->status == 401);
  client.Send(kGet);
  CHECK(client.ClosedByServer());
}

TEST_CASE("a faulty tokens file is refused by line, without its tokens", "[http]") {
  TempDir folder;
  Metrics metrics;
  const std::string kLine(kToken);
  const auto refusal = [&](std::string_view text) {
    HttpServer server({.port = 0, .tokens_file = WriteTokens(folder, text)}, {}, metrics);
    const auto started = server.Start();
    return started ? "started" : started.error().message;
  };
  CHECK_THAT(refusal(kLine + "hunter2\n"), ContainsSubstring("tokens line 2"));
  CHECK_THAT(refusal(kLine + "hunter2\n"), !ContainsSubstring("hunter2"));
  CHECK_THAT(refusal(kLine + "lab:fedcba9876543210\n"), ContainsSubstring("twice"));
  CHECK_THAT(refusal(kLine + "b:0123456789abcdef\n"), ContainsSubstring("twice"));
  CHECK_THAT(refusal("a:0123456789abcde\n"), ContainsSubstring("line 1"));
  CHECK_THAT(refusal("a:0123456789 abcdef\n"), ContainsSubstring("line 1"));
  CHECK_THAT(refusal("# none\n"), ContainsSubstring("has no token"));
  HttpServer missing({.port = 0, .tokens_file = folder / "missing"}, {}, metrics);
  CHECK_THAT(missing.Start().error().message, ContainsSubstring("no such file"));
}

TEST_CASE("draining finishes what is at hand and refuses what is new", "[http]") {
  WaitServer fixture;
  RawHttpClient idle(fixture.port());
  REQUIRE(idle.Request("GET", "/open")->status == 200);
  RawHttpClient busy(fixture.port());
  busy.Send("POST /wait HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n");
  busy.Send("Content-Length: 2\r\n\r\n{}");
  REQUIRE(Eventually([&] { return fixture.waiting == 1; }));

  auto drained = std::async(std::launch::async, [&] { fixture.server->Drain(60s); });
  REQUIRE(Eventually([&] { return fixture.server->draining(); }));
  CHECK(idle.ClosedByServer());
  const auto open = Ask(fixture, "GET", "/open");
  CHECK(open.status == 200);
  CHECK(open.Header("Connection") == "close");
  const auto closed = Ask(fixture, "GET", "/closed");
  CHECK(closed.status == 503);
  CHECK(closed.Header("Retry-After") == "1");
  CHECK(drained.wait_for(0s) == std::future_status::timeout);

  fixture.Release();
  const auto answer = busy.Receive();
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->Header("Connection") == "close");
  drained.get();
  fixture.server->Stop();
  CHECK_THROWS(RawHttpClient(fixture.port()));
}

TEST_CASE("a client that has just come when draining begins is answered", "[http]") {
  WaitServer fixture;
  RawHttpClient idle(fixture.port());
  REQUIRE(idle.Request("GET", "/open")->status == 200);
  std::vector<std::unique_ptr<RawHttpClient>> fresh;
  for (int i = 0; i < 8; ++i) fresh.push_back(std::make_unique<RawHttpClient>(fixture.port()));
  // Connections are taken in their order, so that the fresh ones are there by now.
  REQUIRE(Ask(fixture, "GET", "/open").status == 200);
  fixture.server->Drain(60s);  // does not wait for them
  CHECK(idle.ClosedByServer());
  for (const auto& client : fresh) {
    const auto answer = client->Request("GET", "/closed");
    REQUIRE(answer);
    CHECK(answer->status == 503);
    CHECK(client->ClosedByServer());
  }
}

TEST_CASE("an answer that was held back may be told at any time", "[http]") {
  std::optional<HttpLater> held;
  std::atomic<int> waiting = 0;
  HttpFixture fixture;
  fixture.server->Route("GET", "/at-once", [](const HttpRequest& request) {
    request.Defer().Send();  // before the answer is there
    return HttpResponse{.body = "planned"};
  });
  fixture.server->Route("GET", "/replaced", [](const HttpRequest& request) {
    request.Defer().Send(Problem(503, "the disk is full"));
    return HttpResponse{.body = "planned"};
  });
  fixture.server->Route("GET", "/thrown", [](const HttpRequest& request) -> HttpResponse {
    request.Defer().Send();
    throw std::runtime_error("no");
  });
  fixture.server->Route("GET", "/late", [&](const HttpRequest& request) {
    held.emplace(request.Defer());
    ++waiting;
    return HttpResponse{.body = "planned"};
  });
  fixture.Start();
  RawHttpClient client(fixture.port());
  for (int i = 0; i < 3; ++i) {  // on one connection: none may take the answer of another
    CHECK(client.Request("GET", "/at-once")->body == "planned");
    CHECK(client.Request("GET", "/thrown")->status == 500);
    const auto replaced = client.Request("GET", "/replaced");
    CHECK(replaced->status == 503);
    CHECK_THAT(replaced->body, ContainsSubstring("the disk is full"));
  }
  client.Send("GET /late HTTP/1.1\r\nHost: t\r\n\r\nGET /at-once HTTP/1.1\r\nHost: t\r\n\r\n");
  REQUIRE(Eventually([&] { return waiting == 1; }));
  held->Send(HttpResponse{.status = 202, .body = "late"});
  CHECK(client.Receive()->body == "late");
  CHECK(client.Receive()->body == "planned");
  // A client that is gone, then a server that is gone.
  {
    RawHttpClient gone(fixture.port());
    gone.Send("GET /late HTTP/1.1\r\nHost: t\r\n\r\n");
    REQUIRE(Eventually([&] { return waiting == 2; }));
  }
  held->Send();
  client.Send("GET /late HTTP/1.1\r\nHost: t\r\n\r\n");
  REQUIRE(Eventually([&] { return waiting == 3; }));
  fixture.server.reset();
  held->Send();
  CHECK(client.ClosedByServer());
}

TEST_CASE("draining ends with its grace, and stopping cuts who is left", "[http]") {
  WaitServer fixture;
  RawHttpClient slow(fixture.port());
  slow.Send("GET /open HT");
  RawHttpClient other(fixture.port());
  REQUIRE(other.Request("GET", "/open")->status == 200);
  fixture.server->Drain(50ms);
  fixture.server->Stop();
  CHECK(slow.ClosedByServer());
}

}  // namespace
}  // namespace tower
