// An AMQP field table (the headers of a message) as JSON.
#ifndef CORE_AMQP_TABLE_H_
#define CORE_AMQP_TABLE_H_

#include <string>

struct amqp_table_t_;

namespace tower {

// Returns one JSON object. Numbers and timestamps become numbers, and bytes become text as in
// AppendJsonString. Of several entries with the same name the first one is used. Values without a
// JSON equivalent, and values nested deeper than 32 levels, become null.
std::string AmqpTableJson(const amqp_table_t_& table);

}  // namespace tower

#endif  // CORE_AMQP_TABLE_H_
