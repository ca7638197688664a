#include "core/http/server.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <ctime>
#include <future>
#include <latch>
#include <thread>

#include "test/support/eventually.h"
#include "test/support/http_fixture.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

constexpr std::string_view kJson = "Content-Type: application/json\r\n";

// Answers /echo with the body that came, /items/{id} with the id, /open without a token.
struct EchoServer : HttpFixture {
  explicit EchoServer(HttpServerOptions given = {}) : HttpFixture(std::move(given)) {
    server->Route("POST", "/echo",
                  [this](const HttpRequest& request) {
                    ++handled;
                    HttpResponse response;
                    response.body = request.body;
                    return response;
                  },
                  {.content_types = {"application/json"}});
    server->Route("GET", "/items/{id}", [](const HttpRequest& request) {
      HttpResponse response;
      response.content_type = "text/plain";
      response.body = std::string(request.param) + "|" +
                      std::string(request.Header("X-Tag").value_or("none")) + "|" +
                      std::string(request.client);
      return response;
    });
    server->Route("GET", "/open", [](const HttpRequest&) { return HttpResponse{}; },
                  {.open = true});
    Start();
  }
  std::atomic<int> handled = 0;
};

HttpServerOptions Limits() { return {.max_body = 65536}; }

// What a malformed request is answered with; the connection must end then, whatever follows.
int StatusThenClosed(const HttpFixture& fixture, std::string_view bytes) {
  RawHttpClient client(fixture.port());
  client.Send(bytes);
  const auto answer = client.Receive();
  if (!answer) return 0;
  CHECK(answer->Header("Content-Type") == "application/problem+json");
  CHECK(answer->Header("Connection") == "close");
  CHECK_THAT(answer->body, ContainsSubstring("\"status\":" + std::to_string(answer->status)));
  CHECK(client.ClosedByServer());
  return answer->status;
}

