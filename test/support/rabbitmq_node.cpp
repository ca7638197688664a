#include "test/support/rabbitmq_node.h"

#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "core/amqp/url.h"

namespace tower {

RabbitmqNode RabbitmqNode::Shared() {
  const char* folder = std::getenv("TOWER_TEST_RABBITMQ_DIR");
  if (folder == nullptr) {
    throw std::runtime_error("TOWER_TEST_RABBITMQ_DIR is not set: run `make test`");
  }
  return RabbitmqNode(folder);
}

RabbitmqNode::RabbitmqNode() : RabbitmqNode(std::string(), std::string()) {}

RabbitmqNode::RabbitmqNode(std::string variables, const std::string& cookie)
    : own_(std::make_unique<TempDir>()),
      folder_(own_->path().string()),
      variables_(std::move(variables)) {
  if (!cookie.empty()) chmod(own_->Write(".erlang.cookie", cookie).c_str(), 0400);
  try {
    Start();
  } catch (const std::runtime_error&) {
    Kill();
    throw;
  }
}

RabbitmqNode::~RabbitmqNode() {
  if (!own_) return;
  try {
    Kill();
  } catch (const std::runtime_error&) {
    // The test has failed already if this matters.
  }
}

void RabbitmqNode::Start() { Script("start"); }
void RabbitmqNode::Kill() { Script("kill"); }
std::string RabbitmqNode::Ctl(const std::string& arguments) const {
  return Script("ctl " + arguments);
}

void RabbitmqNode::SetMaxMessageSize(int bytes) const {
  const auto size = std::to_string(bytes);
  Ctl("eval 'application:set_env(rabbit, max_message_size, " + size +
      "), persistent_term:put(max_message_size, " + size + ").'");
}

std::string RabbitmqNode::Url() const {
  const std::string line = Script("url");
  return line.substr(0, line.find('\n'));
}

int RabbitmqNode::MqttPort() const { return std::stoi(Script("mqtt-port")); }

std::string RabbitmqNode::Url(const std::string& user, const std::string& vhost) const {
  const auto url = ParseAmqpUrl(Url());
  if (!url) throw std::runtime_error(url.error().message);
  return "amqp://" + user + ":secret@" + url->host + ":" + std::to_string(url->port) + "/" + vhost;
}

std::string RabbitmqNode::Script(const std::string& arguments) const {
  const std::string command = variables_ + " " TOWER_SOURCE_DIR "/test/support/rabbitmq.sh '" +
                              folder_ + "' " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> part;
  while (const std::size_t n = fread(part.data(), 1, part.size(), pipe)) {
    output.append(part.data(), n);
  }
  if (pclose(pipe) != 0) throw std::runtime_error(command + ": " + output);
  return output;
}

}  // namespace tower
