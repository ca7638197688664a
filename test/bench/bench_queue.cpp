// Makes and removes the queues of a benchmark.
//
//   bench-queue URL make EXCHANGE QUEUE TYPE   a topic exchange and a queue (classic or quorum)
//                                              bound with #, all durable
//   bench-queue URL count QUEUE                prints how many messages are ready in it
//   bench-queue URL drop EXCHANGE QUEUE
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "test/bench/amqp.h"

namespace tower::bench {
namespace {

void Make(Connection& connection, const std::string& exchange, const std::string& queue,
          const std::string& type) {
  amqp_exchange_declare(connection.get(), kChannel, Bytes(exchange), amqp_cstring_bytes("topic"), 0,
                        1, 0, 0, amqp_empty_table);
  Check(amqp_get_rpc_reply(connection.get()), "exchange.declare");
  amqp_table_entry_t argument{};
  argument.key = amqp_cstring_bytes("x-queue-type");
  argument.value.kind = AMQP_FIELD_KIND_UTF8;
  argument.value.value.bytes = Bytes(type);
  amqp_queue_declare(connection.get(), kChannel, Bytes(queue), 0, 1, 0, 0, {1, &argument});
  Check(amqp_get_rpc_reply(connection.get()), "queue.declare");
  amqp_queue_bind(connection.get(), kChannel, Bytes(queue), Bytes(exchange),
                  amqp_cstring_bytes("#"), amqp_empty_table);
  Check(amqp_get_rpc_reply(connection.get()), "queue.bind");
}

void Count(Connection& connection, const std::string& queue) {
  const auto* found =
      amqp_queue_declare(connection.get(), kChannel, Bytes(queue), 1, 1, 0, 0, amqp_empty_table);
  Check(amqp_get_rpc_reply(connection.get()), "queue.declare");
  std::printf("%u\n", found->message_count);
}

void Drop(Connection& connection, const std::string& exchange, const std::string& queue) {
  amqp_queue_delete(connection.get(), kChannel, Bytes(queue), 0, 0);
  Check(amqp_get_rpc_reply(connection.get()), "queue.delete");
  amqp_exchange_delete(connection.get(), kChannel, Bytes(exchange), 0);
  Check(amqp_get_rpc_reply(connection.get()), "exchange.delete");
}

int Run(std::span<const std::string> args) {
  if (args.size() == 5 && args[1] == "make") {
    Connection connection(args[0]);
    Make(connection, args[2], args[3], args[4]);
  } else if (args.size() == 3 && args[1] == "count") {
    Connection connection(args[0]);
    Count(connection, args[2]);
  } else if (args.size() == 4 && args[1] == "drop") {
    Connection connection(args[0]);
    Drop(connection, args[2], args[3]);
  } else {
    std::fprintf(stderr,
                 "usage: bench-queue URL make EXCHANGE QUEUE TYPE | count QUEUE | drop EXCHANGE "
                 "QUEUE\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace tower::bench

int main(int argc, char** argv) {
  try {
    return tower::bench::Run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench-queue: %s\n", e.what());
    return 1;
  }
}
