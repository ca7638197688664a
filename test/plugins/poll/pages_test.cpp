// Pages, cursors, and what becomes of them when something fails on the way.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "test/plugins/poll/fixture.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Strings = std::vector<std::string>;

PollFixture::Options ById(const PollFixture::Options& more) {
  PollFixture::Options options = {{"items", {"/items"}}, {"id", {"/spec/id"}}};
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

std::string Page(const ServedRequest& request) {
  const auto found = request.query.find("page");
  return found == request.query.end() ? "1" : found->second;
}

// Three pages with one item each; `next` makes what leads from a page to the next.
HttpService::Handler ThreePages(
    const std::function<std::string(const std::string& page)>& next,
    const std::function<std::string(const std::string& page)>& link = {}) {
  return [=](const ServedRequest& request) -> ServedAnswer {
    const auto page = Page(request);
    const auto following = std::to_string(std::stoi(page) + 1);
    ServedAnswer answer{
        .body = List({Item(page, "P" + page)}, page == "3" ? R"(,"next":null)" : next(following))};
    if (link && page != "3") answer.headers.emplace_back("Link", link(following));
    return answer;
  };
}

std::string None(const std::string&) { return ""; }

TEST_CASE("all pages are taken, whatever leads to the next", "[poll]") {
  PollFixture f;
  PollFixture::Options options = {{"next", {"/next"}}};
  SECTION("a URL") {
    f.Answer(ThreePages(
        [&](const std::string& page) { return ",\"next\":\"" + f.Url("/l?page=" + page) + "\""; }));
  }
  SECTION("a relative URL") {
    f.Answer(
        ThreePages([](const std::string& page) { return ",\"next\":\"?page=" + page + "\""; }));
  }
  SECTION("a token") {
    options.push_back({"next-param", {"page"}});
    f.Answer(ThreePages([](const std::string& page) { return ",\"next\":\"" + page + "\""; }));
  }
  SECTION("a number") {
    options.push_back({"next-param", {"page"}});
    f.Answer(ThreePages([](const std::string& page) { return ",\"next\":" + page; }));
  }
  SECTION("a Link header") {
    options = {{"next", {"link"}}};
    f.Answer(ThreePages(None, [](const std::string& page) {
      return "</l?page=1>; rel=first, </l?page=" + page + ">; rel=\"next\"";
    }));
  }
  f.Start("/l?size=1", ById(options));
  CHECK(f.queue.TakeProtocols(3) == Strings{"P1", "P2", "P3"});
  CHECK(f.Looks(3));
  CHECK(f.queue.Empty());
}

TEST_CASE("what is configured, and what leads to the next page, is asked byte for byte", "[poll]") {
  PollFixture f;
  const Strings targets = {"/l?z=%20&t=abc==&&u=a%2Fb",
                           "/l%2f?page=2&c=a%2Fb%20==", "/l?page=3&q=+%2B&="};
  PollFixture::Options options = {{"next", {"/next"}}};
  const auto next = [&](const std::string& page) {
    return ",\"next\":\"" + targets[page == "2" ? 1 : 2] + "\"";
  };
  SECTION("in the body") { f.Answer(ThreePages(next)); }
  SECTION("in a Link header") {
    options = {{"next", {"link"}}};
    f.Answer(ThreePages(None, [&](const std::string& page) {
      return "<" + targets[page == "2" ? 1 : 2] + ">; rel=next";
    }));
  }
  f.Start(targets[0], ById(options));
  CHECK(f.queue.TakeProtocols(3) == Strings{"P1", "P2", "P3"});
  Strings asked;
  for (const auto& request : f.Requests()) asked.push_back(request.target);
  asked.resize(3);
  CHECK(asked == targets);
}

TEST_CASE("pages that lead in a circle, or never end, end the look", "[poll]") {
  const CapturedLogs logs;
  PollFixture f;
  std::string max_pages = "100";
  SECTION("to itself") { f.Answer(List({Item("1", "A")}, R"(,"next":"/l")")); }
  SECTION("through another") {
    f.Answer([](const ServedRequest& request) {
      const bool first = request.path == "/l";
      return ServedAnswer{.body = first ? List({Item("1", "A")}, R"(,"next":"/m")")
                                        : List({}, R"(,"next":"/l")")};
    });
  }
  SECTION("never") {
    max_pages = "4";
    f.Answer([n = std::make_shared<std::atomic<int>>(0)](const ServedRequest&) {
      return ServedAnswer{
          .body = List({Item("1", "A")}, R"(,"next":"?)" + std::to_string(++*n) + "\"")};
    });
  }
  f.Start("/l", ById({{"next", {"/next"}}, {"max-pages", {max_pages}}}));
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  CHECK(f.Looks(9));
  CHECK_FALSE(f.watcher->ended());
  CHECK(f.queue.Empty());
  const auto said = logs.text().find("more pages than max-pages");
  CHECK((said != std::string::npos) == (max_pages == "4"));
  CHECK(logs.text().find("more pages than max-pages", said + 1) == std::string::npos);
}

