// The consumer against a peer that sends what it likes.
#include "core/amqp/consumer.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/json/json.h"
#include "test/support/eventually.h"
#include "test/support/fake_amqp_peer.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using std::chrono::milliseconds;
using std::chrono::seconds;
namespace m = amqp_method;

constexpr std::uint32_t kSmallFrames = 4096;
const std::string kConsumeOk = AmqpMethodBytes(1, m::kConsumeOk, AmqpText("consumer"));

// Sends the bytes once the client consumes.
PeerScript Sends(const std::string& bytes) {
  PeerScript script;
  script.on_method = [=](PeerSession& session, std::uint32_t method) {
    if (method != m::kConsume) return false;
    session.Send(kConsumeOk + bytes);
    return true;
  };
  return script;
}

PeerScript Refuses(std::uint32_t refused, int code, const std::string& text) {
  PeerScript script;
  script.on_method = [=](PeerSession& session, std::uint32_t method) {
    if (method != refused) return false;
    session.CloseChannel(code, text);
    return true;
  };
  return script;
}

struct Line {
  explicit Line(PeerScript script, const std::function<void(AmqpConsumerOptions&)>& change = {})
      : peer({std::move(script)}) {
    AmqpConsumerOptions options;
    options.urls = {peer.Url()};
    options.queue = "jobs";
    options.timeout = seconds(20);
    options.max_body = 100'000;
    options.prefix = "plugin.x.";
    if (change) change(options);
    consumer = std::make_unique<AmqpConsumer>(options);
  }
  Status Open() { return consumer->Open({}); }
  // Waits for so many messages, or an error.
  Status Await(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(60);
    while (got.size() < count && std::chrono::steady_clock::now() < deadline) {
      if (Status s = consumer->Wait(milliseconds(500), -1, got); !s) return s;
    }
    return Ok();
  }
  // The arguments of each method of that kind.
  std::vector<std::string> Asked(std::uint32_t method) const {
    std::vector<std::string> asked;
    for (const auto& one : peer.methods()) {
      if (one.method == method) asked.push_back(one.arguments);
    }
    return asked;
  }

  FakeAmqpPeer peer;
  std::unique_ptr<AmqpConsumer> consumer;
  std::deque<AmqpDelivery> got;
};

std::string Table(const std::string& entries) { return AmqpNumber(entries.size(), 4) + entries; }
std::string Long(const std::string& text) { return AmqpNumber(text.size(), 4) + text; }

