// A connection by bare rabbitmq-c, for the baseline and for making queues. Every fault is a
// std::runtime_error.
#ifndef TEST_BENCH_AMQP_H_
#define TEST_BENCH_AMQP_H_

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_tcp_socket.h>
#endif

#include <sys/time.h>

#include <stdexcept>
#include <string>

namespace tower::bench {

inline constexpr amqp_channel_t kChannel = 1;
inline constexpr timeval kPatience{60, 0};  // on a machine that is busy with a benchmark

inline void Check(int status, const char* what) {
  if (status != AMQP_STATUS_OK) {
    throw std::runtime_error(std::string(what) + ": " + amqp_error_string2(status));
  }
}

inline void Check(const amqp_rpc_reply_t& reply, const char* what) {
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) Check(reply.library_error, what);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    throw std::runtime_error(std::string(what) + ": refused by the broker");
  }
}

inline amqp_bytes_t Bytes(const std::string& text) {
  return {text.size(), const_cast<char*>(text.data())};
}

class Connection {
 public:
  explicit Connection(std::string url) {
    amqp_connection_info info{};
    Check(amqp_parse_url(url.data(), &info), "url");
    Check(amqp_set_handshake_timeout(state_, &kPatience), "timeout");
    amqp_socket_t* socket = amqp_tcp_socket_new(state_);
    Check(amqp_socket_open(socket, info.host, info.port), "connect");
    Check(amqp_login(state_, info.vhost, 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, info.user,
                     info.password),
          "login");
    amqp_channel_open(state_, kChannel);
    Check(amqp_get_rpc_reply(state_), "channel");
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    amqp_connection_close(state_, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(state_);
  }

  amqp_connection_state_t get() const { return state_; }

 private:
  amqp_connection_state_t state_ = amqp_new_connection();
};

}  // namespace tower::bench

#endif  // TEST_BENCH_AMQP_H_
