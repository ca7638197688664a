// Services that misbehave, and options that can't be.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/plugins/poll/fixture.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Strings = std::vector<std::string>;
using std::chrono::seconds;
using std::chrono::steady_clock;

TEST_CASE("an answer that is no list is an error that says where and what", "[poll]") {
  PollFixture f;
  const auto end = [&](ServedAnswer answer, PollFixture::Options options) {
    f.Answer(std::move(answer));
    options.push_back({"token", {"s3cret"}});
    f.Start("/list?key=s3cret", options);
    const auto error = f.End();
    CHECK_THAT(error.message,
               ContainsSubstring("GET " + f.Url("/list")) && !ContainsSubstring("s3cret"));
    return std::string(ToString(error.code)) + " " + error.message;
  };
  const PollFixture::Options items = {{"items", {"/items"}}};
  const PollFixture::Options by_id = {{"items", {"/items"}}, {"id", {"/id"}}};
  CHECK_THAT(end({.body = "<html>"}, items),
             ContainsSubstring("unavailable ") && ContainsSubstring("the response is not JSON"));
  CHECK_THAT(end({.body = ""}, items), ContainsSubstring("the response is not JSON"));
  CHECK_THAT(end({.body = R"({"item":[]})"}, items), ContainsSubstring("there is no /items"));
  CHECK_THAT(end({.body = R"({"items":{}})"}, by_id),
             ContainsSubstring("/items is an object, not an array"));
  CHECK_THAT(end({.body = R"({"items":[],"at":[]})"},
                 {{"items", {"/items"}}, {"cursor", {"/at"}}, {"cursor-param", {"c"}}}),
             ContainsSubstring("/at is an array, neither a string nor a number"));
  CHECK_THAT(
      end({.body = R"({"items":[],"next":{}})"}, {{"items", {"/items"}}, {"next", {"/next"}}}),
      ContainsSubstring("/next is an object, where the next page is expected"));
  CHECK_THAT(end({.body = R"({"items":[],"next":"http://["})"},
                 {{"items", {"/items"}}, {"next", {"/next"}}}),
             ContainsSubstring("the next page: the URL"));
  CHECK_THAT(end({.status = 500}, items),
             ContainsSubstring("unavailable ") && ContainsSubstring("status 500"));
  CHECK_THAT(end({.status = 404}, items),
             ContainsSubstring("unavailable ") && ContainsSubstring("status 404"));
  CHECK_THAT(end({.status = 304}, items), ContainsSubstring("status 304"));  // nobody asked
  CHECK_THAT(end({.status = 401}, items),
             ContainsSubstring("permanent ") && ContainsSubstring("status 401: wrong credentials"));
  CHECK_THAT(end({.status = 403}, items), ContainsSubstring("permanent "));
  CHECK_THAT(end({.status = 302, .headers = {{"Location", "https://login.example/"}}}, items),
             ContainsSubstring("permanent ") && ContainsSubstring("redirected to another origin"));
  CHECK(f.queue.Empty());
}

TEST_CASE("nothing to tell is no fault", "[poll]") {
  PollFixture f;
  SECTION("204") { f.Answer(ServedAnswer{.status = 204}); }
  SECTION("null") { f.Answer(R"({"items":null})"); }
  SECTION("empty") { f.Answer(List({})); }
  f.Start("/", {{"items", {"/items"}}});
  CHECK(f.Looks(2));
  f.Answer(List({Item("1", "A")}));
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
}

TEST_CASE("a service that asks to wait is not asked before", "[poll]") {
  PollFixture f;
  const int status = GENERATE(429, 503, 403);
  f.Answer(ServedAnswer{.status = status, .headers = {{"Retry-After", "1"}}});
  f.Start("/", {{"items", {"/items"}}});
  const auto end = f.End();
  CHECK(end.code == ErrorCode::kUnavailable);
  CHECK_THAT(end.message,
             ContainsSubstring("status " + std::to_string(status) + ", retry after 1 s"));
  const auto told = steady_clock::now();
  f.Answer(List({Item("1", "A")}));
  f.watcher->Start();  // as the supervisor does
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(steady_clock::now() - told > std::chrono::milliseconds(800));
  CHECK(f.Requests().size() >= 2);
}

TEST_CASE("a watcher that was asked to wait for an hour stops at once", "[poll]") {
  PollFixture f;
  f.Answer(ServedAnswer{.status = 503, .headers = {{"Retry-After", "3600"}}});
  f.Start("/", {{"items", {"/items"}}});
  CHECK(f.End().code == ErrorCode::kUnavailable);
  f.watcher->Start();
  REQUIRE(Eventually([&] { return !f.watcher->notes.Read().retries.empty(); }));
  const auto retry = f.watcher->notes.Read().retries[0];
  CHECK_THAT(retry.error, ContainsSubstring("Retry-After"));
  CHECK((retry.at > WallNow() + seconds(3000) && retry.at < WallNow() + seconds(3700)));
  const auto began = steady_clock::now();
  CHECK(f.watcher->Stop());
  CHECK(steady_clock::now() - began < seconds(60));
  CHECK(f.Requests().size() == 1);
}

TEST_CASE("services that drip, cut off or never end are errors, and a stop needs no patience",
          "[poll]") {
  std::function<void(int)> rest;
  std::string expected, timeout = "200ms";
  SECTION("drips") {
    rest = [](int fd) { RawService::Drip(fd, "Content-Length: 9999"); };
    expected = "no complete answer in time";
  }
  SECTION("cut off") {
    timeout = "60s";
    rest = [](int fd) { RawService::Send(fd, "Content-Length: 100\r\n\r\n{\"items\":["); };
    expected = "the connection was cut";
  }
  SECTION("without end") {
    timeout = "60s";
    rest = [](int fd) {
      RawService::Send(fd, "Transfer-Encoding: chunked\r\n\r\n");
      while (RawService::Send(fd, "400\r\n" + std::string(0x400, ' ') + "\r\n")) {
      }
    };
    expected = "the answer is too large";
  }
  SECTION("silent") {
    timeout = "1h";
    rest = [](int fd) { RawService::WaitForClose(fd); };
  }
  RawService service([&](int fd) {
    RawService::ReadHead(fd);
    RawService::Send(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
    rest(fd);
  });
  TestQueue queue;
  WatcherHarness watcher(queue, "poll",
                         {{"url", {service.Url("/")}},
                          {"items", {"/items"}},
                          {"timeout", {timeout}},
                          {"max-body", {"64KiB"}}});
  watcher.Start();
  REQUIRE(Eventually([&] { return service.connections() == 1; }));
  if (expected.empty()) {
    CHECK(watcher.Stop());
    return;
  }
  REQUIRE(Eventually([&] { return watcher.ended(); }));
  REQUIRE_FALSE(watcher.result());
  CHECK(watcher.result().error().retryable());
  CHECK_THAT(watcher.result().error().message, ContainsSubstring(expected));
}

TEST_CASE("an address that is denied stops the watcher", "[poll]") {
  TestQueue queue;
  WatcherHarness watcher(queue, "poll", {{"url", {"http://169.254.169.254/latest"}}});
  watcher.Start();
  REQUIRE(Eventually([&] { return watcher.ended(); }));
  CHECK(watcher.result().error().code == ErrorCode::kPermanent);
}

TEST_CASE("a checkpoint of another plugin is left alone", "[poll]") {
  TestQueue queue;
  const CheckpointChange change{"/inbox/a.json", "1 handled"};
  REQUIRE((*queue).Put({}, {.source = "test", .checkpoints = std::span(&change, 1)}));
  WatcherHarness watcher(queue, "poll", {{"url", {"http://127.0.0.1:1/"}}});
  watcher.Start();
  REQUIRE(Eventually([&] { return watcher.ended(); }));
  CHECK(watcher.result().error().code == ErrorCode::kPermanent);
  CHECK_THAT(watcher.result().error().message, ContainsSubstring("give this watcher another name"));
}

TEST_CASE("options that can't be are refused with what they should be", "[poll]") {
  TestQueue queue;
  const auto fault = [&](PollFixture::Options options) -> std::string {
    if (options.empty() || options[0].first != "url") options.push_back({"url", {"http://a/"}});
    try {
      WatcherHarness watcher(queue, "poll", options);
      const auto check = watcher.Check();
      return check ? "" : check.error().message;
    } catch (const std::runtime_error& error) {
      CHECK_THAT(error.what(), !ContainsSubstring("s3cret"));
      return error.what();
    }
  };
  CHECK(fault({}).empty());
  CHECK(fault({{"url", {"https://a/"}}}).empty());
  CHECK_THAT(fault({{"url", {"a.example/s3cret"}}}), ContainsSubstring("http://"));
  CHECK_THAT(fault({{"url", {"http://u:s3cret@a/"}}}), ContainsSubstring("user name"));
  CHECK_THAT(fault({{"header", {"s3cret"}}}), ContainsSubstring("NAME: VALUE"));
  CHECK_THAT(fault({{"header", {"X-A: s3cret\r\nX-B: c"}}}), ContainsSubstring("can't be sent"));
  CHECK_THAT(fault({{"header", {"Host: b"}}}), ContainsSubstring("can't be set"));
  CHECK_THAT(fault({{"token", {"s3cret\n"}}}), ContainsSubstring("can't be sent"));
  CHECK_THAT(fault({{"token", {"t"}}, {"header", {"authorization: s3cret"}}}),
             ContainsSubstring("set one of them"));
  CHECK_THAT(fault({{"items", {"data"}}}), ContainsSubstring("items must be a JSON pointer"));
  CHECK_THAT(fault({{"items", {"/a"}}, {"id", {"/a~2"}}}), ContainsSubstring("id must be"));
  CHECK_THAT(fault({{"items", {"/a"}}, {"next", {"links"}}}), ContainsSubstring(", or link"));
  CHECK_THAT(fault({{"id", {"/id"}}}), ContainsSubstring("id needs items"));
  CHECK_THAT(fault({{"next", {"link"}}}), ContainsSubstring("next needs items"));
  CHECK_THAT(fault({{"fire-on", {"changed"}}}), ContainsSubstring("needs id"));
  CHECK_THAT(fault({{"cursor", {"/c"}}}), ContainsSubstring("need each other"));
  CHECK_THAT(fault({{"cursor-param", {"c"}}}), ContainsSubstring("need each other"));
  CHECK_THAT(fault({{"next-param", {"p"}}}), ContainsSubstring("needs a pointer"));
  CHECK_THAT(fault({{"items", {"/a"}}, {"next", {"link"}}, {"next-param", {"p"}}}),
             ContainsSubstring("needs a pointer"));
  CHECK_THAT(fault({{"interval", {"1ms"}}}), ContainsSubstring("from 10ms"));
}

}  // namespace
}  // namespace tower
