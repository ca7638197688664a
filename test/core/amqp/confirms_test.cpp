// The publisher against a peer that confirms, refuses and returns in every order, truthfully or
// not.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "test/support/eventually.h"
#include "test/support/wire.h"

namespace tower {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
namespace m = amqp_method;

std::string Blocked(std::string_view reason) {
  return AmqpMethodBytes(0, m::kBlocked, AmqpText(reason));
}

std::string Unblocked() { return AmqpMethodBytes(0, m::kUnblocked, ""); }

// Settles some of what is open, at random: single tags in any order, or all up to one of them.
class Whim {
 public:
  explicit Whim(unsigned seed) : random_(seed) {}

  void operator()(PeerSession& session, const PeerMessage& message) {
    open_.push_back(message.tag);
    // The same each time that it comes: a message that was delivered is not returned later.
    if (std::hash<std::string>()(message.message_id) % 10 == 0) session.Return(message.tag);
    while (!open_.empty() && Roll(3) != 0) {
      const auto at = static_cast<std::size_t>(Roll(static_cast<int>(open_.size())));
      const std::uint64_t tag = open_[at];
      const bool multiple = Roll(4) == 0;
      Roll(8) == 0 ? session.Nack(tag, multiple) : session.Ack(tag, multiple);
      std::erase_if(open_, [&](auto other) { return other == tag || (multiple && other < tag); });
    }
  }
  // So that nothing stays open for ever.
  void Rest(PeerSession& session) {
    if (!open_.empty()) session.Ack(*std::max_element(open_.begin(), open_.end()), true);
    open_.clear();
  }

 private:
  int Roll(int sides) { return std::uniform_int_distribution<int>(0, sides - 1)(random_); }

  std::minstd_rand random_;
  std::vector<std::uint64_t> open_;
};

TEST_CASE("confirms, refusals and returns in any order and any bundling add up", "[wire]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::vector<PeerScript> scripts;
  for (unsigned n = 0; n < 5; ++n) {
    const auto whim = std::make_shared<Whim>(seed + n);
    PeerScript& script = scripts.emplace_back();
    script.on_message = [=](PeerSession& session, const PeerMessage& message) {
      (*whim)(session, message);
      if (n < 4 && message.tag == 150) session.HangUp();
    };
    script.on_tick = [=](PeerSession& session) { whim->Rest(session); };
  }
  Wire wire(std::move(scripts), {.window = 64});
  for (const char* source : {"a", "b", "a", "c", "b"}) wire.Put(160, 0, source);
  wire.Start();
  const Balance balance = wire.Finish();
  CHECK(wire.peer().connections() == 5);
  CHECK(balance.undeliverable > 0);
}

TEST_CASE("a confirm for what was never sent is not believed", "[wire]") {
  std::vector<PeerScript> scripts;
  for (const std::uint64_t tag : {1000ULL, 0x7FFFFFFFFFFFFFFFULL, 0xFFFFFFFFFFFFFFFFULL}) {
    scripts.emplace_back().on_message = [=](PeerSession& session, const PeerMessage& message) {
      if (message.tag == 3) session.Send(AmqpAck(tag, true));
    };
    scripts.emplace_back().on_message = [=](PeerSession& session, const PeerMessage& message) {
      if (message.tag == 3) session.Send(AmqpAck(tag, false));
    };
  }
  // Those mean nothing, and do no harm.
  scripts.emplace_back().on_message = [](PeerSession& session, const PeerMessage& message) {
    session.Send(AmqpAck(0, false) + AmqpAck(0, true));
    session.Ack(message.tag);
    session.Ack(message.tag);
    session.Ack(message.tag, true);
    session.Nack(message.tag);
  };
  const std::size_t connections = scripts.size();
  Wire wire(std::move(scripts));
  wire.Put(100);
  wire.Start();
  wire.Finish();
  CHECK(wire.peer().connections() == connections);
}

TEST_CASE("a message that comes back is undeliverable once it is confirmed, and no other",
          "[wire]") {
  PeerScript script;
  script.frame_max = 4096;
  script.on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag % 10 == 0) session.Return(message.tag);  // of several frames, some of them
    if (message.tag % 25 == 0) session.Ack(message.tag, true);
  };
  Wire wire({script});
  wire.Put(50);
  wire.Put(50, 3 * 4088);
  wire.Start();
  const Balance balance = wire.Finish();
  CHECK(balance.undeliverable == 10);
  CHECK(balance.repeats == 0);
  CHECK(wire.Reason(wire.uuids()[9]) == "unroutable");
  CHECK(wire.Reason(wire.uuids()[10]).empty());
}

