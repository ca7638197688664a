// The seam between the publisher and whatever takes the messages.
#ifndef CORE_PUBLISH_BROKER_H_
#define CORE_PUBLISH_BROKER_H_

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/queue/types.h"

namespace tower {

// Something the broker told us.
struct BrokerEvent {
  enum class Kind {
    kConfirmed,  // `tag`, and with `multiple` every unconfirmed tag below it, is on the broker
    kRefused,    // the same, not stored (basic.nack); the message is still ours
    kReturned,   // `tag` was routed to no queue; its kConfirmed follows, and is not a delivery
    kReset,      // the broker closed the channel and it was opened anew: tags start at 1 again, and
                 // what was unconfirmed is unknown
    kBlocked,    // the broker takes nothing for now (memory or disk alarm); publish nothing until
                 // kUnblocked
    kUnblocked,
  };
  Kind kind = Kind::kConfirmed;
  std::uint64_t tag = 0;
  bool multiple = false;
  int code = 0;        // AMQP reply code, of kReturned and kReset
  std::string reason;  // of kReturned, kReset and kBlocked: the broker's words
  // Of kReset: the broker refused one of the unconfirmed messages for itself, and would refuse it
  // again.
  bool message_at_fault = false;
};

// A connection that publishes triggers and hears of their fate. Used by one thread, except
// Interrupt.
class Broker {
 public:
  virtual ~Broker() = default;

  // Connects, or connects again after any error below; every call is bounded in time. Afterwards
  // tags start at 1. kPermanent: nothing but a change of settings will help (still retried, at the
  // slowest pace).
  virtual Status Connect(std::stop_token stop) = 0;

  // Sends one trigger and returns its tag. Does not wait for the confirm.
  // kInvalid: this message can never be sent (too large, say), and the connection is unharmed. Any
  // other error: the connection is dead.
  virtual Result<std::uint64_t> Publish(const AcceptedTrigger& trigger) = 0;

  // Appends what has happened to `events`. When nothing has, waits until something does, `wake_fd`
  // (when >= 0) becomes readable, or `timeout` passes. Keeps the connection alive: call it at least
  // once a second. An error: the connection is dead.
  virtual Status Wait(std::chrono::milliseconds timeout, int wake_fd,
                      std::vector<BrokerEvent>& events) = 0;

  // Ends the connection in good order, within a second or so. Safe when not connected.
  virtual void Close() = 0;

  // From any thread: makes a call that is under way, and every later one until Connect, fail soon.
  virtual void Interrupt() = 0;

  // Where it is connected, without credentials: "amqp://host:5672/vhost".
  virtual std::string Address() const = 0;
};

}  // namespace tower

#endif  // CORE_PUBLISH_BROKER_H_