TEST_CASE("messages of any size arrive whole and in order", "[amqp_consumer]") {
  PeerScript script;
  std::string bytes;
  std::vector<std::string> bodies;
  for (const std::size_t size : {0U, 1U, 4087U, 4088U, 4089U, 8176U, 100'000U, 100'001U, 7U}) {
    std::string body(size, '\0');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 31 + size);
    bytes += AmqpDeliverBytes(
        {.tag = bodies.size() + 1, .exchange = "e", .routing_key = "k", .body = body},
        kSmallFrames);
    bodies.push_back(std::move(body));
  }
  SECTION("at once") { script = Sends(bytes); }
  SECTION("byte by byte") {
    script = Sends(bytes);
    script.byte_by_byte = true;
  }
  script.frame_max = kSmallFrames;
  Line line(script);
  REQUIRE(line.Open());
  REQUIRE(line.Await(bodies.size()));
  REQUIRE(line.got.size() == bodies.size());
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    CHECK(line.got[i].tag == i + 1);
    CHECK(line.got[i].size == bodies[i].size());
    CHECK((line.got[i].body == (bodies[i].size() > 100'000 ? std::string() : bodies[i])));
    CHECK(line.got[i].exchange + line.got[i].routing_key == "ek");
    CHECK_FALSE(line.got[i].timestamp);
    CHECK(line.got[i].headers == "{}");
  }
  line.consumer->Close();
  CHECK(line.peer.faults().empty());
}

TEST_CASE("properties and headers of every type are read", "[amqp_consumer]") {
  const auto entry = [](const std::string& name, const std::string& value) {
    return AmqpText(name) + value;
  };
  const std::string real32("\x3F\x40\x00\x00", 4);
  const std::string real64("\x3F\xF0\x00\x00\x00\x00\x00\x00", 8);
  const std::string nan64("\x7F\xF8\x00\x00\x00\x00\x00\x00", 8);
  const std::string headers =
      entry("yes", "t" + AmqpNumber(1, 1)) + entry("i8", "b\xFF") + entry("u8", "B\xFF") +
      entry("i16", "s\xFF\xFE") + entry("u16", "u\xFF\xFE") + entry("i32", "I\xFF\xFF\xFF\xFD") +
      entry("u32", "i\xFF\xFF\xFF\xFD") + entry("i64", "l" + AmqpNumber(~std::uint64_t{0}, 8)) +
      entry("time", "T" + AmqpNumber(1'700'000'000, 8)) + entry("f32", "f" + real32) +
      entry("f64", "d" + real64) + entry("nan", "d" + nan64) +
      entry("decimal", "D" + AmqpNumber(2, 1) + AmqpNumber(314, 4)) +
      entry("debt", "D" + AmqpNumber(1, 1) + "\xFF\xFF\xFF\xFD") + entry("void", "V") +
      entry("text", "S" + Long("a\"b\n")) + entry("bytes", "x" + Long("\xFF")) +
      entry("table", "F" + Table(entry("in", "t" + AmqpNumber(0, 1)))) +
      entry("array", "A" + Long("V" + ("S" + Long("x")))) + entry("text", "S" + Long("again"));
  // content_type, headers, reply_to, message_id, timestamp, type, app_id
  const std::string properties =
      AmqpNumber(0x8000 | 0x2000 | 0x0200 | 0x80 | 0x40 | 0x20 | 0x08, 2) +
      AmqpText("application/json") + Table(headers) + AmqpText("answers") + AmqpText("id-1") +
      AmqpNumber(7, 8) + AmqpText("Kind") + AmqpText("sensor");
  Line line(Sends(AmqpDeliverBytes({.redelivered = true, .properties = properties, .body = "x"})));
  REQUIRE(line.Open());
  REQUIRE(line.Await(1));
  const auto& got = line.got.at(0);
  CHECK(got.redelivered);
  CHECK(got.content_type == "application/json");
  CHECK(got.reply_to == "answers");
  CHECK(got.message_id == "id-1");
  CHECK(got.timestamp == 7);
  CHECK(got.type == "Kind");
  CHECK(got.app_id == "sensor");
  CHECK(
      got.headers ==
      R"({"yes":true,"i8":-1,"u8":255,"i16":-2,"u16":65534,"i32":-3,"u32":4294967293,"i64":-1,)"
      R"("time":1700000000,"f32":0.75,"f64":1,"nan":null,"decimal":314e-2,"debt":-3e-1,"void":null,)"
      R"("text":"a\"b\n","bytes":")"
      "\xEF\xBF\xBD"
      R"(","table":{"in":false},"array":[null,"x"]})");
  JsonTape tape;
  CHECK(tape.Read(got.headers));
}

TEST_CASE("headers nested as deep as a frame allows do no harm", "[amqp_consumer]") {
  // Nothing in an array in an array, or in a table in a table.
  const bool tables = GENERATE(true, false);
  const std::string name = tables ? AmqpText("") : "";
  const std::size_t level = 1 + 4 + name.size();
  std::string nested;
  for (std::size_t inner = 130'000 / level * level; inner > 0; inner -= level) {
    nested += (tables ? "F" : "A") + AmqpNumber(inner - level + name.size() + 1, 4) + name;
  }
  nested += "V";
  const std::string properties = AmqpNumber(0x2000, 2) + Table(AmqpText("deep") + nested);
  Line line(Sends(AmqpDeliverBytes({.properties = properties, .body = "x"})));
  // As long a stack as a watcher's thread has.
  Status awaited = Ok();
  std::thread([&] {
    awaited = line.Open();
    if (awaited) awaited = line.Await(1);
  }).join();
  // rabbitmq-c takes any depth up to 0.13, and a hundred levels since then.
  if (!awaited) {
    CHECK(awaited.error().code == ErrorCode::kUnavailable);
    CHECK_THAT(awaited.error().message, ContainsSubstring("broker"));
    return;
  }
  REQUIRE(line.got.size() == 1);
  JsonTape tape;
  CHECK(tape.Read(line.got.at(0).headers));
  CHECK_THAT(line.got.at(0).headers, ContainsSubstring("null"));
}

TEST_CASE("the queue is checked, bound and consumed as the options say", "[amqp_consumer]") {
  const bool declare = GENERATE(true, false);
  Line line({}, [&](AmqpConsumerOptions& options) {
    options.declare = declare;
    options.exchange = "amq.topic";
    options.keys = {"a.#", "b"};
    options.prefetch = 300;
  });
  REQUIRE(line.Open());
  const auto asked = line.Asked(m::kQueueDeclare);
  REQUIRE(asked.size() == 1);
  AmqpReader reader(asked[0]);
  reader.Take(2);
  CHECK(reader.Text() == "jobs");
  CHECK(reader.Number(1) == (declare ? 2 : 3));  // durable, and with bit 0 passive
  CHECK_THAT(asked[0], ContainsSubstring("x-queue-type") && ContainsSubstring("quorum"));
  const auto bound = line.Asked(m::kQueueBind);
  REQUIRE(bound.size() == 2);
  CHECK_THAT(bound[0],
             ContainsSubstring(AmqpText("jobs") + AmqpText("amq.topic") + AmqpText("a.#")));
  CHECK_THAT(bound[1], ContainsSubstring(AmqpText("b")));
  CHECK(line.Asked(m::kQos) ==
        std::vector{AmqpNumber(0, 4) + AmqpNumber(300, 2) + AmqpNumber(0, 1)});
  CHECK(line.Asked(m::kConsume) == std::vector{AmqpNumber(0, 2) + AmqpText("jobs") + AmqpText("") +
                                               AmqpNumber(0, 1) + AmqpNumber(0, 4)});
  CHECK(line.Asked(m::kConfirmSelect).empty());
}

TEST_CASE("what was acked and rejected is told before the connection closes", "[amqp_consumer]") {
  std::string bytes;
  for (std::uint64_t tag = 1; tag <= 4; ++tag) bytes += AmqpDeliverBytes({.tag = tag, .body = "x"});
  Line line(Sends(bytes));
  REQUIRE(line.Open());
  REQUIRE(line.Await(4));
  REQUIRE(line.consumer->Ack(2, true));
  REQUIRE(line.consumer->Reject(3));
  REQUIRE(line.consumer->Ack(4, false));
  line.consumer->Close();
  CHECK(line.Asked(m::kAck) ==
        std::vector{AmqpNumber(2, 8) + AmqpNumber(1, 1), AmqpNumber(4, 8) + AmqpNumber(0, 1)});
  CHECK(line.Asked(m::kReject) == std::vector{AmqpNumber(3, 8) + AmqpNumber(0, 1)});
  CHECK(line.peer.faults().empty());
}

TEST_CASE("a queue that is deleted ends the consumer", "[amqp_consumer]") {
  Line line(Sends(AmqpDeliverBytes({.body = "x"}) +
                  AmqpMethodBytes(1, m::kCancel, AmqpText("consumer") + AmqpNumber(1, 1))));
  REQUIRE(line.Open());
  const Status ended = line.Await(2);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ErrorCode::kUnavailable);
  CHECK_THAT(ended.error().message,
             ContainsSubstring("queue 'jobs'") && ContainsSubstring("deleted"));
  line.consumer->Close();
  line.got.clear();
  REQUIRE(line.Open());  // the next connection behaves well
  CHECK(line.consumer->Wait(milliseconds(0), -1, line.got));
}

TEST_CASE("what the broker refuses is told with what to do", "[amqp_consumer]") {
  const auto refused = [](PeerScript script, bool declare) {
    Line line(std::move(script), [&](AmqpConsumerOptions& options) {
      options.declare = declare;
      options.exchange = "amq.topic";
      options.keys = {"a"};
    });
    const Status opened = line.Open();
    return opened ? Error{ErrorCode::kInvalid, "opened"} : opened.error();
  };
  auto error = refused(Refuses(m::kQueueDeclare, 404, "no queue"), false);
  CHECK(error.code == ErrorCode::kUnavailable);  // someone may make it
  CHECK_THAT(error.message, ContainsSubstring("queue 'jobs': no queue (create") &&
                                ContainsSubstring("plugin.x.declare=true"));
  error = refused(Refuses(m::kQueueDeclare, 406, "inequivalent"), true);
  CHECK(error.code == ErrorCode::kPermanent);
  CHECK_THAT(error.message, ContainsSubstring("plugin.x.declare=false"));
  error = refused(Refuses(m::kQueueBind, 404, "no exchange"), true);
  CHECK(error.code == ErrorCode::kUnavailable);
  CHECK_THAT(error.message,
             ContainsSubstring("exchange 'amq.topic'") && !ContainsSubstring("declare"));
  error = refused(Refuses(m::kConsume, 403, "refused"), false);
  CHECK(error.code == ErrorCode::kPermanent);
  CHECK_THAT(error.message, ContainsSubstring("plugin.x.url"));
  error = refused(Refuses(m::kConsume, 403, "queue 'jobs' in vhost '/' in exclusive use"), false);
  CHECK(error.code == ErrorCode::kUnavailable);  // that consumer may go
  CHECK_THAT(error.message, ContainsSubstring("stop that one"));
  error = refused(Refuses(m::kQueueBind, 404, "no exchange"), false);
  CHECK_THAT(error.message, !ContainsSubstring("declare"));
  error = refused(Refuses(m::kConsume, 405, "locked"), false);
  CHECK(error.code == ErrorCode::kUnavailable);
}

TEST_CASE("frames out of order end the connection", "[amqp_consumer]") {
  const std::string whole = AmqpDeliverBytes({.body = "abc"});
  const std::string deliver = AmqpDeliverBytes({});
  const std::string header = AmqpFrameBytes(
      2, 1, AmqpNumber(60, 2) + AmqpNumber(0, 2) + AmqpNumber(3, 8) + AmqpNumber(0, 2));
  const std::string method = whole.substr(0, whole.find(header));
  REQUIRE(method.size() < whole.size());
  std::string bytes;
  SECTION("a header of nothing") { bytes = header; }
  SECTION("a body of nothing") { bytes = AmqpFrameBytes(3, 1, "abc"); }
  SECTION("a body before its header") { bytes = method + AmqpFrameBytes(3, 1, "abc"); }
  SECTION("two headers") { bytes = method + header + header; }
  SECTION("a message within another") { bytes = method + header + whole; }
  SECTION("more than was announced") { bytes = method + header + AmqpFrameBytes(3, 1, "abcd"); }
  Line line(Sends(bytes));
  Status ended = line.Open();  // they may come together with the answer
  if (ended) ended = line.Await(1);
  REQUIRE_FALSE(ended);
  CHECK_THAT(ended.error().message, ContainsSubstring("out of order"));
  CHECK(line.got.empty());
}

TEST_CASE("a channel that the broker closes is an error with its words", "[amqp_consumer]") {
  PeerScript script;
  script.on_method = [](PeerSession& session, std::uint32_t method) {
    if (method != m::kConsume) return false;
    session.Send(kConsumeOk + AmqpDeliverBytes({.body = "x"}));
    session.CloseChannel(406, "delivery acknowledgement timed out");
    return true;
  };
  Line line(script);
  Status ended = line.Open();  // both may come together with the answer
  if (ended) ended = line.Await(2);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ErrorCode::kUnavailable);
  CHECK_THAT(ended.error().message, ContainsSubstring("acknowledgement timed out"));
}

