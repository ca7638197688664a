// A broker that does what a test tells it to, at the seam core/publish/broker.h.
#ifndef TEST_SUPPORT_FAKE_BROKER_H_
#define TEST_SUPPORT_FAKE_BROKER_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/wakeup.h"
#include "core/publish/broker.h"

namespace tower {

// The test's side. Thread-safe. Outlives what Seam() returned.
class FakeBroker {
 public:
  struct Message {
    std::uint64_t tag;  // starts at 1 with each connection and each reset
    AcceptedTrigger trigger;
  };

  // What the publisher gets.
  std::unique_ptr<Broker> Seam();

  // Confirms each message as soon as it comes.
  void ConfirmAll(bool on);
  // The same, but refuses these; as queues do that are full.
  void RefuseProtocols(std::set<std::string> protocols);
  // For every message from now on; a fault is what Publish returns.
  void OnPublish(std::function<std::optional<Error>(const Message&)> hook);
  // As RabbitMQ does with a message that is too large: such a one closes the channel (406), and
  // what comes behind it is lost without a word.
  void CloseChannelOn(std::function<bool(const AcceptedTrigger&)> poison);
  // What Connect returns from now on.
  void FailConnects(std::optional<Error> error);

  // What the publisher hears at its next Wait.
  void Confirm(std::uint64_t tag, bool multiple = false);
  void Refuse(std::uint64_t tag, bool multiple = false);
  void Return(std::uint64_t tag);
  void Reset(int code, std::string reason);
  void Block(std::string reason);
  void Unblock();
  void Disconnect(std::string reason);  // Wait fails, after all of the above was heard

  // Wait up to half a minute for it.
  bool AwaitPublished(std::size_t count);  // since the start, repeats included
  bool AwaitConnects(std::size_t count);   // calls of Connect
  bool AwaitWaits(std::size_t more);       // calls of Wait that begin from now on

  std::vector<Message> published() const;
  std::vector<std::string> bodies() const;
  std::size_t unconfirmed() const;
  std::size_t most_unconfirmed() const;
  bool closed() const;

 private:
  friend class FakeBrokerSeam;
  bool Await(const std::function<bool()>& condition);
  void Tell(BrokerEvent event);
  void Settle(const BrokerEvent& event);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool confirm_all_ = false, connected_ = false, interrupted_ = false, closed_ = false;
  std::set<std::string> refused_;
  std::function<std::optional<Error>(const Message&)> hook_;
  std::function<bool(const AcceptedTrigger&)> poison_;
  bool channel_closed_ = false;
  std::optional<Error> connect_error_, disconnect_;
  std::vector<Message> published_;
  std::vector<BrokerEvent> events_;
  std::vector<std::uint64_t> unconfirmed_;
  std::size_t most_unconfirmed_ = 0, connects_ = 0, waits_ = 0;
  std::uint64_t next_tag_ = 1;
  Wakeup told_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_FAKE_BROKER_H_
