#include "test/support/random_broker.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

namespace tower {

using Lock = std::lock_guard<std::mutex>;

namespace {

bool Has(const AcceptedTrigger& trigger, const char* what) {
  return trigger.body.find(what) != std::string::npos;
}

BrokerEvent Event(BrokerEvent::Kind kind, std::uint64_t tag = 0, bool multiple = false,
                  int code = 0) {
  return {.kind = kind, .tag = tag, .multiple = multiple, .code = code, .reason = "mood"};
}

}  // namespace

class RandomBrokerSeam final : public Broker {
 public:
  explicit RandomBrokerSeam(RandomBroker& broker) : broker_(broker) {}

  Status Connect(std::stop_token) override {
    const Lock lock(broker_.mutex_);
    if (broker_.Mood(30)) return Gone();
    broker_.Start();
    broker_.blocked_ = false;
    connected_ = true;
    interrupted_ = false;
    return Ok();
  }

  Result<std::uint64_t> Publish(const AcceptedTrigger& trigger) override {
    const Lock lock(broker_.mutex_);
    if (!connected_ || interrupted_ || broker_.Mood(1)) return Gone();
    const auto tag = broker_.next_tag_++;
    if (broker_.known_.insert(trigger.uuid).second) broker_.sent_.push_back(trigger);
    broker_.unconfirmed_.push_back({tag, trigger});
    return tag;
  }

  Status Wait(std::chrono::milliseconds timeout, int wake_fd,
              std::vector<BrokerEvent>& events) override {
    bool silent = false;
    {
      const Lock lock(broker_.mutex_);
      if (!connected_ || broker_.Mood(2)) return Gone();
      broker_.Speak(events);
      silent = events.empty();
      if (!broker_.unconfirmed_.empty() || broker_.blocked_) {
        timeout = std::min(timeout, std::chrono::milliseconds(1));
      }
    }
    std::array<pollfd, 2> fds = {{{interrupt_.fd(), POLLIN, 0}, {wake_fd, POLLIN, 0}}};
    if (silent) poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
    if (interrupted_) return Error{ErrorCode::kStopped, "interrupted"};
    return Ok();
  }

  void Close() override { connected_ = false; }

  void Interrupt() override {
    interrupted_ = true;
    interrupt_.Signal();
  }

  std::string Address() const override { return "random"; }

 private:
  Error Gone() {
    connected_ = false;
    return {ErrorCode::kUnavailable, "gone"};
  }

  RandomBroker& broker_;
  bool connected_ = false;
  std::atomic<bool> interrupted_{false};
  Wakeup interrupt_;
};

std::unique_ptr<Broker> RandomBroker::Seam() { return std::make_unique<RandomBrokerSeam>(*this); }

void RandomBroker::Calm() {
  const Lock lock(mutex_);
  calm_ = true;
}

std::vector<AcceptedTrigger> RandomBroker::sent() const {
  const Lock lock(mutex_);
  return sent_;
}

std::set<Uuid> RandomBroker::stored() const {
  const Lock lock(mutex_);
  return stored_;
}

// A new connection or channel: some of what was under way arrived all the same.
void RandomBroker::Start() {
  for (const auto& each : unconfirmed_) {
    if (Has(each.trigger, "poison")) break;
    if (!Has(each.trigger, "unroutable") && chance_.Percent(50)) stored_.insert(each.trigger.uuid);
  }
  unconfirmed_.clear();
  next_tag_ = 1;
}

void RandomBroker::Confirm(const Unconfirmed& message, bool multiple,
                           std::vector<BrokerEvent>& events) {
  for (const auto& each : unconfirmed_) {
    if (each.tag != message.tag && (!multiple || each.tag > message.tag)) continue;
    if (Has(each.trigger, "unroutable")) {
      events.push_back(Event(BrokerEvent::Kind::kReturned, each.tag, false, 312));
    } else {
      stored_.insert(each.trigger.uuid);
    }
  }
  events.push_back(Event(BrokerEvent::Kind::kConfirmed, message.tag, multiple));
}

void RandomBroker::Speak(std::vector<BrokerEvent>& events) {
  if (blocked_ ? !Mood(80) : Mood(3)) {
    blocked_ = !blocked_;
    events.push_back(Event(blocked_ ? BrokerEvent::Kind::kBlocked : BrokerEvent::Kind::kUnblocked));
  }
  const bool missing = Mood(1);  // the exchange
  while (!unconfirmed_.empty() && !missing && !Mood(20)) {
    // What stands behind a poisonous message is lost with it.
    const auto poison =
        std::find_if(unconfirmed_.begin(), unconfirmed_.end(),
                     [](const Unconfirmed& each) { return Has(each.trigger, "poison"); });
    if (poison == unconfirmed_.begin()) break;
    const auto healthy = static_cast<int>(poison - unconfirmed_.begin());
    const auto at = calm_ ? healthy - 1 : chance_.Pick(0, healthy - 1);
    const auto message = unconfirmed_[static_cast<std::size_t>(at)];
    const bool multiple = calm_ || chance_.Percent(20);
    if (Mood(1)) {
      events.push_back(Event(BrokerEvent::Kind::kRefused, message.tag, multiple));
    } else {
      Confirm(message, multiple, events);
    }
    std::erase_if(unconfirmed_, [&](const Unconfirmed& each) {
      return each.tag == message.tag || (multiple && each.tag < message.tag);
    });
  }
  const bool poisoned = !unconfirmed_.empty() && Has(unconfirmed_.front().trigger, "poison");
  if (!poisoned && !missing) return;
  Start();
  events.push_back(Event(BrokerEvent::Kind::kReset, 0, false, poisoned ? 406 : 404));
  events.back().message_at_fault = poisoned;
}

}  // namespace tower
