#include "test/support/fake_broker.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <utility>

namespace tower {

using Lock = std::lock_guard<std::mutex>;

class FakeBrokerSeam final : public Broker {
 public:
  explicit FakeBrokerSeam(FakeBroker& fake) : fake_(fake) {}

  Status Connect(std::stop_token stop) override {
    const Lock lock(fake_.mutex_);
    ++fake_.connects_;
    fake_.changed_.notify_all();
    if (stop.stop_requested()) return Error{ErrorCode::kStopped, "interrupted"};
    if (fake_.connect_error_) return *fake_.connect_error_;
    fake_.connected_ = true;
    fake_.interrupted_ = fake_.closed_ = false;
    fake_.disconnect_.reset();
    fake_.events_.clear();
    fake_.unconfirmed_.clear();
    fake_.channel_closed_ = false;
    fake_.next_tag_ = 1;
    return Ok();
  }

  Result<std::uint64_t> Publish(const AcceptedTrigger& trigger) override {
    const Lock lock(fake_.mutex_);
    if (!fake_.connected_) return Error{ErrorCode::kUnavailable, "not connected"};
    const FakeBroker::Message message{fake_.next_tag_, trigger};
    if (fake_.hook_) {
      if (auto fault = fake_.hook_(message)) return *fault;
    }
    ++fake_.next_tag_;
    fake_.published_.push_back(message);
    fake_.unconfirmed_.push_back(message.tag);
    fake_.most_unconfirmed_ = std::max(fake_.most_unconfirmed_, fake_.unconfirmed_.size());
    if (fake_.poison_ && !fake_.channel_closed_ && fake_.poison_(trigger)) {
      fake_.channel_closed_ = true;
      fake_.Tell({.kind = BrokerEvent::Kind::kReset,
                  .code = 406,
                  .reason = "poison",
                  .message_at_fault = true});
    }
    if (fake_.confirm_all_ && !fake_.channel_closed_) {
      const bool refused = fake_.refused_.contains(trigger.protocol);
      fake_.Tell({.kind = refused ? BrokerEvent::Kind::kRefused : BrokerEvent::Kind::kConfirmed,
                  .tag = message.tag,
                  .reason = {}});
    }
    fake_.changed_.notify_all();
    return message.tag;
  }

  Status Wait(std::chrono::milliseconds timeout, int wake_fd,
              std::vector<BrokerEvent>& events) override {
    {
      const Lock lock(fake_.mutex_);
      ++fake_.waits_;
      fake_.changed_.notify_all();
    }
    std::array<pollfd, 2> fds = {{{fake_.told_.fd(), POLLIN, 0}, {wake_fd, POLLIN, 0}}};
    poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
    const Lock lock(fake_.mutex_);
    fake_.told_.Clear();
    for (BrokerEvent& event : fake_.events_) {
      fake_.Settle(event);
      events.push_back(std::move(event));
    }
    fake_.events_.clear();
    if (fake_.interrupted_) return Error{ErrorCode::kStopped, "interrupted"};
    if (fake_.disconnect_) {
      fake_.connected_ = false;
      return *std::exchange(fake_.disconnect_, std::nullopt);
    }
    return Ok();
  }

  void Close() override {
    const Lock lock(fake_.mutex_);
    fake_.connected_ = false;
    fake_.closed_ = true;
    fake_.changed_.notify_all();
  }

  void Interrupt() override {
    const Lock lock(fake_.mutex_);
    fake_.interrupted_ = true;
    fake_.told_.Signal();
  }

  std::string Address() const override { return "fake"; }

