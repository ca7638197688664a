// Consumes a queue of RabbitMQ or another AMQP 0-9-1 broker. The broker keeps each message until it
// is acked or rejected. For plugins.
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
  bool declare = false;              // declare a durable quorum queue; otherwise it must exist
  std::string exchange;              // exchange to bind the queue to; empty for none
  std::vector<std::string> keys;     // routing keys of these bindings
  std::uint16_t prefetch = 500;      // maximum number of unsettled messages
  std::size_t max_body = 1U << 20U;  // bytes; the body of a larger message is discarded
};

// Checks the options for queue, exchange and bindings without connecting; the functions in
// core/amqp/servers.h check the others. kInvalid; the message names the option.
Status CheckAmqpConsumerOptions(const AmqpConsumerOptions& options);

// A message. A text is empty if the sender did not set it.
struct AmqpDelivery {
  std::uint64_t tag = 0;     // for Ack and Reject; counts from 1 in each connection
  bool redelivered = false;  // it was delivered before and not settled
  std::string exchange, routing_key;
  std::string message_id, type, content_type, app_id, reply_to;
  std::optional<std::uint64_t> timestamp;  // seconds since 1970
  std::string headers = "{}";              // one JSON object, see core/amqp/table.h
  std::uint64_t size = 0;                  // of the body, in bytes
  std::string body;                        // empty if `size` exceeds max_body
};

// Used by one thread. After any error the connection is dead; Open starts a new one, on which the
// broker delivers unsettled messages again, marked as redelivered.
class AmqpConsumer final : private AmqpSession {
 public:
  explicit AmqpConsumer(AmqpConsumerOptions options);

  // Connects as AmqpDialer::Connect does, checks or declares the queue, binds it, and starts to
  // consume. A stop interrupts it. Errors: kPermanent for credentials, permissions, or a queue that
  // exists with other settings; kUnavailable for a missing queue or exchange, which may be created
  // later.
  Status Open(const std::stop_token& stop);

  // Sends buffered bytes and appends received messages to `deliveries`. If there are none, waits
  // until one arrives, `wake_fd` (if >= 0) becomes readable, or `timeout` passes. Sends heartbeats
  // and detects missing ones: call it at least once a second. kUnavailable also if the queue was
  // deleted.
  Status Wait(std::chrono::milliseconds timeout, int wake_fd, std::deque<AmqpDelivery>& deliveries);

  // Settle messages; sent by the next Wait or by Close. With `multiple`, Ack also settles all
  // unsettled messages before this one.
  Status Ack(std::uint64_t tag, bool multiple);
  // The broker dead-letters the message, or drops it if the queue has no dead letter exchange.
  Status Reject(std::uint64_t tag);

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
  std::optional<AmqpDelivery> coming_;  // a message that is not read completely yet
  bool headed_ = false;                 // its content header has been read
  std::uint64_t left_ = 0;              // unread bytes of its body
  bool cancelled_ = false;
};

}  // namespace tower

#endif  // CORE_AMQP_CONSUMER_H_
