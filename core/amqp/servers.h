// The configured brokers, one or several, and connecting a session to one of them.
#ifndef CORE_AMQP_SERVERS_H_
#define CORE_AMQP_SERVERS_H_

#include <chrono>
#include <cstddef>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/amqp/session.h"
#include "core/base/result.h"

namespace tower {

struct AmqpServers {
  std::vector<std::string> urls = {"amqp://guest:guest@127.0.0.1:5672/%2f"};  // tried in turn
  std::string ca_file;  // PEM; empty: SSL_CERT_FILE, else the system's bundle
  std::string cert;     // PEM; also used to log in if the URL has no user
  std::string key;
  std::chrono::milliseconds heartbeat{15'000};
  std::chrono::milliseconds timeout{10'000};  // for connecting, and for each reply
  std::string name = "control-tower";         // connection name in the broker's management UI
  std::string prefix = "amqp.";               // prefix of the options, for error messages
};

// Check the URLs, the client certificate, or both, without accessing files or the network.
// kInvalid; the message names the option.
Status CheckAmqpUrls(const AmqpServers& servers);
Status CheckAmqpCertificate(const AmqpServers& servers);
Status CheckAmqpServers(const AmqpServers& servers);
// For a warning: kInvalid names the hosts to which a password would be sent over a network
// unencrypted.
Status CheckAmqpSecrecy(const AmqpServers& servers);
// If TLS is used, checks that its files can be read. kInvalid; the message names the file.
Status CheckAmqpTlsFiles(const AmqpServers& servers);

// Used by one thread.
class AmqpDialer {
 public:
  // `servers` outlives the dialer.
  explicit AmqpDialer(const AmqpServers& servers) : servers_(servers) {}

  // Tries each URL once, starting with the one that was connected last, and reads the TLS files
  // again. Calls `forget` before each attempt, to drop state of the previous connection, and
  // `set_up` after login; an error of `set_up` counts as an error of this URL. kPermanent if only a
  // change of settings can help, for every URL. A stop interrupts it.
  Status Connect(AmqpSession& session, const std::stop_token& stop,
                 const std::function<void()>& forget, const std::function<Status()>& set_up);
  std::string Address() const;  // of the URL that was connected last, without credentials

 private:
  Status Open(AmqpSession& session, const std::string& url, const std::stop_token& stop) const;

  const AmqpServers& servers_;
  std::size_t current_ = 0;  // index into the URLs
};

}  // namespace tower

#endif  // CORE_AMQP_SERVERS_H_
