#include "core/amqp/url.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

namespace tower {
namespace {

AmqpUrl Parsed(std::string_view text) {
  auto url = ParseAmqpUrl(text);
  INFO(text << ": " << (url ? "" : url.error().message));
  REQUIRE(url);
  return *url;
}

TEST_CASE("an AMQP URL in full gives every part, percent-decoded", "[amqp_url]") {
  const AmqpUrl url = Parsed("amqps://us%65r:p%40ss%2F%3a@broker.example:1234/lab%2Fone");
  CHECK(url.tls);
  CHECK(url.has_user);
  CHECK(url.user == "user");
  CHECK(url.password == "p@ss/:");
  CHECK(url.host == "broker.example");
  CHECK(url.port == 1234);
  CHECK(url.vhost == "lab/one");
  CHECK(url.Address() == "amqps://broker.example:1234/lab%2Fone");
}

TEST_CASE("an AMQP URL that leaves parts out gets RabbitMQ's defaults", "[amqp_url]") {
  const AmqpUrl plain = Parsed("amqp://broker");
  CHECK(plain.port == 5672);
  CHECK_FALSE(plain.has_user);
  CHECK(plain.user == "guest");
  CHECK(plain.password == "guest");
  CHECK(plain.vhost == "/");
  CHECK(Parsed("AMQPS://broker").port == 5671);
  CHECK(Parsed("amqp://lab@broker").password.empty());
}

TEST_CASE("the vhost follows RabbitMQ's URI specification", "[amqp_url]") {
  CHECK(Parsed("amqp://h").vhost == "/");
  CHECK(Parsed("amqp://h/%2f").vhost == "/");
  CHECK(Parsed("amqp://h/").vhost.empty());
  CHECK(Parsed("amqp://h:1/v%C3%A9").vhost == "v\xC3\xA9");
}

TEST_CASE("an IPv6 address stands in brackets, in the address too", "[amqp_url]") {
  const AmqpUrl url = Parsed("amqp://u:p@[2001:db8::1]:99/v");
  CHECK(url.host == "2001:db8::1");
  CHECK(url.port == 99);
  CHECK(url.Address() == "amqp://[2001:db8::1]:99/v");
  CHECK(Parsed("amqp://[::1]").port == 5672);
}

TEST_CASE("a password may hold a raw '@' or ':'", "[amqp_url]") {
  const AmqpUrl url = Parsed("amqp://u:a@b:c@h/v");
  CHECK(url.password == "a@b:c");
  CHECK(url.host == "h");
}

TEST_CASE("a faulty AMQP URL is refused without repeating its text", "[amqp_url]") {
  for (const std::string text : {"",
                                 "hunter2",
                                 "broker:5672",
                                 "http://u:hunter2@h",
                                 "amqp://",
                                 "amqp://u:hunter2@",
                                 "amqp://u:hunter2@h:",
                                 "amqp://u:hunter2@h:0",
                                 "amqp://u:hunter2@h:65536",
                                 "amqp://u:hunter2@h:12x",
                                 "amqp://u:hunter2@h:-1",
                                 "amqp://u:hunter2%@h",
                                 "amqp://u:hunter2%4@h",
                                 "amqp://u:hunter2%zz@h",
                                 "amqp://u:hunter2%00@h",
                                 "amqp://:hunter2@h",
                                 "amqp://u:hunter2@h/a/b",
                                 "amqp://u:hunter2@h/a%",
                                 "amqp://u:hunter2@[::1",
                                 "amqp://u:hunter2@[::1]5672",
                                 "amqp://u:hunter2@h/v?heartbeat=1",
                                 "amqp://u:hunter2#x@h",
                                 "amqp://u:hunter2@h h",
                                 "amqp://u:hunter2/x@h"}) {
    INFO(text);
    Status checked = CheckAmqpUrl(text);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == ErrorCode::kInvalid);
    CHECK(checked.error().message.find("hunter2") == std::string::npos);
    CHECK(RedactAmqpUrl(text) == "amqp://***");
  }
}

TEST_CASE("the shown form of an AMQP URL has neither user nor password", "[amqp_url]") {
  CHECK(RedactAmqpUrl("amqp://lab:hunter2@h") == "amqp://h:5672/%2F");
  CHECK_FALSE(CheckAmqpUrl("amqp://h/" + std::string(256, 'v')));
}

}  // namespace
}  // namespace tower
