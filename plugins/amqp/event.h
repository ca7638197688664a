// A message as an event for a mapping, and its name in logs.
#ifndef PLUGINS_AMQP_EVENT_H_
#define PLUGINS_AMQP_EVENT_H_

#include <string>

#include "core/amqp/consumer.h"
#include "core/json/json.h"

namespace tower::amqp {

// A JSON object; README.md lists its members. A body that is JSON is inserted byte for byte, any
// other as a string. `tape` is used to read the body.
std::string EventJson(const AmqpDelivery& delivery, JsonTape& tape);

// "message ID", or without an id "delivery TAG".
std::string NameOf(const AmqpDelivery& delivery);

}  // namespace tower::amqp

#endif  // PLUGINS_AMQP_EVENT_H_
