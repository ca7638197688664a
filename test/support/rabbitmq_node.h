// A RabbitMQ node, through test/support/rabbitmq.sh.
#ifndef TEST_SUPPORT_RABBITMQ_NODE_H_
#define TEST_SUPPORT_RABBITMQ_NODE_H_

#include <memory>
#include <string>

#include "test/support/temp_dir.h"

namespace tower {

// Everything throws std::runtime_error on a fault, with what the script said.
class RabbitmqNode {
 public:
  // The node that `make test` runs for all tests; it is left running.
  static RabbitmqNode Shared();
  // One of its own, started, and stopped at the end of the scope.
  RabbitmqNode();
  // The same, with variables for the script ("A=1 B=2") and a cookie shared with other nodes.
  RabbitmqNode(std::string variables, const std::string& cookie);
  ~RabbitmqNode();
  RabbitmqNode(RabbitmqNode&&) = default;

  void Start();  // after Kill, with what is on disk, on the same port
  void Kill();   // SIGKILL
  std::string Ctl(const std::string& arguments) const;  // rabbitmqctl; arguments as for a shell

  // Of the whole node. RabbitMQ 4.0 reads it from a persistent term that 3.x does not have.
  void SetMaxMessageSize(int bytes) const;

  std::string Url() const;  // amqp://guest:guest@127.0.0.1:PORT/%2f
  int MqttPort() const;     // where it was started with TOWER_RABBITMQ_MQTT=1
  // The same port with another user, whose password is "secret", and vhost.
  std::string Url(const std::string& user, const std::string& vhost) const;

 private:
  explicit RabbitmqNode(const char* folder) : folder_(folder) {}
  std::string Script(const std::string& arguments) const;

  std::unique_ptr<TempDir> own_;
  std::string folder_, variables_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_RABBITMQ_NODE_H_