 private:
  FakeBroker& fake_;
};

std::unique_ptr<Broker> FakeBroker::Seam() { return std::make_unique<FakeBrokerSeam>(*this); }

void FakeBroker::ConfirmAll(bool on) {
  const Lock lock(mutex_);
  confirm_all_ = on;
  refused_.clear();
}

void FakeBroker::RefuseProtocols(std::set<std::string> protocols) {
  const Lock lock(mutex_);
  confirm_all_ = true;
  refused_ = std::move(protocols);
}

void FakeBroker::OnPublish(std::function<std::optional<Error>(const Message&)> hook) {
  const Lock lock(mutex_);
  hook_ = std::move(hook);
}

void FakeBroker::CloseChannelOn(std::function<bool(const AcceptedTrigger&)> poison) {
  const Lock lock(mutex_);
  poison_ = std::move(poison);
}

void FakeBroker::FailConnects(std::optional<Error> error) {
  const Lock lock(mutex_);
  connect_error_ = std::move(error);
}

void FakeBroker::Tell(BrokerEvent event) {
  events_.push_back(std::move(event));
  told_.Signal();
}

void FakeBroker::Confirm(std::uint64_t tag, bool multiple) {
  const Lock lock(mutex_);
  Tell({.kind = BrokerEvent::Kind::kConfirmed, .tag = tag, .multiple = multiple, .reason = {}});
}

void FakeBroker::Refuse(std::uint64_t tag, bool multiple) {
  const Lock lock(mutex_);
  Tell({.kind = BrokerEvent::Kind::kRefused, .tag = tag, .multiple = multiple, .reason = {}});
}

void FakeBroker::Return(std::uint64_t tag) {
  const Lock lock(mutex_);
  Tell({.kind = BrokerEvent::Kind::kReturned, .tag = tag, .code = 312, .reason = "NO_ROUTE"});
}

void FakeBroker::Reset(int code, std::string reason) {
  const Lock lock(mutex_);
  Tell({.kind = BrokerEvent::Kind::kReset,
        .code = code,
        .reason = std::move(reason),
        .message_at_fault = code == 406});
}

void FakeBroker::Block(std::string reason) {
  const Lock lock(mutex_);
  Tell({.kind = BrokerEvent::Kind::kBlocked, .reason = std::move(reason)});
}

void FakeBroker::Unblock() {
  const Lock lock(mutex_);
  Tell({.kind = BrokerEvent::Kind::kUnblocked, .reason = {}});
}

void FakeBroker::Disconnect(std::string reason) {
  const Lock lock(mutex_);
  disconnect_ = Error{ErrorCode::kUnavailable, std::move(reason)};
  told_.Signal();
}

void FakeBroker::Settle(const BrokerEvent& event) {
  using Kind = BrokerEvent::Kind;
  if (event.kind == Kind::kReset) {
    unconfirmed_.clear();
    channel_closed_ = false;
    next_tag_ = 1;
  } else if (event.kind == Kind::kConfirmed || event.kind == Kind::kRefused) {
    std::erase_if(unconfirmed_, [&](std::uint64_t tag) {
      return tag == event.tag || (event.multiple && tag < event.tag);
    });
  }
}

bool FakeBroker::Await(const std::function<bool()>& condition) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(30), condition);
}

bool FakeBroker::AwaitPublished(std::size_t count) {
  return Await([&] { return published_.size() >= count; });
}

bool FakeBroker::AwaitConnects(std::size_t count) {
  return Await([&] { return connects_ >= count; });
}

bool FakeBroker::AwaitWaits(std::size_t more) {
  std::size_t target = 0;
  {
    const Lock lock(mutex_);
    target = waits_ + more;
    told_.Signal();
  }
  return Await([&] {
    if (waits_ < target) told_.Signal();
    return waits_ >= target;
  });
}

std::vector<FakeBroker::Message> FakeBroker::published() const {
  const Lock lock(mutex_);
  return published_;
}

std::vector<std::string> FakeBroker::bodies() const {
  const Lock lock(mutex_);
  std::vector<std::string> bodies;
  std::transform(published_.begin(), published_.end(), std::back_inserter(bodies),
                 [](const Message& message) { return message.trigger.body; });
  return bodies;
}

std::size_t FakeBroker::unconfirmed() const {
  const Lock lock(mutex_);
  return unconfirmed_.size();
}

std::size_t FakeBroker::most_unconfirmed() const {
  const Lock lock(mutex_);
  return most_unconfirmed_;
}

bool FakeBroker::closed() const {
  const Lock lock(mutex_);
  return closed_;
}

}  // namespace tower
