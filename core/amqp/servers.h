// The brokers that a setting names, one or several, and how a session comes to one of them.
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
  std::string cert;     // PEM; also the login, where the URL names no user
  std::string key;
  std::chrono::milliseconds heartbeat{15'000};
  std::chrono::milliseconds timeout{10'000};  // for connecting, and for each answer
  std::string name = "control-tower";         // of the connection, for the broker's pages
  std::string prefix = "amqp.";               // of the options that all this comes from, for errors
};

// What can be checked without the world: of the URLs, of the client certificate, of both. kInvalid
// names the option.
Status CheckAmqpUrls(const AmqpServers& servers);
Status CheckAmqpCertificate(const AmqpServers& servers);
Status CheckAmqpServers(const AmqpServers& servers);
// kInvalid, as a warning, names the hosts to which a password would go unencrypted over a network.
Status CheckAmqpSecrecy(const AmqpServers& servers);
// Where TLS is asked for: whether its files can be read. kInvalid names the file.
Status CheckAmqpTlsFiles(const AmqpServers& servers);

// Used by one thread.
class AmqpDialer {
 public:
  explicit AmqpDialer(const AmqpServers& servers) : servers_(servers) {}  // which outlives it

  // Tries each URL once, beginning with the one that was connected last. Reads the TLS files again.
  // Before each, `forget` drops what was heard of the one before; after login `set_up` does what a
  // connection needs to be of use, and its error counts as the URL's. kPermanent when nothing but a
  // change of settings would help with any of them. A stop interrupts it.
  Status Connect(AmqpSession& session, const std::stop_token& stop,
                 const std::function<void()>& forget, const std::function<Status()>& set_up);
  std::string Address() const;  // of the URL connected last, without credentials

 private:
  Status Open(AmqpSession& session, const std::string& url, const std::stop_token& stop) const;

  const AmqpServers& servers_;
  std::size_t current_ = 0;  // of the URLs
};

}  // namespace tower

#endif  // CORE_AMQP_SERVERS_H_
