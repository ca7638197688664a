// The publisher against a peer that breaks the connection in every way a network or a broker can.
#include "test/support/wire.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "test/support/eventually.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
namespace m = amqp_method;

// The shortest frames that AMQP allows to agree on.
constexpr std::uint32_t kSmallFrames = 4096;

PeerScript CutAt(std::size_t bytes, std::function<void(PeerSession&)> cut) {
  PeerScript script;
  script.cut_at = bytes;
  script.cut = std::move(cut);
  return script;
}

PeerScript OnMethod(std::uint32_t method, const std::function<void(PeerSession&)>& act) {
  PeerScript script;
  script.on_method = [=](PeerSession& session, std::uint32_t came) {
    if (came == method) act(session);
    return came == method;
  };
  return script;
}

PeerScript Instead(std::uint32_t method, const std::string& bytes) {
  return OnMethod(method, [=](PeerSession& session) { session.Send(bytes); });
}

TEST_CASE("bodies that fill their frames exactly, or all but, are whole", "[wire]") {
  PeerScript script;
  script.frame_max = kSmallFrames;
  Wire wire({script});
  for (const std::size_t frames : {1U, 2U, 3U, 16U}) {
    const std::size_t full = frames * (kSmallFrames - 8);
    for (const std::size_t size : {full - 1, full, full + 1}) wire.Put(1, size);
  }
  wire.Start();
  CHECK(wire.Finish().repeats == 0);
  const auto messages = wire.peer().messages();
  REQUIRE(messages.size() == 12);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const auto record = wire.queue().Find(wire.uuids()[i]);
    REQUIRE(record);
    CHECK((messages[i].body == record->trigger.body));
    CHECK(messages[i].body.size() % (kSmallFrames - 8) ==
          std::vector<std::size_t>{kSmallFrames - 9, 0, 1}[i % 3]);
  }
}

TEST_CASE("a peer that answers byte by byte is understood", "[wire]") {
  PeerScript script;
  script.byte_by_byte = true;
  script.on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag % 5 == 0) session.Return(message.tag);
    session.Ack(message.tag);
  };
  Wire wire({script});
  wire.Put(50);
  wire.Start();
  const Balance balance = wire.Finish();
  CHECK(balance.repeats == 0);
  CHECK(balance.undeliverable == 10);
  CHECK(wire.peer().connections() == 1);
}

TEST_CASE("a peer that hangs up without a word, anywhere in a message, loses nothing", "[wire]") {
  const bool reset = GENERATE(false, true);
  std::vector<PeerScript> scripts;
  // Within the method, its header, the body, between two messages, in the middle of many.
  for (const std::size_t bytes : {1U, 7U, 20U, 60U, 150U, 230U, 3'000U, 70'000U, 200'000U}) {
    scripts.push_back(CutAt(bytes, [=](PeerSession& session) { session.HangUp(reset); }));
  }
  const std::size_t faults = scripts.size();
  Wire wire(std::move(scripts));
  wire.Put(20);
  wire.Put(3, 300'000);
  wire.Put(500);
  wire.Start();
  wire.Finish();
  CHECK(wire.peer().connections() == faults + 1);
}

TEST_CASE("a peer that hangs up before, within or after a confirm loses nothing", "[wire]") {
  std::vector<PeerScript> scripts(4);
  scripts[0].on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag == 30) session.HangUp();  // had them all, confirmed none
  };
  scripts[1].on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag < 10) return session.Ack(message.tag);
    session.Send(AmqpAck(message.tag, true).substr(0, 12));  // not stored, and not to be believed
    session.HangUp();
  };
  scripts[2].on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag < 10) return;
    session.Ack(message.tag, true);  // most likely heard, all the same
    session.HangUp();
  };
  scripts[3].on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag == 5) session.Return(message.tag);
    if (message.tag == 6) session.HangUp();  // its confirm never came
  };
  Wire wire(std::move(scripts));
  wire.Put(100);
  wire.Start();
  const Balance balance = wire.Finish();
  CHECK(balance.undeliverable == 0);
  CHECK(wire.peer().connections() == 5);
}

