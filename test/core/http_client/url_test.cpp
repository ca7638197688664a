#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <ctime>

#include "core/http_client/client.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string Shown(std::string_view text) {
  const auto url = HttpUrl::Parse(text);
  if (!url) return "refused";
  return std::string(url->tls ? "tls " : "plain ") + url->host + " " + std::to_string(url->port) +
         " " + url->target;
}

TEST_CASE("a URL is taken apart", "[http_client]") {
  CHECK(Shown("http://a.example") == "plain a.example 80 /");
  CHECK(Shown("HTTPS://A.Example:8443/x/y?q=1&r#frag") == "tls a.example 8443 /x/y?q=1&r");
  CHECK(Shown("https://a?q") == "tls a 443 /?q");
  CHECK(Shown("http://[::1]:80/") == "plain ::1 80 /");
  CHECK(Shown("http://a_b-c.d:/x") == "plain a_b-c.d 80 /x");
  CHECK(HttpUrl::Parse("http://[FE80::1]:81/a?b")->Text() == "http://[fe80::1]:81/a?b");
  CHECK(HttpUrl::Parse("https://a:443/a?b")->Text() == "https://a/a?b");
  CHECK(HttpUrl::Parse("https://a/a?b")->WithoutQuery() == "https://a/a");
  for (const auto* bad : {"",
                          "a.example",
                          "ftp://a/",
                          "http:/a",
                          "http://",
                          "http:///x",
                          "http://:80/",
                          "http://a:0/",
                          "http://a:65536/",
                          "http://a:80x/",
                          "http://a:-1/",
                          "http://u@a/",
                          "http://u:p@a/",
                          "http://[::1/",
                          "http://[::1]x/",
                          "http://[fe80::1%25eth0]/",
                          "http://[a]/",
                          "http://a b/",
                          "http://a/\r\nX: y",
                          "http://a/\x01",
                          "http://ä/",
                          "http://a/ä",
                          "http://a\\b/",
                          "http://a%2eb/",
                          "//a/",
                          "http://a,b/"}) {
    INFO(bad);
    CHECK(Shown(bad) == "refused");
  }
}

TEST_CASE("a reference means what RFC 3986 says", "[http_client]") {
  const auto base = HttpUrl::Parse("http://a/b/c/d;p?q");
  REQUIRE(base);
  const auto meaning = [&](std::string_view reference) {
    const auto url = base->Resolve(reference);
    return url ? url->Text() : "refused";
  };
  // Section 5.4.
  CHECK(meaning("g") == "http://a/b/c/g");
  CHECK(meaning("./g") == "http://a/b/c/g");
  CHECK(meaning("g/") == "http://a/b/c/g/");
  CHECK(meaning("/g") == "http://a/g");
  CHECK(meaning("//g") == "http://g/");
  CHECK(meaning("?y") == "http://a/b/c/d;p?y");
  CHECK(meaning("g?y") == "http://a/b/c/g?y");
  CHECK(meaning("#s") == "http://a/b/c/d;p?q");
  CHECK(meaning("g?y#s") == "http://a/b/c/g?y");
  CHECK(meaning("") == "http://a/b/c/d;p?q");
  CHECK(meaning(".") == "http://a/b/c/");
  CHECK(meaning("..") == "http://a/b/");
  CHECK(meaning("../g") == "http://a/b/g");
  CHECK(meaning("../../../../g") == "http://a/g");
  CHECK(meaning("g..") == "http://a/b/c/g..");
  CHECK(meaning("./g/.") == "http://a/b/c/g/");
  CHECK(meaning("g/../h") == "http://a/b/c/h");
  CHECK(meaning("g?y/../x") == "http://a/b/c/g?y/../x");
  CHECK(meaning("https://x:1/y") == "https://x:1/y");
  CHECK(meaning("g?at=10:30") == "http://a/b/c/g?at=10:30");
  CHECK(meaning("mailto:x") == "refused");
  CHECK(meaning("g h") == "refused");
}

