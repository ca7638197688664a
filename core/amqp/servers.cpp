#include "core/amqp/servers.h"

#include <memory>
#include <utility>

#include "core/amqp/url.h"
#include "core/net/stream.h"

namespace tower {
namespace {

TlsClientFiles TlsFilesOf(const AmqpServers& servers) {
  return {servers.ca_file, servers.cert, servers.key, servers.prefix};
}

}  // namespace

Status CheckAmqpServers(const AmqpServers& servers) {
  if (Status urls = CheckAmqpUrls(servers); !urls) return urls;
  return CheckAmqpCertificate(servers);
}

Status CheckAmqpUrls(const AmqpServers& servers) {
  const auto& prefix = servers.prefix;
  if (servers.urls.empty()) {
    return Error{ErrorCode::kInvalid, prefix + "url: at least one is needed"};
  }
  for (const std::string& text : servers.urls) {
    if (Status url = CheckAmqpUrl(text); !url) return Annotate(prefix + "url", url.error());
  }
  return Ok();
}

Status CheckAmqpCertificate(const AmqpServers& servers) {
  if (servers.cert.empty() == servers.key.empty()) return Ok();
  const auto& prefix = servers.prefix;
  return Error{ErrorCode::kInvalid, prefix + "cert and " + prefix + "key belong together"};
}

Status CheckAmqpSecrecy(const AmqpServers& servers) {
  std::string hosts;
  for (const std::string& text : servers.urls) {
    const auto url = ParseAmqpUrl(text);
    if (!url || url->tls || !url->has_user || IsLoopbackHost(url->host)) continue;
    hosts += (hosts.empty() ? "" : ", ") + url->host;
  }
  if (hosts.empty()) return Ok();
  return Error{ErrorCode::kInvalid, servers.prefix + "url: the password goes unencrypted to " +
                                        hosts + "; use amqps:// on networks that are not trusted"};
}

Status CheckAmqpTlsFiles(const AmqpServers& servers) {
  for (const std::string& text : servers.urls) {
    const auto url = ParseAmqpUrl(text);
    if (!url || !url->tls) continue;
    auto loaded = TlsClient::Load(TlsFilesOf(servers));
    if (!loaded) return loaded.error();
    return Ok();
  }
  return Ok();
}

Status AmqpDialer::Connect(AmqpSession& session, const std::stop_token& stop,
                           const std::function<void()>& forget,
                           const std::function<Status()>& set_up) {
  const std::stop_callback on_stop(stop, [&session] { session.Interrupt(); });
  Error failed{ErrorCode::kPermanent, ""};
  for (std::size_t i = 0; i < servers_.urls.size(); ++i) {
    const std::size_t index = (current_ + i) % servers_.urls.size();
    const std::string& url = servers_.urls[index];
    forget();
    Status done = Open(session, url, stop);
    if (done) done = set_up();
    if (done) {
      current_ = index;
      return Ok();
    }
    session.Close();
    if (done.error().code == ErrorCode::kStopped) return done;
    if (done.error().retryable()) failed.code = ErrorCode::kUnavailable;
    if (!failed.message.empty()) failed.message += "; ";
    failed.message += RedactAmqpUrl(url) + ": " + done.error().message;
  }
  return failed;
}

Status AmqpDialer::Open(AmqpSession& session, const std::string& text,
                        const std::stop_token& stop) const {
  auto url = ParseAmqpUrl(text);
  if (!url) return url.error();
  std::shared_ptr<const TlsClient> tls;
  if (url->tls) {
    auto loaded = TlsClient::Load(TlsFilesOf(servers_));
    if (!loaded) return loaded.error();
    tls = std::move(*loaded);
  }
  AmqpSettings settings;
  settings.heartbeat = servers_.heartbeat;
  settings.timeout = servers_.timeout;
  settings.name = servers_.name;
  settings.external_login = url->tls && !servers_.cert.empty() && !url->has_user;
  settings.prefix = servers_.prefix;
  return session.Open(*url, tls.get(), settings, stop);
}

std::string AmqpDialer::Address() const { return RedactAmqpUrl(servers_.urls[current_]); }

}  // namespace tower