TEST_CASE("a stop interrupts an answer that does not come", "[amqp_consumer]") {
  const std::uint32_t silent = GENERATE(m::kStartOk, m::kQueueDeclare, m::kConsume);
  std::atomic<bool> asked{false};
  PeerScript script;
  script.on_method = [&](PeerSession&, std::uint32_t method) {
    if (method == silent) asked = true;
    return method == silent;
  };
  Line line(script);
  std::stop_source stop;
  std::jthread stopper([&] {
    Eventually([&] { return asked.load(); });
    stop.request_stop();
  });
  const auto began = std::chrono::steady_clock::now();
  const Status opened = line.consumer->Open(stop.get_token());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::kStopped);
  CHECK(std::chrono::steady_clock::now() - began < seconds(10));  // the timeout is 20 s
}

TEST_CASE("a peer that falls silent is given up", "[amqp_consumer]") {
  PeerScript script;
  script.on_method = [](PeerSession& session, std::uint32_t method) {
    if (method != m::kConsume) return false;
    session.Send(kConsumeOk);
    session.Freeze(true);
    return true;
  };
  Line line(script, [](AmqpConsumerOptions& options) { options.heartbeat = seconds(1); });
  REQUIRE(line.Open());
  const Status ended = line.Await(1);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ErrorCode::kTimeout);
}

TEST_CASE("options that cannot be are named", "[amqp_consumer]") {
  const auto fault = [](const std::function<void(AmqpConsumerOptions&)>& change) {
    AmqpConsumerOptions options;
    options.queue = "q";
    options.prefix.clear();
    change(options);
    Status checked = CheckAmqpServers(options);
    if (checked) checked = CheckAmqpConsumerOptions(options);
    return checked ? std::string() : checked.error().message;
  };
  CHECK(fault([](auto&) {}).empty());
  CHECK(fault([](auto& o) { o.exchange = "x"; }) == "exchange and bind belong together");
  CHECK(fault([](auto& o) { o.keys = {"x"}; }) == "exchange and bind belong together");
  CHECK(fault([](auto& o) { o.queue.assign(256, 'q'); }) == "queue: at most 255 bytes");
  CHECK(fault([](auto& o) { o.key = "k"; }) == "cert and key belong together");
  CHECK_THAT(fault([](auto& o) { o.urls = {"amqp://u:secret@:1"}; }),
             ContainsSubstring("url: ") && !ContainsSubstring("secret"));
}

}  // namespace
}  // namespace tower
