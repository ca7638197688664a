#include "test/support/test_consumer.h"

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

#include <iterator>
#include <set>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "core/amqp/url.h"

namespace tower {
namespace {

constexpr amqp_channel_t kChannel = 1;

amqp_bytes_t Bytes(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }

std::string Text(amqp_bytes_t bytes) {
  return bytes.len == 0 ? std::string() : std::string(static_cast<char*>(bytes.bytes), bytes.len);
}

void Check(const amqp_rpc_reply_t& reply, const std::string& what) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return;
  std::string why = amqp_error_string2(reply.library_error);
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.decoded != nullptr) {
    why = reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD
              ? Text(static_cast<amqp_channel_close_t*>(reply.reply.decoded)->reply_text)
              : Text(static_cast<amqp_connection_close_t*>(reply.reply.decoded)->reply_text);
  }
  throw std::runtime_error("consumer: " + what + ": " + why);
}

ConsumedMessage Convert(const amqp_basic_get_ok_t& got, const amqp_message_t& message) {
  ConsumedMessage result;
  result.exchange = Text(got.exchange);
  result.routing_key = Text(got.routing_key);
  result.body = Text(message.body);
  const amqp_basic_properties_t& p = message.properties;
  result.flags = p._flags;
  result.content_type = Text(p.content_type);
  result.message_id = Text(p.message_id);
  result.type = Text(p.type);
  result.app_id = Text(p.app_id);
  result.delivery_mode = p.delivery_mode;
  result.timestamp = p.timestamp;
  for (int i = 0; i < p.headers.num_entries; ++i) {
    const amqp_table_entry_t& entry = p.headers.entries[i];
    // The broker's own.
    if (Text(entry.key) == "x-delivery-count" || Text(entry.key) == "x-death") continue;
    if (entry.value.kind != AMQP_FIELD_KIND_UTF8) {
      throw std::runtime_error("consumer: the header " + Text(entry.key) + " is no text");
    }
    result.headers[Text(entry.key)] = Text(entry.value.value.bytes);
  }
  return result;
}

}  // namespace

struct TestConsumer::Connection {
  amqp_connection_state_t state = amqp_new_connection();
  std::uint64_t published = 0;
  std::set<std::uint64_t> unconfirmed;
  ~Connection() { amqp_destroy_connection(state); }
  void CheckLast(const std::string& what) const { Check(amqp_get_rpc_reply(state), what); }
};

TestConsumer::TestConsumer(const std::string& url) : connection_(std::make_unique<Connection>()) {
  const auto parsed = ParseAmqpUrl(url);
  if (!parsed) throw std::runtime_error("consumer: " + parsed.error().message);
  amqp_socket_t* socket = amqp_tcp_socket_new(connection_->state);
  timeval timeout = {30, 0};
  amqp_set_rpc_timeout(connection_->state, &timeout);
  if (socket == nullptr || amqp_socket_open_noblock(socket, parsed->host.c_str(), parsed->port,
                                                    &timeout) != AMQP_STATUS_OK) {
    throw std::runtime_error("consumer: cannot connect to " + parsed->Address());
  }
  Check(amqp_login(connection_->state, parsed->vhost.c_str(), 0, AMQP_DEFAULT_FRAME_SIZE, 0,
                   AMQP_SASL_METHOD_PLAIN, parsed->user.c_str(), parsed->password.c_str()),
        "login");
  amqp_channel_open(connection_->state, kChannel);
  connection_->CheckLast("open channel");
}

TestConsumer::~TestConsumer() {
  try {
    for (const std::string& queue : queues_) DeleteQueue(queue);
    for (const std::string& exchange : exchanges_) DeleteExchange(exchange);
    amqp_connection_close(connection_->state, AMQP_REPLY_SUCCESS);
  } catch (const std::runtime_error&) {
    // The test has failed already if this matters.
  }
}

void TestConsumer::MakeExchange(const std::string& name, const std::string& type) {
  amqp_exchange_declare(connection_->state, kChannel, Bytes(name), Bytes(type), 0, 1, 0, 0,
                        amqp_empty_table);
  connection_->CheckLast("declare exchange " + name);
  exchanges_.push_back(name);
}

void TestConsumer::MakeQueue(const std::string& name, int limit) {
  amqp_table_entry_t arguments[2] = {};
  arguments[0].key = Bytes("x-overflow");
  arguments[0].value.kind = AMQP_FIELD_KIND_UTF8;
  arguments[0].value.value.bytes = Bytes("reject-publish");
  arguments[1].key = Bytes("x-max-length");
  arguments[1].value.kind = AMQP_FIELD_KIND_I32;
  arguments[1].value.value.i32 = limit;
  amqp_queue_declare(connection_->state, kChannel, Bytes(name), 0, 1, 0, 0,
                     limit < 0 ? amqp_empty_table : amqp_table_t{2, arguments});
  connection_->CheckLast("declare queue " + name);
  queues_.push_back(name);
}