TEST_CASE("a return of something unknown, or cut short, is told from ours", "[wire]") {
  std::vector<PeerScript> scripts(2);
  const std::string back = AmqpMethodBytes(
      1, m::kReturn, AmqpNumber(312, 2) + AmqpText("NO_ROUTE") + AmqpText("e") + AmqpText("k"));
  const auto header = [](const std::string& id) {
    return AmqpFrameBytes(2, 1,
                          AmqpNumber(60, 2) + AmqpNumber(0, 10) +
                              (id.empty() ? AmqpNumber(0, 2) : AmqpNumber(0x80, 2) + AmqpText(id)));
  };
  scripts[0].on_message = [=](PeerSession& session, const PeerMessage& message) {
    session.Send(back + header("") + back + header("no uuid") + back +
                 header("01890a5d-ac96-774b-bcce-b302099a8057"));
    session.Ack(message.tag);
    if (message.tag < 20) return;
    session.Send(back + header(message.message_id).substr(0, 9));
    session.HangUp();
  };
  scripts[1].on_message = [=](PeerSession& session, const PeerMessage& message) {
    session.Ack(message.tag);
    session.Send(back + header(message.message_id));  // too late: it is settled
  };
  Wire wire(std::move(scripts));
  wire.Put(50);
  wire.Start();
  CHECK(wire.Finish().undeliverable == 0);
  CHECK(wire.peer().connections() == 2);
}

TEST_CASE("what comes back and is refused too is sent again, and may arrive", "[wire]") {
  PeerScript script;
  script.on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag > 20) return session.Ack(message.tag);
    session.Return(message.tag);
    session.Nack(message.tag);
  };
  Wire wire({script});
  wire.Put(20);
  wire.Start();
  const Balance balance = wire.Finish();
  CHECK(balance.undeliverable == 0);
  CHECK(balance.arrived == 20);
}

TEST_CASE("a refusal of everything, again and again, only delays", "[wire]") {
  PeerScript script;
  script.on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag > 30) return session.Ack(message.tag);
    if (message.tag >= 20) session.Nack(message.tag, true);  // the first ones together
  };
  Wire wire({script}, {.window = 20});
  wire.Put(40);
  wire.Start();
  wire.Finish();
  CHECK(wire.peer().connections() == 1);
}

// Closes the channel for each message that `poison` names, as a broker does that refuses it.
PeerScript ClosesChannelOn(std::function<bool(const PeerMessage&)> poison, int code,
                           const std::string& text) {
  PeerScript script;
  script.on_message = [=](PeerSession& session, const PeerMessage& message) {
    poison(message) ? session.CloseChannel(code, text) : session.Ack(message.tag);
  };
  return script;
}

TEST_CASE("messages that close the channel are given up with the reason, their neighbours arrive",
          "[wire]") {
  const auto [code, text] = GENERATE(table<int, std::string>(
      {{406, "PRECONDITION_FAILED - message size 2000 is larger than configured max size 1000"},
       {403, "ACCESS_REFUSED - access to topic 'T.v1.P' in exchange 'e' refused for user 'u'"}}));
  const auto large = [](const PeerMessage& message) { return message.body.size() > 1000; };
  Wire wire({ClosesChannelOn(large, code, text)});
  wire.Put(30);
  wire.Put(2, 2000);
  wire.Put(30);
  wire.Put(1, 200'000);
  wire.Put(30);
  wire.Start();
  const Balance balance = wire.Finish();
  CHECK(balance.undeliverable == 3);
  CHECK(wire.Reason(wire.uuids()[30]) == "refused: " + text);
  CHECK(wire.peer().connections() == 1);
}

TEST_CASE("a channel that is closed for no message's fault is opened again", "[wire]") {
  const auto [code, text] = GENERATE(table<int, std::string>(
      {{404, "NOT_FOUND - no exchange 'e'"},
       {403, "ACCESS_REFUSED - access to exchange 'e' in vhost '/' refused for user 'u'"}}));
  const auto tenth = [](const PeerMessage& message) { return message.tag == 10; };
  Wire wire(std::vector<PeerScript>(3, ClosesChannelOn(tenth, code, text)));
  wire.Put(100);
  wire.Start();
  CHECK(wire.Finish().undeliverable == 0);
  CHECK(wire.peer().connections() == 4);
}

TEST_CASE("a peer that has an alarm may read nothing for as long as it is alive", "[wire]") {
  // Four heartbeats later it takes messages again, in the middle of one.
  PeerScript script;
  script.cut_at = 500'000;
  const auto ticks = std::make_shared<int>(0);
  const auto frozen = std::make_shared<bool>(false);
  script.cut = [=](PeerSession& session) {
    *frozen = true;
    session.Send(Blocked("low on memory"));
    session.Freeze(false);
  };
  script.on_tick = [=](PeerSession& session) {
    if (!*frozen || ++*ticks != 80) return;
    session.Thaw();
    session.Send(Unblocked());
  };
  Wire wire({script}, {.heartbeat = seconds(1)});
  wire.Put(10, 800'000);
  wire.Start();
  REQUIRE(Eventually([&] { return wire.publisher().State().blocked; }));
  CHECK(wire.Finish().repeats == 0);
  CHECK_FALSE(wire.publisher().State().blocked);
  CHECK(wire.peer().connections() == 1);
}

TEST_CASE("a peer that has an alarm and dies is left all the same", "[wire]") {
  PeerScript script;
  script.on_message = [](PeerSession& session, const PeerMessage& message) {
    if (message.tag != 3) return;
    session.Send(Blocked("low on memory"));
    session.Freeze(true);
  };
  Wire wire({script}, {.heartbeat = seconds(1)});
  wire.Put(10);
  wire.Start();
  wire.Finish();
  CHECK_FALSE(wire.publisher().State().blocked);
  CHECK(wire.peer().connections() == 2);
}

}  // namespace
}  // namespace tower