TEST_CASE("the same origin is scheme, host and port", "[http_client]") {
  const auto same = [](std::string_view a, std::string_view b) {
    return HttpUrl::Parse(a)->SameOrigin(*HttpUrl::Parse(b));
  };
  CHECK(same("http://a/x", "http://A:80/y?z"));
  CHECK_FALSE(same("http://a/", "https://a/"));
  CHECK_FALSE(same("http://a/", "http://a:81/"));
  CHECK_FALSE(same("http://a/", "http://a.b/"));
  CHECK_FALSE(same("http://a:443/", "https://a/"));
}

TEST_CASE("a query parameter is added, or takes the place of the one there", "[http_client]") {
  CHECK(WithQuery("http://a", "c", "1") == "http://a?c=1");
  CHECK(WithQuery("http://a/x?b=2", "c", "a b&c=d/é") == "http://a/x?b=2&c=a%20b%26c%3Dd%2F%C3%A9");
  CHECK(WithQuery("http://a/?c=1&b=2&c=3&cc=4", "c", "5") == "http://a/?b=2&cc=4&c=5");
  CHECK(WithQuery("http://a/?c#top", "c", "") == "http://a/?c=");
  CHECK(WithQuery("http://a/?", "c", "1") == "http://a/?c=1");
  CHECK(WithQuery("http://a/?z=%20&&y=a%2Fb&=&t=abc==", "c", "1") ==
        "http://a/?z=%20&&y=a%2Fb&=&t=abc==&c=1");
  CHECK(WithQuery("http://a/?page%5Bafter%5D=1", "page[after]", "2") ==
        "http://a/?page%5Bafter%5D=2");
}

std::optional<milliseconds> Wait(const std::string& retry_after) {
  HttpReply reply;
  reply.headers = {{"X", "y"}, {"retry-after", retry_after}};
  return reply.RetryAfter();
}

std::string DateIn(std::time_t from_now, const char* form) {
  const std::time_t when = std::time(nullptr) + from_now;
  tm parts{};
  gmtime_r(&when, &parts);
  char text[100];
  return {text, std::strftime(text, sizeof text, form, &parts)};
}

TEST_CASE("Retry-After is seconds or a date, and at most a day", "[http_client]") {
  CHECK_FALSE(HttpReply().RetryAfter());
  CHECK(Wait("0") == seconds(0));
  CHECK(Wait("120") == seconds(120));
  CHECK(Wait("99999999") == seconds(86'400));
  CHECK(Wait("99999999999999999999999999") == seconds(86'400));
  for (const auto* bad : {"", "-1", "soon", "1.5", "1 s", "Fri, 99 Foo 2020 00:00:00 GMT"}) {
    INFO(bad);
    CHECK_FALSE(Wait(bad));
  }
  for (const auto* form :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    INFO(form);
    const auto wait = Wait(DateIn(1000, form));
    REQUIRE(wait);
    CHECK((*wait > seconds(900) && *wait <= seconds(1000)));
    CHECK(Wait(DateIn(-1000, form)) == seconds(0));
    CHECK(Wait(DateIn(1'000'000, form)) == seconds(86'400));
  }
}

TEST_CASE("what a reply can be validated by goes into the next request", "[http_client]") {
  HttpReply reply;
  reply.headers = {{"etag", "W/\"1\""}, {"last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"}};
  auto validators = HttpValidators::Of(reply);
  HttpHeaders headers;
  validators.AddTo(headers);
  CHECK((headers == HttpHeaders{{"If-None-Match", "W/\"1\""}}));
  validators.etag.clear();
  headers.clear();
  validators.AddTo(headers);
  CHECK((headers == HttpHeaders{{"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"}}));
  reply.headers = {{"ETag", "a\r\nb"}};
  headers.clear();
  HttpValidators::Of(reply).AddTo(headers);
  CHECK(headers.empty());
}

}  // namespace
}  // namespace tower