void TestConsumer::MakeQueue(const std::string& name,
                             const std::map<std::string, std::string>& arguments) {
  std::vector<amqp_table_entry_t> entries;
  for (const auto& [key, value] : arguments) {
    auto& entry = entries.emplace_back();
    entry.key = Bytes(key);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = Bytes(value);
  }
  amqp_queue_declare(connection_->state, kChannel, Bytes(name), 0, 1, 0, 0,
                     {static_cast<int>(entries.size()), entries.data()});
  connection_->CheckLast("declare queue " + name);
  queues_.push_back(name);
}

void TestConsumer::Publish(const std::string& exchange, const std::string& routing_key,
                           const std::vector<OutgoingMessage>& messages) {
  auto* state = connection_->state;
  amqp_confirm_select(state, kChannel);
  connection_->CheckLast("ask for confirms");
  for (const auto& message : messages) {
    amqp_basic_properties_t properties{};
    properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    properties.delivery_mode = 2;
    if (!message.message_id.empty()) {
      properties._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
      properties.message_id = Bytes(message.message_id);
    }
    if (amqp_basic_publish(state, kChannel, Bytes(exchange), Bytes(routing_key), 0, 0, &properties,
                           Bytes(message.body)) != AMQP_STATUS_OK) {
      throw std::runtime_error("consumer: cannot publish to " + exchange);
    }
  }
  std::set<std::uint64_t>& unconfirmed = connection_->unconfirmed;
  for (std::size_t i = 0; i < messages.size(); ++i) unconfirmed.insert(++connection_->published);
  while (!unconfirmed.empty()) {
    amqp_frame_t frame;
    const timeval patience = {60, 0};
    if (amqp_simple_wait_frame_noblock(state, &frame, &patience) != AMQP_STATUS_OK ||
        frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD) {
      throw std::runtime_error("consumer: no confirm for what was published to " + exchange);
    }
    const auto& ack = *static_cast<amqp_basic_ack_t*>(frame.payload.method.decoded);
    const auto last = unconfirmed.upper_bound(ack.delivery_tag);
    unconfirmed.erase(ack.multiple != 0 ? unconfirmed.begin() : std::prev(last), last);
    amqp_maybe_release_buffers(state);
  }
}

void TestConsumer::Bind(const std::string& queue, const std::string& exchange,
                        const std::string& key) {
  amqp_queue_bind(connection_->state, kChannel, Bytes(queue), Bytes(exchange), Bytes(key),
                  amqp_empty_table);
  connection_->CheckLast("bind " + queue + " to " + exchange);
}

void TestConsumer::DeleteExchange(const std::string& name) {
  amqp_exchange_delete(connection_->state, kChannel, Bytes(name), 0);
  connection_->CheckLast("delete exchange " + name);
}

void TestConsumer::DeleteQueue(const std::string& name) {
  amqp_queue_delete(connection_->state, kChannel, Bytes(name), 0, 0);
  connection_->CheckLast("delete queue " + name);
}

void TestConsumer::Adopt(const std::string& exchange, const std::string& queue) {
  if (!exchange.empty()) exchanges_.push_back(exchange);
  if (!queue.empty()) queues_.push_back(queue);
}

std::optional<ConsumedMessage> TestConsumer::Get(const std::string& queue,
                                                 std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const amqp_rpc_reply_t reply = amqp_basic_get(connection_->state, kChannel, Bytes(queue), 1);
    Check(reply, "get from " + queue);
    if (reply.reply.id == AMQP_BASIC_GET_OK_METHOD) {
      const auto& got = *static_cast<amqp_basic_get_ok_t*>(reply.reply.decoded);
      amqp_message_t message;
      Check(amqp_read_message(connection_->state, kChannel, &message, 0), "read a message");
      ConsumedMessage result = Convert(got, message);
      amqp_destroy_message(&message);
      amqp_maybe_release_buffers(connection_->state);
      return result;
    }
    amqp_maybe_release_buffers(connection_->state);
    if (std::chrono::steady_clock::now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // between two looks
  }
}

std::uint32_t TestConsumer::Count(const std::string& queue) {
  const amqp_queue_declare_ok_t* ok =
      amqp_queue_declare(connection_->state, kChannel, Bytes(queue), 1, 0, 0, 0, amqp_empty_table);
  connection_->CheckLast("look at queue " + queue);
  return ok->message_count;
}

}  // namespace tower
