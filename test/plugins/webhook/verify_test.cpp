// Every scheme against the vectors that its sender publishes, and against those who guess.
#include "plugins/webhook/verify.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "core/base/encode.h"

namespace tower::webhook {
namespace {

using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Headers = std::vector<std::pair<std::string, std::string_view>>;

Verifier::Clock::time_point At(std::int64_t seconds) {
  return Verifier::Clock::time_point(std::chrono::seconds(seconds));
}

Status Check(const VerifyOptions& options) {
  for (const auto& fits : {options.CheckSecret(), options.CheckUser(), options.CheckHeader()}) {
    if (!fits) return fits;
  }
  return Ok();
}

// A verifier, and a delivery that passes at a time.
struct Case {
  VerifyOptions options;
  Headers headers;
  std::string_view body;
  std::int64_t time = 0;

  bool Passes(std::chrono::seconds later = 0s) const {
    REQUIRE(Check(options));
    const Verifier verifier(options);
    Delivery delivery;
    delivery.headers = headers;
    delivery.body = body;
    const bool passes = verifier.Passes(delivery, At(time) + later);
    if (passes) CHECK(verifier.HeadPasses(delivery, At(time) + later));
    return passes;
  }
  bool HeadPasses() const {
    Delivery delivery;
    delivery.headers = headers;
    return Verifier(options).HeadPasses(delivery, At(time));
  }
  Case With(std::string_view header, std::string_view value) const {
    auto changed = *this;
    for (auto& [name, old] : changed.headers) {
      if (name == header) old = value;
    }
    return changed;
  }
  Case Without(std::string_view header) const {
    auto changed = *this;
    std::erase_if(changed.headers, [&](const auto& entry) { return entry.first == header; });
    return changed;
  }
  Case Again(std::string_view header) const {
    auto changed = *this;
    for (const auto& entry : headers) {
      if (entry.first == header) changed.headers.push_back(entry);
    }
    return changed;
  }
  Case WithSecrets(std::string secrets) const {
    auto changed = *this;
    changed.options.secrets = std::move(secrets);
    return changed;
  }
  Case WithBody(std::string_view other) const {
    auto changed = *this;
    changed.body = other;
    return changed;
  }
};

// docs.github.com, "Validating webhook deliveries".
Case Github() {
  return {{.scheme = "github", .secrets = "It's a Secret to Everybody"},
          {{"x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
          "Hello, World!"};
}

// The test of the reference implementations of Standard Webhooks.
Case Standard() {
  return {{.scheme = "standard-webhooks", .secrets = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
          {{"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
           {"webhook-timestamp", "1614265330"},
           {"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}},
          R"({"test": 2432232314})",
          1614265330};
}

// docs.slack.dev, "Verifying requests from Slack".
Case Slack() {
  return {{.scheme = "slack", .secrets = "8f742231b10e8888abcd99yyyzzz85a5"},
          {{"x-slack-request-timestamp", "1531420618"},
           {"x-slack-signature",
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}},
          "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id="
          "G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command="
          "%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F"
          "T1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015."
          "47445629121.803a0bc887a14d10d2c447fce8b6703c",
          1531420618};
}

// Made by version 17.7.0 of Stripe's own library for Node, generateTestHeaderString.
Case Stripe() {
  return {{.scheme = "stripe", .secrets = "whsec_test_secret"},
          {{"stripe-signature",
            "t=1614265330,v1=42b3d2b2181207b6b299df380bf37599bb895dc182467ba12e046b1916c4cd19"}},
          R"({"id":"evt_1","object":"event"})",
          1614265330};
}

Case Gitlab() {
  return {{.scheme = "gitlab", .secrets = "s3cret, with a comma"},
          {{"x-gitlab-token", "s3cret, with a comma"}},
          "{}"};
}

Case Bearer() {
  return {{.scheme = "bearer", .secrets = "mF_9.B5f-4.1JqM"},  // RFC 6750, section 2.1
          {{"authorization", "Bearer mF_9.B5f-4.1JqM"}},
          "{}"};
}

Case Basic() {  // RFC 7617, section 2
  return {{.scheme = "basic", .secrets = "open sesame", .user = "Aladdin"},
          {{"authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}},
          "{}"};
}

// RFC 4231, test case 2, base64 of its sha-512.
Case Hmac512() {
  return {{.scheme = "hmac",
           .secrets = "Jefe",
           .hmac_header = "X-Sign",
           .hmac_algorithm = "sha512",
           .hmac_encoding = "base64",
           .hmac_prefix = "hmac "},
          {{"x-sign",
            "hmac Fkt6e/z4GeLjlfvnO1bgo4e9ZCIugx/WECcM1+olBVSXWL91wFqZSm0DT2X48Ob9yuqxo01Ka0tj"
            "bgcKOLznNw=="}},
          "what do ya want for nothing?"};
}

std::vector<Case> All() {
  return {Github(), Standard(), Slack(), Stripe(), Gitlab(), Bearer(), Basic(), Hmac512()};
}

TEST_CASE("what senders publish of their schemes passes", "[webhook]") {
  for (const auto& vector : All()) {
    INFO(vector.options.scheme);
    CHECK(vector.Passes());
  }
}

TEST_CASE("another secret, another body or another header does not pass", "[webhook]") {
  for (const auto& vector : All()) {
    INFO(vector.options.scheme);
    const bool standard = vector.options.scheme == "standard-webhooks";
    CHECK_FALSE(
        vector.WithSecrets(standard ? "whsec_AAAAAAAAAAAAAAAAAAAAAAAA" : "another").Passes());
    const bool signs = !vector.options.IsOneOf({"gitlab", "bearer", "basic"});
    const std::string longer = std::string(vector.body) + " ";
    CHECK(vector.WithBody(longer).Passes() != signs);
    CHECK(vector.WithBody({}).Passes() != signs);
    for (const auto& [name, value] : vector.headers) {
      INFO(name);
      CHECK_FALSE(vector.Without(name).Passes());
      CHECK_FALSE(vector.Without(name).HeadPasses());
      CHECK_FALSE(vector.Again(name).Passes());
      CHECK_FALSE(vector.Again(name).HeadPasses());
      CHECK_FALSE(vector.With(name, "").Passes());
      for (std::size_t i = 0; i < value.size(); ++i) {
        std::string shorter(value.substr(0, i));
        CHECK_FALSE(vector.With(name, shorter).Passes());
      }
      const std::string more = std::string(value) + "0";
      CHECK_FALSE(vector.With(name, more).Passes());
    }
  }
}

TEST_CASE("none takes everything, and no other scheme takes anything", "[webhook]") {
  const Case none{{.scheme = "none"}, {}, "{}"};
  CHECK(none.Passes());
  for (auto vector : All()) {
    vector.headers.clear();
    CHECK_FALSE(vector.Passes());
    CHECK_FALSE(vector.HeadPasses());
  }
}

TEST_CASE("while a secret is changed, the old one and the new one are good", "[webhook]") {
  for (const auto& vector : All()) {
    INFO(vector.options.scheme);
    const std::string other =
        vector.options.scheme == "standard-webhooks" ? "AAAAAAAAAAAAAAAAAAAAAAAA" : "another";
    const auto& secret = vector.options.secrets;
    CHECK(vector.WithSecrets(other + "\n" + secret).Passes());
    CHECK(vector.WithSecrets(secret + "\r\n\n" + other + "\n").Passes());
    CHECK_FALSE(vector.WithSecrets(other + "\n" + other).Passes());
  }
}

TEST_CASE("what was signed too long ago, or will have been, does not pass", "[webhook]") {
  for (auto vector : {Standard(), Slack(), Stripe()}) {
    INFO(vector.options.scheme);
    for (const auto late : {300s, -300s}) CHECK(vector.Passes(late));
    for (const auto late : {301s, -301s, 100'000'000s}) CHECK_FALSE(vector.Passes(late));
    vector.options.tolerance = 1s;
    CHECK(vector.Passes(1s));
    CHECK_FALSE(vector.Passes(2s));
  }
}

TEST_CASE("a time must be a number of seconds", "[webhook]") {
  const auto* text =
      GENERATE("", "0", "-1", "+1614265330", " 1614265330", "1614265330.0", "0x60", "16142653300",
               "99999999999", "100000000000", "9223372036854775808", "1614265330\xc2\xb2", "now");
  INFO(text);
  CHECK_FALSE(Standard().With("webhook-timestamp", text).Passes());
  CHECK_FALSE(Slack().With("x-slack-request-timestamp", text).Passes());
}

// The right signature of what was made up, so that the form alone is at fault.
std::string Signed(std::string_view id, std::string_view time, std::string_view body) {
  const auto key = *Base64Decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  return "v1," + Base64Encode(Hmac(DigestKind::kSha256, key, {id, ".", time, ".", body}));
}

TEST_CASE("an id with a dot can't move the border to what follows", "[webhook]") {
  auto vector = Standard();
  const auto signature = Signed("msg", "1614265330", "1614265331.{}");
  vector = vector.With("webhook-signature", signature).With("webhook-id", "msg");
  CHECK(vector.WithBody("1614265331.{}").Passes());
  // The very same bytes, cut elsewhere.
  const auto moved = vector.With("webhook-id", "msg.1614265330")
                         .With("webhook-timestamp", "1614265331")
                         .WithBody("{}");
  CHECK_FALSE(moved.Passes());
  CHECK_FALSE(moved.HeadPasses());
}

TEST_CASE("of several signatures one must be right, and be of a known version", "[webhook]") {
  const auto vector = Standard();
  const std::string right(vector.headers[2].second);
  const std::string wrong = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  for (const auto& good : {wrong + " " + right, right + " " + wrong, "v1a,AAAA " + right,
                           "v2,x v1,!! " + right, right + " "}) {
    INFO(good);
    CHECK(vector.With("webhook-signature", good).Passes());
  }
  const auto digest = right.substr(3);
  for (const auto& bad : {wrong, "v2," + digest, "v1a," + digest, digest, "V1," + digest,
                          "v1=" + digest, "v1, " + digest, "v1," + right, std::string("v1,")}) {
    INFO(bad);
    CHECK_FALSE(vector.With("webhook-signature", bad).Passes());
  }
}

TEST_CASE("svix's own names of the headers are as good, but are not mixed", "[webhook]") {
  auto svix = Standard();
  svix.headers = {{"svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"},
                  {"svix-timestamp", "1614265330"},
                  {"svix-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}};
  CHECK(svix.Passes());
  svix.headers.emplace_back("webhook-id", "another");
  CHECK_FALSE(svix.Passes());
}

TEST_CASE("stripe's header is taken apart strictly", "[webhook]") {
  const auto vector = Stripe();
  const std::string right(vector.headers[0].second);  // t=1614265330,v1=…
  const auto mac = right.substr(right.find("v1="));
  const std::string wrong = "v1=" + std::string(64, '0');
  for (const auto& good : {"t=1614265330," + wrong + "," + mac, mac + ",t=1614265330",
                           "t=1614265330,v0=00," + mac, "t=1614265330,v1=zz," + mac}) {
    INFO(good);
    CHECK(vector.With("stripe-signature", good).Passes());
  }
  for (const auto& bad :
       {"t=1614265330," + wrong, mac, "t=1614265330,t=1614265330," + mac, "t=1614265331," + mac,
        "t=1614265330,v0=" + mac.substr(3), "t=1614265330;" + mac, "t=1614265330, " + mac}) {
    INFO(bad);
    CHECK_FALSE(vector.With("stripe-signature", bad).Passes());
  }
}

TEST_CASE("a signature is read as it was declared, and no other way", "[webhook]") {
  const auto github = Github();
  const std::string digest(github.headers[0].second.substr(7));
  const auto upper = "sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17";
  CHECK(github.With("x-hub-signature-256", upper).Passes());
  for (const auto& bad :
       {digest, "sha1=" + digest, "SHA256=" + digest, "sha256:" + digest, "sha256= " + digest,
        "sha256=" + Base64Encode(*HexDecode(digest)), "sha256=" + digest + digest,
        "sha256=" + std::string(64, '0'), std::string("sha256=")}) {
    INFO(bad);
    CHECK_FALSE(github.With("x-hub-signature-256", bad).Passes());
  }
  auto plain = Hmac512();
  plain.options.hmac_encoding = "hex";
  CHECK_FALSE(plain.Passes());
  plain = Hmac512();
  plain.options.hmac_algorithm = "sha256";
  CHECK_FALSE(plain.Passes());
}

TEST_CASE("tokens are of their scheme, whole, and in one case", "[webhook]") {
  for (const auto* bad : {"mF_9.B5f-4.1JqM", "Bearer  mF_9.B5f-4.1JqM", "Bearer mf_9.b5f-4.1jqm",
                          "Basic mF_9.B5f-4.1JqM", "Bearer nothing", "Bearer", "Bearer ",
                          "BearermF_9.B5f-4.1JqM", "Bearer mF_9.B5f-4.1JqM, Bearer x"}) {
    INFO(bad);
    CHECK_FALSE(Bearer().With("authorization", bad).Passes());
  }
  CHECK(Bearer().With("authorization", "bearer mF_9.B5f-4.1JqM").Passes());
  CHECK(Basic().With("authorization", "BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ==").Passes());
  for (const auto* user : {"Aladdin:", "Aladdin", ":open sesame", "aladdin:open sesame",
                           "Aladdin:Open sesame", "open sesame:Aladdin"}) {
    INFO(user);
    const auto header = "Basic " + Base64Encode(user);
    CHECK_FALSE(Basic().With("authorization", header).Passes());
  }
  CHECK_FALSE(Basic().With("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ").Passes());
}

TEST_CASE("options that can't verify are refused, without showing a secret", "[webhook]") {
  const auto why = [](const VerifyOptions& options) {
    const auto checked = Check(options);
    return checked ? std::string() : checked.error().message;
  };
  CHECK_THAT(why({.scheme = "none", .secrets = "x"}), ContainsSubstring("does not use secret"));
  for (const auto& vector : All()) {
    CHECK_THAT(why(vector.WithSecrets("").options), ContainsSubstring("needs secret"));
    CHECK_THAT(why(vector.WithSecrets("\r\n\n").options), ContainsSubstring("needs secret"));
  }
  CHECK_THAT(why({.scheme = "basic", .secrets = "x"}), ContainsSubstring("needs user"));
  CHECK_THAT(why({.scheme = "basic", .secrets = "x", .user = "a:b"}),
             ContainsSubstring("needs user"));
  CHECK_THAT(why({.scheme = "hmac", .secrets = "x"}), ContainsSubstring("hmac-header"));
  CHECK_THAT(why({.scheme = "hmac", .secrets = "x", .hmac_header = "a b"}),
             ContainsSubstring("hmac-header"));
  for (const auto* bad : {"hunter2", "whsec_", "whsec_hunter2", "whsec_AAAAAAAAAAAAAAAAAAAA",
                          "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw="}) {
    const auto message =
        why(Standard().WithSecrets(std::string("AAAAAAAAAAAAAAAAAAAAAAAA\n") + bad).options);
    CHECK_THAT(message, ContainsSubstring("line 2") && !ContainsSubstring("hunter2"));
  }
}

}  // namespace
}  // namespace tower::webhook