TEST_CASE("the next page is never asked of another host, which would see the headers", "[poll]") {
  HttpService other([](const ServedRequest&) { return ServedAnswer{.body = List({})}; });
  PollFixture f;
  PollFixture::Options options = {{"next", {"/next"}}, {"token", {"s3cret"}}};
  SECTION("pointer") {
    f.Answer(List({Item("1", "A")}, ",\"next\":\"" + other.Url("/?key=s3cret") + "\""));
  }
  SECTION("link") {
    options[0].second = {"link"};
    f.Answer(ServedAnswer{.body = List({Item("1", "A")}),
                          .headers = {{"Link", "<" + other.Url("/?key=s3cret") + ">; rel=next"}}});
  }
  f.Start("/l", ById(options));
  const auto end = f.End();
  CHECK(end.code == ErrorCode::kPermanent);
  CHECK_THAT(end.message,
             ContainsSubstring("/l: the next page is on another host, " + other.Url("/")) &&
                 !ContainsSubstring("s3cret"));
  CHECK(other.requests().empty());
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});  // what was there before
}

TEST_CASE("an error on a page leaves what the pages before it stored, and repeats nothing",
          "[poll]") {
  PollFixture f;
  const auto pages =
      ThreePages([](const std::string& page) { return ",\"next\":\"?page=" + page + "\""; });
  f.Answer([pages](const ServedRequest& request) {
    return Page(request) == "3" ? ServedAnswer{.status = 500} : pages(request);
  });
  f.Start("/l", ById({{"next", {"/next"}}}));
  const auto end = f.End();
  CHECK(end.code == ErrorCode::kUnavailable);
  CHECK_THAT(end.message, ContainsSubstring("/l: status 500"));
  CHECK(f.queue.TakeProtocols(2) == Strings{"P1", "P2"});
  f.Answer(pages);
  f.Restart("/l", ById({{"next", {"/next"}}}));
  CHECK(f.queue.TakeProtocols(1) == Strings{"P3"});
  CHECK(f.Looks(3));
  CHECK(f.queue.Empty());
}

TEST_CASE("items that were not seen because a page failed are not missing", "[poll]") {
  PollFixture f;
  const auto pages =
      ThreePages([](const std::string& page) { return ",\"next\":\"?page=" + page + "\""; });
  const auto options = ById({{"next", {"/next"}}, {"forget-after", {"0s"}}});
  f.Answer(pages);
  f.Start("/l", options);
  CHECK(f.queue.Take(3).size() == 3);
  CHECK(f.Looks(3));
  f.Answer([pages](const ServedRequest& request) {
    return Page(request) == "2" ? ServedAnswer{.status = 500} : pages(request);
  });
  CHECK(f.End().code == ErrorCode::kUnavailable);
  f.Answer(pages);
  f.Restart("/l", options);
  CHECK(f.Looks(3));
  CHECK(f.queue.Empty());
}

// A log of numbers: answers with those after `since`, and where to go on.
HttpService::Handler Log(const std::shared_ptr<std::atomic<int>>& last, bool as_text) {
  return [=](const ServedRequest& request) {
    const auto found = request.query.find("since");
    const int since = found == request.query.end() ? 0 : std::stoi(found->second);
    const int now = *last;
    Strings items;
    for (int i = since + 1; i <= now; ++i) {
      items.push_back(Item(std::to_string(i), "P" + std::to_string(i)));
    }
    const std::string quote = as_text ? "\"" : "";
    return ServedAnswer{
        .body = List(items, ",\"meta\":{\"last\":" + quote + std::to_string(now) + quote + "}")};
  };
}

