// The other side of the broker, for tests: exchanges, queues, and messages as a consumer sees them.
// Made from rabbitmq-c's own connection, so that it shares nothing with core/amqp but the codec.
#ifndef TEST_SUPPORT_TEST_CONSUMER_H_
#define TEST_SUPPORT_TEST_CONSUMER_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tower {

struct ConsumedMessage {
  std::string exchange, routing_key, body;
  std::uint32_t flags = 0;  // which properties are there, as AMQP counts them
  std::string content_type, message_id, type, app_id;
  int delivery_mode = 0;
  std::uint64_t timestamp = 0;
  std::map<std::string, std::string> headers;  // text headers; another type throws
};

struct OutgoingMessage {
  std::string body, message_id;  // which may be empty: then it has none
};

// Used by one thread. Everything throws std::runtime_error on a fault. What was made through it is
// deleted at its end.
class TestConsumer {
 public:
  explicit TestConsumer(const std::string& url);
  ~TestConsumer();
  TestConsumer(const TestConsumer&) = delete;
  TestConsumer& operator=(const TestConsumer&) = delete;

  void MakeExchange(const std::string& name, const std::string& type = "topic");
  // A durable queue; with `limit`, refuses (basic.nack) what comes when it holds so many messages.
  void MakeQueue(const std::string& name, int limit = -1);
  // With arguments, such as x-dead-letter-exchange.
  void MakeQueue(const std::string& name, const std::map<std::string, std::string>& arguments);
  void Bind(const std::string& queue, const std::string& exchange, const std::string& key);
  void DeleteExchange(const std::string& name);
  void DeleteQueue(const std::string& name);
  // Deleted at the end too, though made by someone else.
  void Adopt(const std::string& exchange, const std::string& queue);

  // Persistent; returns once the broker has all of them.
  void Publish(const std::string& exchange, const std::string& routing_key,
               const std::vector<OutgoingMessage>& messages);
  void Publish(const std::string& exchange, const std::string& routing_key, const std::string& body,
               const std::string& message_id = {}) {
    Publish(exchange, routing_key, {{body, message_id}});
  }

  // The oldest message, taken off the queue; nothing when none comes in time.
  std::optional<ConsumedMessage> Get(const std::string& queue,
                                     std::chrono::milliseconds timeout = std::chrono::seconds(30));
  std::uint32_t Count(const std::string& queue);  // messages that are ready

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
  std::vector<std::string> exchanges_, queues_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_TEST_CONSUMER_H_