// Within the silence that is allowed without heartbeats, which is half a minute.
constexpr seconds kSoon{25};

TEST_CASE("a peer that freezes while it is sent to is left within two heartbeats", "[wire]") {
  // Silent; or with heartbeats that go on, so that only the bytes it does not take give it away.
  const bool silent = GENERATE(true, false);
  const std::size_t bytes = GENERATE(100U, 500'000U);
  Wire wire({CutAt(bytes, [=](PeerSession& session) { session.Freeze(silent); })},
            {.heartbeat = seconds(1)});
  wire.Put(10, 800'000);
  wire.Start();
  CHECK(Eventually([&] { return wire.peer().connections() == 2; }, kSoon));
  wire.Finish();
}

TEST_CASE("a peer that falls silent while nothing is sent is left within two heartbeats",
          "[wire]") {
  PeerScript script;
  script.on_message = [](PeerSession& session, const PeerMessage& message) {
    session.Ack(message.tag);
    session.Freeze(true);
  };
  Wire wire({script}, {.heartbeat = seconds(1)});
  wire.Put(1);
  wire.Start();
  CHECK(Eventually([&] { return wire.peer().connections() == 2; }, kSoon));
  wire.Put(3);
  wire.Finish();
}

TEST_CASE("a frozen peer does not hold up a stop", "[wire]") {
  Wire wire({CutAt(100, [](PeerSession& session) { session.Freeze(false); })});
  wire.Put(10, 800'000);
  wire.Start();
  REQUIRE(Eventually([&] { return wire.publisher().State().connected; }));
  wire.publisher().Stop(milliseconds(100));
  CHECK_FALSE(wire.publisher().State().connected);
  CHECK(wire.queue().Stats().depth == 10);
}

TEST_CASE("whatever a peer sends that is not AMQP ends the connection, and nothing is lost",
          "[wire]") {
  const std::string header(12, '\0');
  const std::vector<std::string> rubbish = {
      "HTTP/1.1 400 Bad Request\r\n\r\n",
      std::string("AMQP\0\0\x09\x00", 8),
      std::string(3000, '\xFF'),
      std::string(3000, '\0'),
      AmqpFrameBytes(1, 1, "\x01"),                              // no room for a method
      AmqpFrameBytes(1, 1, AmqpNumber(m::kAck, 4)),              // without its arguments
      AmqpFrameBytes(1, 1, AmqpNumber(m::kAck, 4) + "\x01"),     // with half of them
      AmqpFrameBytes(1, 1, AmqpNumber(0x003C00FF, 4) + "\x01"),  // no such method
      AmqpFrameBytes(2, 1, "\x3C"),                              // no room for a header
      AmqpFrameBytes(2, 1, header),                              // of no message
      AmqpFrameBytes(3, 1, "body"),                              // the same
      AmqpAck(1, false).substr(0, 20) + "\x01",                  // no frame's end
      AmqpNumber(1, 1) + AmqpNumber(1, 2) + AmqpNumber(0xFFFFFFFF, 4) + "x",  // 4 GiB
      AmqpNumber(1, 1) + AmqpNumber(1, 2) + AmqpNumber(200'000, 4) + "x",     // more than agreed
      AmqpMethodBytes(1, m::kReturn,
                      AmqpNumber(312, 2) + AmqpText("NO_ROUTE") + AmqpText("e") + AmqpText("k")) +
          AmqpFrameBytes(3, 1, "a body before its header"),
      AmqpMethodBytes(1, m::kReturn, AmqpNumber(312, 2) + "\xFFtext that ends too early"),
      AmqpAck(3, true, 2),  // on a channel that is not open
      AmqpMethodBytes(2, m::kChannelClose, AmqpNumber(406, 2) + AmqpText("") + AmqpNumber(0, 4)),
  };
  std::vector<PeerScript> scripts;
  for (const std::string& bytes : rubbish) {
    scripts.emplace_back().on_message = [=](PeerSession& session, const PeerMessage& message) {
      if (message.tag < 3) return session.Ack(message.tag);
      if (message.tag == 3) session.Send(bytes);
    };
  }
  Wire wire(std::move(scripts), {.heartbeat = seconds(60)});
  wire.Put(100);
  wire.Start();
  wire.Finish();
  CHECK(wire.peer().connections() == rubbish.size() + 1);
}

TEST_CASE("frames that mean nothing to us do no harm", "[wire]") {
  PeerScript script;
  script.on_message = [](PeerSession& session, const PeerMessage& message) {
    session.Send(AmqpFrameBytes(4, 1, "a type of frame that nobody knows"));
    session.Send(AmqpMethodBytes(1, m::kConfirmSelectOk, ""));  // nobody asked
    session.Send(AmqpMethodBytes(0, m::kUnblocked, ""));        // nothing was blocked
    session.Ack(message.tag);
  };
  Wire wire({script});
  wire.Put(20);
  wire.Start();
  CHECK(wire.Finish().repeats == 0);
  CHECK(wire.peer().connections() == 1);
}

TEST_CASE("a login that goes wrong at any step is tried again", "[wire]") {
  const auto hang_up = [](PeerSession& session) { session.HangUp(); };
  const std::string close =
      AmqpMethodBytes(0, m::kClose, AmqpNumber(320, 2) + AmqpText("not now") + AmqpNumber(0, 4));
  std::vector<PeerScript> scripts;
  for (const std::uint32_t method : {m::kStart, m::kStartOk, m::kOpen, m::kChannelOpen,
                                     m::kConfirmSelect, m::kExchangeDeclare}) {
    scripts.push_back(OnMethod(method, hang_up));
    if (method != m::kStart) scripts.push_back(Instead(method, close));
    scripts.push_back(Instead(method, "no AMQP at all"));
    scripts.push_back(Instead(method, ""));  // for ever
  }
  const auto tune = [](std::uint64_t frame_max) {
    return AmqpMethodBytes(0, m::kTune,
                           AmqpNumber(1, 2) + AmqpNumber(frame_max, 4) + AmqpNumber(0, 2));
  };
  scripts.push_back(Instead(m::kStartOk, tune(1)));
  scripts.push_back(Instead(m::kStartOk, tune(4095)));
  scripts.push_back(
      Instead(m::kStart, AmqpMethodBytes(0, m::kStart,
                                         AmqpNumber(9, 2) + AmqpNumber(0, 4) + AmqpNumber(5, 4) +
                                             "MAGIC" + AmqpNumber(5, 4) + "en_US")));
  const std::size_t faults = scripts.size();
  Wire wire(std::move(scripts), {.timeout = milliseconds(300)});
  wire.Put(20);
  wire.Start();
  wire.Finish();
  CHECK(wire.peer().connections() > faults);
}

TEST_CASE("a peer that closes the connection with a reason loses nothing, and the reason is told",
          "[wire]") {
  PeerScript script;
  script.on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag < 10) return session.Ack(message.tag);
    session.Send(AmqpMethodBytes(
        0, m::kClose,
        AmqpNumber(320, 2) + AmqpText("CONNECTION_FORCED - upgrade") + AmqpNumber(0, 4)));
  };
  PeerScript hopeless = Instead(m::kStart, "");
  Wire wire({script, hopeless, hopeless}, {.timeout = milliseconds(300)});
  wire.Put(100);
  wire.Start();
  CHECK(Eventually(
      [&] { return wire.publisher().State().last_error == "CONNECTION_FORCED - upgrade"; }));
  CHECK(wire.Finish().repeats == 0);  // what was confirmed before the reason came is confirmed
}

}  // namespace
}  // namespace tower
