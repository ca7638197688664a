// An AMQP field table (the headers of a message) as JSON.
#ifndef CORE_AMQP_TABLE_H_
#define CORE_AMQP_TABLE_H_

#include <string>

struct amqp_table_t_;

namespace tower {

// One JSON object. Numbers, times included, become numbers; bytes become text, as AppendJsonString
// does; of entries of one name the first one counts. What JSON has no value for, and what is nested
// deeper than 32 levels, is null.
std::string AmqpTableJson(const amqp_table_t_& table);

}  // namespace tower

#endif  // CORE_AMQP_TABLE_H_
