// RabbitMQ, or another broker of AMQP 0-9-1.
#ifndef CORE_PUBLISH_AMQP_BROKER_H_
#define CORE_PUBLISH_AMQP_BROKER_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/amqp/amqp.h"
#include "core/amqp/servers.h"
#include "core/publish/broker.h"

namespace tower {

struct AmqpOptions : AmqpServers {
  std::string exchange = "triggers";
  std::string exchange_type = "topic";
  std::string queue;    // a quorum queue to bind with "#"; empty for none
  bool declare = true;  // declare exchange and queue; false: only check that they exist
};

// Checks what can be checked without connecting: URLs, names, and the files of TLS where it is
// used. kInvalid names the option.
Status CheckAmqpOptions(const AmqpOptions& options);

class AmqpBroker final : public Broker, private AmqpListener {
 public:
  explicit AmqpBroker(AmqpOptions options);
  ~AmqpBroker() override;

  // Connects as AmqpDialer does, then declares or checks exchange and queue.
  Status Connect(std::stop_token stop) override;
  Result<std::uint64_t> Publish(const AcceptedTrigger& trigger) override;
  Status Wait(std::chrono::milliseconds timeout, int wake_fd,
              std::vector<BrokerEvent>& events) override;
  void Close() override { connection_.Close(); }
  void Interrupt() override { connection_.Interrupt(); }
  std::string Address() const override;

 private:
  struct Sent {
    Uuid uuid;
    bool settled = false;
    bool returned = false;
  };

  Status Topology();
  Error TopologyError(std::string_view what, const std::string& name, const Error& error) const;
  void Settle(std::uint64_t tag, bool multiple);

  void OnConfirmed(std::uint64_t tag, bool multiple) override;
  void OnRefused(std::uint64_t tag, bool multiple) override;
  void OnReturned(std::string_view message_id, int code, std::string_view reason) override;
  void OnReset(int code, std::string_view reason) override;
  void OnBlocked(std::string_view reason) override;
  void OnUnblocked() override;

  const AmqpOptions options_;
  AmqpConnection connection_;
  AmqpDialer dialer_;
  std::vector<BrokerEvent> events_;
  // Unconfirmed messages by tag: a returned message carries no tag, only its message_id.
  std::deque<Sent> sent_;
  std::uint64_t first_tag_ = 1;  // of sent_
  // The last routing key and its parts: consecutive triggers often share it.
  std::string api_version_, protocol_, routing_key_;
};

}  // namespace tower

#endif  // CORE_PUBLISH_AMQP_BROKER_H_
