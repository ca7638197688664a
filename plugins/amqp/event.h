// A message as an event: what a mapping sees of it, and what it is called in logs.
#ifndef PLUGINS_AMQP_EVENT_H_
#define PLUGINS_AMQP_EVENT_H_

#include <string>

#include "core/amqp/consumer.h"
#include "core/json/json.h"

namespace tower::amqp {

// One JSON object; README.md lists its members. A body that is JSON stands in it byte for byte, any
// other as a text. `tape` is for reading the body.
std::string EventJson(const AmqpDelivery& delivery, JsonTape& tape);

// "message ID", or without an id "delivery TAG".
std::string NameOf(const AmqpDelivery& delivery);

}  // namespace tower::amqp

#endif  // PLUGINS_AMQP_EVENT_H_
