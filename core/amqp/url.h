// AMQP URIs as in RabbitMQ's URI specification (https://www.rabbitmq.com/docs/uri-spec):
//
//   amqp[s]://[user[:password]@]host[:port][/vhost]
//
// User, password and vhost are percent-decoded. Without a path, the vhost is the default one, "/",
// whose explicit form is "/%2f"; a "/" alone at the end selects the vhost with the empty name. An
// IPv6 address is written in brackets. Query parameters are refused; options such as amqp.heartbeat
// and amqp.ca-file replace them.
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
  bool has_user = false;       // the URL contains a user
  std::string user = "guest";  // RabbitMQ's defaults
  std::string password = "guest";
  std::string vhost = "/";

  // "amqp://host:5672/%2F": without user and password, for logs, errors and HTTP responses.
  std::string Address() const;
};

// kInvalid; the message says what is wrong and does not contain the text.
Result<AmqpUrl> ParseAmqpUrl(std::string_view text);

// The same check without the result.
Status CheckAmqpUrl(std::string_view text);

// Returns the Address of a URL, or a constant for a text that is not a URL. The result never
// contains a part that could be a password.
std::string RedactAmqpUrl(std::string_view text);

}  // namespace tower

#endif  // CORE_AMQP_URL_H_
