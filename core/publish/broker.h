// The interface between the publisher and a message broker.
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

// An event of the connection.
struct BrokerEvent {
  enum class Kind {
    // The broker has stored the message `tag` (basic.ack), and with `multiple` every unconfirmed
    // message with a lower tag.
    kConfirmed,
    // The broker has not stored them (basic.nack). `multiple` as above.
    kRefused,
    // The message `tag` was routed to no queue (basic.return). Its kConfirmed follows and does not
    // mean that it was stored.
    kReturned,
    // The broker closed the channel, and it was opened again: tags start at 1, and the fate of
    // unconfirmed messages is unknown.
    kReset,
    // The broker takes no messages because of a memory or disk alarm. Publish none until
    // kUnblocked.
    kBlocked,
    kUnblocked,
  };
  Kind kind = Kind::kConfirmed;
  std::uint64_t tag = 0;
  bool multiple = false;
  int code = 0;        // kReturned, kReset: AMQP reply code
  std::string reason;  // kReturned, kReset, kBlocked: the text that the broker sent
  // kReset: one of the unconfirmed messages is the cause, and would close the channel again.
  bool message_at_fault = false;
};

// A connection that publishes triggers and reports what became of them. Used by one thread, except
// Interrupt.
class Broker {
 public:
  virtual ~Broker() = default;

  // Connects, or connects again after any error below. Every call is bounded in time. Tags start at
  // 1 afterwards. kPermanent: only a change of settings can help (the publisher still retries, at
  // the slowest pace).
  virtual Status Connect(std::stop_token stop) = 0;

  // Sends one trigger and returns its tag. Does not wait for the confirm.
  // kInvalid: this message can never be sent (it is too large, for example); the connection is
  // still usable. Any other error: the connection is lost.
  virtual Result<std::uint64_t> Publish(const AcceptedTrigger& trigger) = 0;

  // Appends new events to `events`. If there are none, waits until there is one, `wake_fd` (if >=
  // 0) is readable, or `timeout` has passed. Sends heartbeats: call it at least once a second. An
  // error: the connection is lost.
  virtual Status Wait(std::chrono::milliseconds timeout, int wake_fd,
                      std::vector<BrokerEvent>& events) = 0;

  // Closes the connection cleanly, within about a second. Does nothing when not connected.
  virtual void Close() = 0;

  // Thread-safe. Makes the call in progress, and every later one until Connect, fail soon.
  virtual void Interrupt() = 0;

  // The URL of the broker without credentials: "amqp://host:5672/vhost".
  virtual std::string Address() const = 0;
};

}  // namespace tower

#endif  // CORE_PUBLISH_BROKER_H_
