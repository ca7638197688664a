// AMQP URIs, as RabbitMQ's URI specification reads them (https://www.rabbitmq.com/docs/uri-spec):
//
//   amqp[s]://[user[:password]@]host[:port][/vhost]
//
// User, password and vhost are percent-decoded. Mind the vhost: no path at all means the default
// one, "/", which written out is "/%2f"; a bare "/" at the end means the vhost with the empty name.
// An IPv6 address stands in brackets. Query parameters are refused: options such as amqp.heartbeat
// and amqp.ca-file say the same.
#ifndef CORE_AMQP_URL_H_
#define CORE_AMQP_URL_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace tower {

struct AmqpUrl {
  bool tls = false;
  std::string host;  // an IPv6 address without its brackets
  std::uint16_t port = 5672;
  bool has_user = false;       // a user was named
  std::string user = "guest";  // RabbitMQ's defaults
  std::string password = "guest";
  std::string vhost = "/";

  // Without user and password: "amqp://host:5672/%2f". What logs, errors and pages show.
  std::string Address() const;
};

// kInvalid says what is wrong, without repeating the text.
Result<AmqpUrl> ParseAmqpUrl(std::string_view text);

// The same, for those who only want to know whether a setting is right.
Status CheckAmqpUrl(std::string_view text);

// The Address of an URL, or a constant for a text that is none: never a part that could be a
// password.
std::string RedactAmqpUrl(std::string_view text);

}  // namespace tower

#endif  // CORE_AMQP_URL_H_
