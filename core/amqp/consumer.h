// Consuming a queue of RabbitMQ, or another broker of AMQP 0-9-1: messages come as the broker has
// them, and stay the broker's until they are acked or rejected. For plugins.
#ifndef CORE_AMQP_CONSUMER_H_
#define CORE_AMQP_CONSUMER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/amqp/servers.h"
#include "core/amqp/session.h"
#include "core/base/result.h"

namespace tower {

struct AmqpConsumerOptions : AmqpServers {
  std::string queue;
  bool declare = false;           // make the queue, durable and of type quorum; else it must exist
  std::string exchange;           // to bind the queue to; empty for none
  std::vector<std::string> keys;  // of these bindings
  std::uint16_t prefetch = 500;   // most messages that are neither acked nor rejected
  std::size_t max_body = 1U << 20U;  // bytes; of larger messages the body is dropped as it comes
};

// What can be checked without the world of queue, exchange and bind; for the rest see AmqpServers.
// kInvalid names the option.
Status CheckAmqpConsumerOptions(const AmqpConsumerOptions& options);

// A message. Texts are empty where the sender gave none.
struct AmqpDelivery {
  std::uint64_t tag = 0;     // for Ack and Reject; of this connection, from 1
  bool redelivered = false;  // it was delivered before, and neither acked nor rejected
  std::string exchange, routing_key;
  std::string message_id, type, content_type, app_id, reply_to;
  std::optional<std::uint64_t> timestamp;  // seconds since 1970
  std::string headers = "{}";              // one JSON object, see core/amqp/table.h
  std::uint64_t size = 0;                  // of the body, in bytes
  std::string body;                        // empty where `size` is more than max_body
};

// Used by one thread. After any error the connection is dead, and what was neither acked nor
// rejected comes again, marked as redelivered; Open starts anew.
class AmqpConsumer final : private AmqpSession {
 public:
  explicit AmqpConsumer(AmqpConsumerOptions options);

  // Connects as AmqpDialer says, checks or makes the queue, binds it, and consumes. kPermanent:
  // credentials, rights, or a queue that exists with other settings. A queue or exchange that is
  // not there is kUnavailable: someone else may make it. Interrupted by a stop.
  Status Open(const std::stop_token& stop);

  // Sends what is waiting and appends what has come. When nothing has, waits until something does,
  // `wake_fd` (when >= 0) becomes readable, or `timeout` passes. Sends heartbeats and notices their
  // absence: call it at least once a second. kUnavailable also when the queue was deleted.
  Status Wait(std::chrono::milliseconds timeout, int wake_fd, std::deque<AmqpDelivery>& deliveries);

  // These leave with the next Wait, or with Close.
  Status Ack(std::uint64_t tag, bool multiple);  // `multiple`: and all that are unsettled before it
  Status Reject(std::uint64_t tag);  // the broker dead-letters it, or where it can't drops it

  using AmqpSession::Close;
  std::string Address() const { return dialer_.Address(); }

 private:
  Status SetUpQueue();
  Error QueueError(std::string_view what, const Error& error, bool declarable) const;

  Status SetUpChannel(Deadline deadline) override;
  Status OnChannelMethod(const AmqpFrame& frame) override;
  Status OnContent(const AmqpFrame& frame) override;
  void OnHeader(const AmqpFrame& frame);

  const AmqpConsumerOptions options_;
  AmqpDialer dialer_;
  std::vector<AmqpDelivery> arrived_;
  std::optional<AmqpDelivery> coming_;  // until its last byte was read
  bool headed_ = false;                 // its header was
  std::uint64_t left_ = 0;              // bytes of its body
  bool cancelled_ = false;
};

}  // namespace tower

#endif  // CORE_AMQP_CONSUMER_H_