TEST_CASE("a look begins where the last one ended, after a restart as well", "[poll]") {
  const bool as_text = GENERATE(false, true);
  const auto last = std::make_shared<std::atomic<int>>(2);
  PollFixture f;
  f.Answer(Log(last, as_text));
  const auto options = ById({{"cursor", {"/meta/last"}}, {"cursor-param", {"since"}}});
  f.Start("/log?since=0&kind=a", options);
  CHECK(f.queue.TakeProtocols(2) == Strings{"P1", "P2"});
  *last = 3;
  CHECK(f.queue.TakeProtocols(1) == Strings{"P3"});
  f.Stop();
  const auto before = f.Requests().size();
  *last = 4;
  f.Restart("/log?since=0&kind=a", options);
  CHECK(f.queue.TakeProtocols(1) == Strings{"P4"});
  CHECK(f.Requests().front().target == "/log?since=0&kind=a");
  CHECK(f.Requests().at(before).target == "/log?kind=a&since=3");
}

TEST_CASE("the cursor is stored with the last page, and not before", "[poll]") {
  std::atomic<bool> fails = true;
  PollFixture f;
  f.Answer([&](const ServedRequest& request) -> ServedAnswer {
    const bool again = request.query.contains("since");
    if (Page(request) == "1") {
      return {.body = List({Item(again ? "3" : "1", again ? "C" : "A")},
                           again ? "" : R"(,"next":"?page=2","last":"end")")};
    }
    if (fails) return {.status = 502};
    return {.body = List({Item("2", "B")}, R"(,"last":"end")")};
  });
  const auto options =
      ById({{"next", {"/next"}}, {"cursor", {"/last"}}, {"cursor-param", {"since"}}});
  f.Start("/log", options);
  CHECK(f.End().code == ErrorCode::kUnavailable);
  CHECK(f.queue.TakeProtocols(1) == Strings{"A"});
  CHECK_FALSE((*f.queue).Checkpoint("test", "cursor")->has_value());
  fails = false;
  f.Restart("/log", options);
  CHECK(f.queue.TakeProtocols(2) == Strings{"B", "C"});
  CHECK((*f.queue).Checkpoint("test", "cursor")->value() == "end");
}

TEST_CASE("a crash after the triggers were stored repeats nothing", "[poll]") {
  PollFixture f;
  f.Answer([](const ServedRequest& request) {
    const bool again = request.query.contains("since");
    return ServedAnswer{.body = List({Item("1", "A"), Item("2", "B")}, again ? "" : ",\"at\":7")};
  });
  const auto options = ById({{"cursor", {"/at"}}, {"cursor-param", {"since"}}});
  f.Start("/", options);
  f.watcher->HoldAtNextSuccess();
  REQUIRE(f.watcher->WaitUntilHeld());  // in the put that has just returned, or the one after it
  // What is on disk at this moment is what a crash would leave.
  const auto all = (*f.queue).Checkpoints("test");
  REQUIRE(all);
  CHECK(all->size() == 4);  // two items, the cursor, and that a look was completed
  CHECK((*f.queue).Checkpoint("test", "cursor")->value() == "7");
  CHECK(f.queue.Take(2).size() == 2);
  f.Restart("/", options);
  CHECK(f.Looks(2));
  CHECK(f.queue.Empty());
}

TEST_CASE("a circle is gone through once in each look", "[poll]") {
  PollFixture f;
  f.Answer([](const ServedRequest& request) {
    const bool first = request.path == "/l";
    return ServedAnswer{.body = List({}, first ? R"(,"next":"/m")" : R"(,"next":"/l")")};
  });
  f.Start("/l", ById({{"next", {"/next"}}, {"interval", {"1h"}}}));
  CHECK(Eventually([&] { return f.queue->Checkpoint("test", "complete").value().has_value(); }));
  CHECK(f.Requests().size() == 2);
}

TEST_CASE("validators are of no use where there are pages", "[poll]") {
  PollFixture f;
  f.Answer([](const ServedRequest& request) -> ServedAnswer {
    if (!request.Header("if-none-match").empty()) return {.status = 304};
    if (Page(request) == "2") {
      return {.body = List({Item("2", "B")}), .headers = {{"ETag", "\"2\""}}};
    }
    return {.body = List({Item("1", "A")}, R"(,"next":"?page=2")"), .headers = {{"ETag", "\"1\""}}};
  });
  f.Start("/", ById({{"next", {"/next"}}}));
  CHECK(f.queue.Take(2).size() == 2);
  CHECK(f.Looks(4));
  for (const auto& request : f.Requests()) CHECK(request.Header("if-none-match").empty());
}

}  // namespace
}  // namespace tower