std::string Repeat(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST_CASE("a request is routed by path and method", "[http]") {
  EchoServer fixture;
  CHECK(Ask(fixture, "POST", "/echo", "{\"a\":1}", kJson).body == "{\"a\":1}");
  CHECK(Ask(fixture, "GET", "/items/a%20b?x=1", {}, "x-tag: 5%0d%0a\r\n").body == "a b|5%0d%0a|");
  CHECK(Ask(fixture, "GET", "http://t/items/7").body == "7|none|");
  CHECK(Ask(fixture, "GET", "/items/").status == 404);
  CHECK(Ask(fixture, "GET", "/items/a/b").status == 404);
  CHECK(Ask(fixture, "GET", "/nothing").Header("Content-Type") == "application/problem+json");

  const auto wrong = Ask(fixture, "DELETE", "/items/7");
  CHECK(wrong.status == 405);
  CHECK(wrong.Header("Allow") == "GET, HEAD");
  CHECK_THAT(wrong.body, ContainsSubstring("\"title\":\"Method Not Allowed\""));
}

TEST_CASE("a target is taken apart before it is decoded", "[http]") {
  EchoServer fixture;
  CHECK(Ask(fixture, "GET", "/%6Fpen").status == 200);
  CHECK(Ask(fixture, "GET", "/items%2F7").status == 404);
  CHECK(Ask(fixture, "GET", "/items/a%2Fb").body == "a%2Fb|none|");
  CHECK(Ask(fixture, "GET", "/items/7/../8").status == 404);
  CHECK(Ask(fixture, "GET", "//open").status == 404);
  CHECK(Ask(fixture, "GET", "HTTP://T:80/%6Fpen?").status == 200);
  CHECK(Ask(fixture, "GET", "hTTps://[::1]:8000/items/a?b").body == "a|none|");
  CHECK(Ask(fixture, "GET", "http://t").status == 404);
  CHECK(Ask(fixture, "GET", "http://elsewhere/open").status == 421);  // Host is localhost
  CHECK(Ask(fixture, "OPTIONS", "*").status == 200);
  CHECK(Ask(fixture, "OPTIONS", "/open").status == 405);
}

TEST_CASE("a Host that is none is refused", "[http]") {
  EchoServer fixture;
  const auto status = [&](const std::string& host) {
    CAPTURE(host);
    RawHttpClient client(fixture.port());
    client.Send("GET /open HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    const auto answer = client.Receive();
    REQUIRE(answer);
    CHECK((answer->status != 400 || client.ClosedByServer()));
    return answer->status;
  };
  for (const auto* host : {"t", "T.example", "t:", "t:65535", "127.0.0.1:8000", "[::1]", "[::1]:80",
                           "[v7.a:b]:80", "a_b.%41~", "[::ffff:127.0.0.1]"}) {
    CHECK(status(host) != 400);  // 421 where the name is not served here
  }
  for (const auto* host :
       {"",        "a b",   "t/",         "/",           "t/path",  "me@t",
        "me:pw@t", "t:x",   "t:-1",       "t:65536",     "t:80:80", "t:99999999999999999999",
        ":80",     "a,b",   "a, b",       "::1",         "[::1",    "[::1]x",
        "[]",      "[::g]", "[::1%eth0]", "[127.0.0.1]", "[v.a]",   "[v7.]",
        "t%4",     "t%00",  "t%zz",       "t#",          "t?x",     "t\\",
        "\"t\"",   "<t>",   "\xC3\xA9"}) {
    CHECK(status(host) == 400);
  }
}

TEST_CASE("a later HTTP/1 is served as 1.1", "[http]") {
  EchoServer fixture;
  RawHttpClient client(fixture.port());
  client.Send("GET /open HTTP/1.2\r\nHost: t\r\n\r\n");
  REQUIRE(client.Receive()->status == 200);
  client.Send("POST /echo HTTP/1.9\r\nHost: t\r\nExpect: 100-Continue\r\n" + std::string(kJson) +
              "Transfer-Encoding: chunked\r\n\r\n");
  REQUIRE(client.Receive()->status == 100);
  client.Send("1\r\n7\r\n0\r\n\r\n");
  CHECK(client.Receive()->body == "7");
}

TEST_CASE("a refused HEAD gets no body, whatever it was refused for", "[http]") {
  EchoServer fixture;
  const auto request =
      GENERATE(as<std::string>{}, "HEAD /open HTTP/1.1\r\n\r\n",
               "HEAD /open HTTP/2.0\r\nHost: t\r\n\r\n", "HEAD /open HTTP/1.1\nHost: t\r\n\r\n",
               "HEAD /" + std::string(40'000, 'a'), "HEAD /nothing HTTP/1.0\r\n\r\n");
  CAPTURE(request.substr(0, 100));
  RawHttpClient client(fixture.port());
  client.Send(request);
  const auto answer = client.Receive(true);
  REQUIRE(answer);
  CHECK(answer->status >= 400);
  CHECK(client.ClosedByServer());  // without a byte more
}

TEST_CASE("no answer is kept by a cache or taken for another type", "[http]") {
  EchoServer fixture;
  const auto request = GENERATE(as<std::string>{}, "GET /open HTTP/1.1\r\nHost: t\r\n\r\n",
                                "HEAD /items/1 HTTP/1.1\r\nHost: t\r\n\r\n",
                                "GET /nothing HTTP/1.1\r\nHost: t\r\n\r\n", "nonsense\r\n\r\n",
                                "OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n");
  CAPTURE(request);
  RawHttpClient client(fixture.port());
  client.Send(request);
  const auto answer = client.Receive(request.starts_with("HEAD"));
  REQUIRE(answer);
  CHECK(answer->Header("X-Content-Type-Options") == "nosniff");
  CHECK(answer->Header("Cache-Control") == "no-store");
}

TEST_CASE("every answer says when it was given", "[http]") {
  EchoServer fixture;
  for (const auto* path : {"/open", "/nothing"}) {
    const auto before = std::time(nullptr);
    const auto date = Ask(fixture, "GET", path).Header("Date");
    std::tm parts{};
    const char* end = strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    REQUIRE(end != nullptr);
    CHECK(*end == '\0');
    CHECK(timegm(&parts) >= before);
    CHECK(timegm(&parts) <= std::time(nullptr));
  }
}

TEST_CASE("HEAD has GET's headers and no body", "[http]") {
  EchoServer fixture;
  RawHttpClient client(fixture.port());
  const auto head = client.Request("HEAD", "/items/abc");
  REQUIRE(head);
  CHECK(head->status == 200);
  CHECK(head->Header("Content-Length") == "9");
  CHECK(client.Request("GET", "/items/abc")->body == "abc|none|");
}

TEST_CASE("a connection serves many requests, pipelined ones too", "[http]") {
  EchoServer fixture;
  RawHttpClient client(fixture.port());
  for (int i = 0; i < 150; ++i) {
    REQUIRE(client.PostJson("/echo", std::to_string(i))->body == std::to_string(i));
  }
  client.Send(
      "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: "
      "1\r\n\r\n1"
      "GET /items/2 HTTP/1.1\r\nHost: t\r\n\r\n\r\nGET /items/3 HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(client.Receive()->body == "1");
  CHECK(client.Receive()->body == "2|none|");
  CHECK(client.Receive()->body == "3|none|");
}

TEST_CASE("a fault of the caller leaves the connection open when its body has come", "[http]") {
  EchoServer fixture;
  RawHttpClient client(fixture.port());
  CHECK(client.Request("GET", "/nothing")->status == 404);
  CHECK(client.Request("POST", "/echo", "1")->status == 415);
  CHECK(client.PostJson("/echo", "2")->body == "2");
  CHECK(fixture.handled == 1);
}

TEST_CASE("a client that asks for it, or speaks HTTP/1.0, gets its connection closed", "[http]") {
  EchoServer fixture;
  const auto request = GENERATE("GET /open HTTP/1.0\r\n\r\n",
                                "GET /open HTTP/1.1\r\nHost: t\r\nConnection: x, Close\r\n\r\n");
  RawHttpClient client(fixture.port());
  client.Send(request);
  const auto answer = client.Receive();
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->Header("Connection") == "close");
  CHECK(client.ClosedByServer());
}

TEST_CASE("a malformed head is refused and ends the connection", "[http]") {
  EchoServer fixture(Limits());
  const std::string post = "POST /echo HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n";
  const std::string next = "GET /open HTTP/1.1\r\nHost: t\r\n\r\n";  // must never be answered
  const auto [status, request] = GENERATE_COPY(table<int, std::string>({
      {400, "GET /open HTTP/1.1\r\n\r\n"},                                       // no Host
      {400, "GET /open HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},                 //
      {400, post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1"},  //
      {400, post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n1"},           //
      {400, post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n1"},           //
      {400, post + "Content-Length: -1\r\n\r\n"},                                //
      {400, post + "Content-Length: abc\r\n\r\n"},                               //
      {400, post + "Content-Length: +7\r\n\r\n1234567"},                         //
      {400, post + "Content-Length: %37\r\n\r\n1234567"},                        //
      {400, post + "Content-Length: 1, 1\r\n\r\n1"},                             //
      {400, post + "Content-Length:\r\n\r\n"},                                   //
      {400, post + "Content-Length: 99999999999999999999\r\n\r\n"},              //
      {400, post + "Content-Length : 1\r\n\r\n1"},                               //
      {400, "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {400, post + "Transfer-Encoding: xchunked\r\n\r\n"},                            //
      {400, post + "Transfer-Encoding: chunked, gzip\r\n\r\n"},                       //
      {400, post + "Transfer-Encoding: chunked, chunked\r\n\r\n"},                    //
      {400, post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n"},  //
      {400, post + "Transfer-Encoding: chunked;q=1\r\n\r\n"},                         //
      {400, post + "Transfer-Encoding: \r\n\r\n"},                                    //
      {501, post + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
      {400, "GET /open HTTP/1.1\r\nHost: t\r\nX: a\r\n b\r\n\r\n"},  // folded
      {400, "GET /open HTTP/1.1\r\nHost: t\r\nX: a\x01\r\n\r\n"},    //
      {400, "GET /open HTTP/1.1\r\nHost: t\r\nX: a\rb\r\n\r\n"},     //
      {400, "GET /open HTTP/1.1\r\nHost: t\r\nno colon\r\n\r\n"},    //
      {400, "GET /open HTTP/1.1\r\nHost: t\nX: y\r\n\r\n"},          // bare LF
      {400, "GET /open HTTP/1.1\n\n"},                               //
      {400, "GET  /open HTTP/1.1\r\nHost: t\r\n\r\n"},               //
      {400, "GET /op\xC3\xA9n HTTP/1.1\r\nHost: t\r\n\r\n"},         //
      {400, "GET /open\r\nHost: t\r\n\r\n"},                         // HTTP/0.9
      {400, "\x16\x03\x01\x02"},                                     // TLS
      {501, "BREW /open HTTP/1.1\r\nHost: t\r\n\r\n"},               //
      {501, "CONNECT t:80 HTTP/1.1\r\nHost: t\r\n\r\n"},             //
      {505, "GET /open HTTP/2.0\r\nHost: t\r\n\r\n"},                //
      {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},                     //
      {400, "GET /open HTTP/1.11\r\nHost: t\r\n\r\n"},               //
      {400, "GET /open HTTP/1.x\r\nHost: t\r\n\r\n"},                //
      {400, "GET * HTTP/1.1\r\nHost: t\r\n\r\n"},                    //
      {400, "GET /open#x HTTP/1.1\r\nHost: t\r\n\r\n"},              //
      {400, "GET /%u006fpen HTTP/1.1\r\nHost: t\r\n\r\n"},           //
      {400, "GET %2Fopen HTTP/1.1\r\nHost: t\r\n\r\n"},              //
      {400, "GET http%3A%2F%2Ft%2Fopen HTTP/1.1\r\nHost: t\r\n\r\n"},
      {400, "GET ftp://t/open HTTP/1.1\r\nHost: t\r\n\r\n"},         //
      {400, "GET http:///open HTTP/1.1\r\nHost: t\r\n\r\n"},         //
      {400, "GET http://me@t/open HTTP/1.1\r\nHost: t\r\n\r\n"},     //
      {400, "GET http://t/open HTTP/1.1\r\nHost: a b\r\n\r\n"},      //
      {400, "GET /open HTTP/1.0\r\nHost: a b\r\n\r\n"},              //
      {417, post + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n1"},  //
      {414, "GET /" + std::string(8192, 'a') + " HTTP/1.1\r\nHost: t\r\n\r\n"},
      {414, "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: t\r\n\r\n"},
      {414, "GET /" + std::string(5'000'000, 'a')},
      {501, std::string(5'000'000, 'a')},
      {431, "GET /open HTTP/1.1\r\nHost: t\r\nX: " + std::string(9000, 'a') + "\r\n\r\n"},
      {431, "GET /open HTTP/1.1\r\nHost: t\r\n" + Repeat("A: b\r\n", 20000) + "\r\n"},
      {431, "GET /open HTTP/1.1\r\nX: " + std::string(5'000'000, 'a') + "\r\n\r\n"},
  }));
  CAPTURE(request.substr(0, 200));
  CHECK(StatusThenClosed(fixture, request + next) == status);
  CHECK(fixture.handled == 0);
}

TEST_CASE("chunked bodies are decoded", "[http]") {
  EchoServer fixture;
  const auto chunks =
      GENERATE("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
               "003;x=\"y\"\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
               "3 \t; x = \"\\\";\xC3\" ;y;z=1\r\nabc\r\n2;a\r\nde\r\n0;b\r\nA:\r\nB: b\t\r\n\r\n");
  RawHttpClient client(fixture.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: Chunked\r\n");
  client.Send(std::string(kJson) + "\r\n" + chunks + "GET /items/1 HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(client.Receive()->body == "abcde");
  CHECK(client.Receive()->body == "1|none|");
}

TEST_CASE("chunks that are not framed as they must be are refused at once", "[http]") {
  EchoServer fixture;
  const auto chunks = GENERATE(
      "0x3\r\nabc\r\n0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "+3\r\nabc\r\n0\r\n\r\n",
      " 3\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "\r\n\r\n",
      "3;\x01\r\nabc\r\n0\r\n\r\n", "ffffffffffffffff\r\nabc",
      // Extensions.
      "3;\r\nabc\r\n0\r\n\r\n", "3; \r\nabc\r\n0\r\n\r\n", "3 \r\nabc\r\n0\r\n\r\n",
      "3;a@b=1\r\nabc\r\n0\r\n\r\n", "3;a=\r\nabc\r\n0\r\n\r\n", "3;a b\r\nabc\r\n0\r\n\r\n",
      "3;a=b c\r\nabc\r\n0\r\n\r\n", "3;a=b \r\nabc\r\n0\r\n\r\n", "3;a=\"b\r\nabc\r\n0\r\n\r\n",
      "3;a=\"b\"c\r\nabc\r\n0\r\n\r\n", "3;a=\"\\\r\nabc\r\n0\r\n\r\n", "3;;a\r\nabc\r\n0\r\n\r\n",
      "3;=1\r\nabc\r\n0\r\n\r\n", "3;a\nabc\r\n0\r\n\r\n", "0;\r\n\r\n",
      // Trailers.
      "0\r\nno colon\r\n\r\n", "0\r\nA : b\r\n\r\n", "0\r\nA: b\r\n c\r\n\r\n", "0\r\n: b\r\n\r\n",
      "0\r\nA: b\nB: c\r\n\r\n", "0\r\nA: \x01\r\n\r\n");
  CAPTURE(chunks);
  const std::string head = "POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n";
  CHECK(StatusThenClosed(fixture, head + std::string(kJson) + "\r\n" + chunks) == 400);
  CHECK(fixture.handled == 0);
}

TEST_CASE("a body over the limit is refused, announced or not", "[http]") {
  EchoServer fixture(Limits());
  const std::string head = "POST /echo HTTP/1.1\r\nHost: t\r\n" + std::string(kJson);
  const std::string fits(65536, ' ');
  CHECK(Ask(fixture, "POST", "/echo", fits, kJson).status == 200);
  CHECK(StatusThenClosed(fixture, head + "Content-Length: 65537\r\n\r\n") == 413);
  CHECK(StatusThenClosed(fixture, head + "Content-Length: 5000000\r\n\r\n" +
                                      std::string(5'000'000, ' ')) == 413);
  const auto chunk = "4000\r\n" + std::string(16384, ' ') + "\r\n";
  CHECK(StatusThenClosed(fixture, head + "Transfer-Encoding: chunked\r\n\r\n" + Repeat(chunk, 16) +
                                      "0\r\n\r\n") == 413);
  CHECK(fixture.handled == 1);
}

TEST_CASE("a body must say its length, its type and no encoding", "[http]") {
  EchoServer fixture;
  const auto status = [&](std::string_view headers) {
    return Ask(fixture, "POST", "/echo", "{}", headers).status;
  };
  CHECK(status("Content-Type: application/json; charset=UTF-8\r\n") == 200);
  CHECK(status("content-type: Application/JSON;charset=\"utf-8\";v=1\r\n") == 200);
  CHECK(status("Content-Type: application/json; x=\"; charset=latin1\"\r\n") == 200);
  CHECK(status("Content-Type: application/json; x=\"\\\"; charset=latin1\"\r\n") == 200);
  CHECK(status("Content-Type: application/json ; ;charset=\"u\\tf-8\" ;\r\n") == 200);
  CHECK(status("Content-Type: application/json; charset=latin1\r\n") == 415);
  CHECK(status("Content-Type: application/json; x=\";\"; charset=latin1\r\n") == 415);
  CHECK(status("Content-Type: application/json; x=\"\r\n") == 415);
  CHECK(status("Content-Type: application/json; x\r\n") == 415);
  CHECK(status("Content-Type: text/plain\r\n") == 415);
  CHECK(status("") == 415);
  CHECK(status("Content-Type: application/json\r\nContent-Type: application/json\r\n") == 415);
  CHECK(status("Content-Type: application/json\r\nContent-Encoding: gzip\r\n") == 415);
  RawHttpClient client(fixture.port());
  client.Send("POST /echo HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n\r\n");
  CHECK(client.Receive()->status == 411);
}

TEST_CASE("Expect: 100-continue is answered before the body, with a refusal where due", "[http]") {
  EchoServer fixture(Limits());
  const std::string head = "POST /echo HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n";
  RawHttpClient client(fixture.port());
  client.Send(head + "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n");
  REQUIRE(client.Receive()->status == 100);
  client.Send("{}");
  CHECK(client.Receive()->body == "{}");
  CHECK(StatusThenClosed(fixture, head + "Content-Type: a/b\r\nContent-Length: 2\r\n\r\n") == 415);
  CHECK(StatusThenClosed(fixture, head + "Content-Type: application/json\r\nContent-Length: 70000"
                                         "\r\n\r\n") == 413);
}

TEST_CASE("headers that ask for what is not done here change nothing", "[http]") {
  EchoServer fixture;
  const auto answer = Ask(fixture, "GET", "/items/abcdef", {},
                          "Range: bytes=0-1\r\nAccept-Encoding: gzip\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
  CHECK(answer.status == 200);
  CHECK(answer.body == "abcdef|none|");
}

TEST_CASE("what a handler throws becomes an answer without its text", "[http]") {
  HttpFixture fixture;
  const CapturedLogs logs;
  fixture.server->Route("GET", "/fault", [](const HttpRequest&) -> HttpResponse {
    throw std::runtime_error("hidden");
  });
  fixture.server->Route("GET", "/memory",
                        [](const HttpRequest&) -> HttpResponse { throw std::bad_alloc(); });
  fixture.Start();
  const auto fault = Ask(fixture, "GET", "/fault");
  CHECK(fault.status == 500);
  CHECK_THAT(fault.body, !ContainsSubstring("hidden"));
  CHECK_THAT(logs.text(), ContainsSubstring("hidden"));
  const auto memory = Ask(fixture, "GET", "/memory");
  CHECK(memory.status == 503);
  CHECK(memory.Header("Retry-After") == "1");
}

TEST_CASE("answers are counted under the route's pattern", "[http]") {
  EchoServer fixture;
  Ask(fixture, "GET", "/items/secret");
  Ask(fixture, "HEAD", "/items/secret");
  Ask(fixture, "GET", "/secret");
  StatusThenClosed(fixture, "SECRET / HTTP/1.1\r\nHost: t\r\n\r\n");
  REQUIRE(Eventually([&] {  // an answer is counted once it was sent
    return fixture.metrics.Render().find("code=\"501\"") != std::string::npos;
  }));
  const auto text = fixture.metrics.Render();
  const std::string name = "control_tower_http_requests_total";
  CHECK_THAT(text, ContainsSubstring(name + R"({code="200",method="GET",route="/items/{id}"} 1)"));
  CHECK_THAT(text, ContainsSubstring(name + R"({code="200",method="HEAD",route="/items/{id}"} 1)"));
  CHECK_THAT(text, ContainsSubstring(name + R"({code="404",method="GET",route="unmatched"} 1)"));
  CHECK_THAT(text, ContainsSubstring(name + R"({code="501",method="other",route="unmatched"} 1)"));
  CHECK_THAT(text, ContainsSubstring(R"(http_request_seconds_count{route="/items/{id}"} 2)"));
  CHECK_THAT(text, !ContainsSubstring("secret"));
}

}  // namespace
}  // namespace tower
