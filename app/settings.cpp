#include "app/settings.h"

#include <arpa/inet.h>

#include <filesystem>
#include <limits>

#include "core/amqp/url.h"
#include "core/http/access.h"
#include "core/http/tokens.h"
#include "core/net/resolver.h"

namespace tower {
namespace {

constexpr auto kNoLimit = std::numeric_limits<std::int64_t>::max();

// The rule of HttpServer::Start, for addresses; host names are not resolved here.
Status CheckHost(const HttpServerOptions& http) {
  in6_addr ignored{};
  const bool is_address = inet_pton(AF_INET, http.host.c_str(), &ignored) == 1 ||
                          inet_pton(AF_INET6, http.host.c_str(), &ignored) == 1;
  if (!is_address || IsLoopbackHost(http.host) || !http.tokens_file.empty() ||
      http.allow_anonymous) {
    return Ok();
  }
  return Error{ErrorCode::kInvalid,
               "server.host: others could reach " + http.host +
                   "; set server.tokens-file, or server.host to a loopback address, or "
                   "server.allow-anonymous if everyone may send triggers"};
}

Status CheckQueueFolder(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code ignored;
  if (path == ":memory:" || folder.empty() || std::filesystem::is_directory(folder, ignored)) {
    return Ok();
  }
  return Error{ErrorCode::kInvalid, "queue.path: there is no folder " + folder.string()};
}

void DeclareServerLimits(OptionSet& options, Settings& settings) {
  options
      .Add("server.max-memory", &settings.http_max_memory,
           "Maximum memory for all requests and responses in progress; beyond it requests get 503. "
           "Unauthenticated senders may use a quarter of it.")
      .Range(1 << 20, 1LL << 40);
  options.Check({"server.max-body", "server.max-memory"}, [&settings]() -> Status {
    if (settings.http_max_memory.bytes / 8 >= settings.http_max_body.bytes) return Ok();
    return Error{ErrorCode::kInvalid,
                 "server.max-memory must be at least eight times "
                 "server.max-body: raise the first or lower the second"};
  });
  options
      .Add("server.max-connections", &settings.http.max_connections,
           "Maximum number of open connections.")
      .Range(1, 100'000);
  options
      .Add("server.max-connections-per-address", &settings.http.max_connections_per_address,
           "Maximum number of open connections from one IPv4 address or one IPv6 /64 network; "
           "all clients behind a proxy count as one address.")
      .Range(1, 100'000);
  options
      .Add("server.request-timeout", &settings.http.request_timeout,
           "Time within which a request must be received completely.")
      .Range(100, 3'600'000);
  options
      .Add(
          "server.idle-timeout", &settings.http.idle_timeout,
          "Time after which an idle connection is closed. Set it longer than the idle timeout of a "
          "proxy in front, so that the proxy closes first.")
      .Range(100, 3'600'000);
}

void DeclareServer(OptionSet& options, Settings& settings) {
  options.Add("server.host", &settings.http.host, "Address that the HTTP server listens on.")
      .NotEmpty();
  options
      .Add("server.port", &settings.http.port,
           "Port that the HTTP server listens on; 0 chooses a free port and logs it.")
      .Range(0, 65535);
  options
      .Add("server.max-body", &settings.http_max_body,
           "Maximum size of a request body; larger requests get 413.")
      .Range(1024, 1 << 30);
  options.Add(
      "server.tokens-file", &settings.http.tokens_file,
      "File of bearer tokens, one name:token per line, writable by its owner only. Without it "
      "the server listens on loopback addresses only. SIGHUP reloads it.");
  options.Add("server.allow-anonymous", &settings.http.allow_anonymous,
              "Listen on any address, even without tokens.");
  options
      .Add("server.allowed-hosts", &settings.http.allowed_hosts,
           "Host names that requests without a token may use, in addition to localhost, loopback "
           "addresses and server.host.")
      .Commas();
  options.Check({"server.allowed-hosts"}, [&settings]() -> Status {
    for (const auto& host : settings.http.allowed_hosts) {
      if (auto fits = CheckAllowedHost(host); !fits) {
        return Annotate("server.allowed-hosts: \"" + host + "\" must be", fits.error());
      }
    }
    return Ok();
  });
  options.Check({"server.host", "server.tokens-file", "server.allow-anonymous"},
                [&settings] { return CheckHost(settings.http); });
  options.Check({"server.tokens-file"}, [&settings]() -> Status {
    if (settings.http.tokens_file.empty()) return Ok();
    const auto tokens = HttpTokens::Load(settings.http.tokens_file);
    return tokens ? Ok() : Status(tokens.error());
  });
  options.Warn({"server.tokens-file"}, [&settings]() -> Status {
    if (settings.http.tokens_file.empty()) return Ok();
    const auto tokens = HttpTokens::Load(settings.http.tokens_file);
    if (!tokens || tokens->warning().empty()) return Ok();
    return Error{ErrorCode::kInvalid, tokens->warning()};
  });
}

void DeclareHttpClients(OptionSet& options, Settings& settings) {
  options.Add("http.deny", &settings.http_deny,
              "Addresses that watchers may not contact, checked after DNS resolution: networks, "
              "addresses, and the names link-local, metadata (of clouds), loopback and private.");
  options.Add("http.ca-file", &settings.http_policy.ca_file,
              "PEM file of CA certificates that services are verified against; by default those of "
              "the system.");
  options.Check({"http.deny", "http.ca-file"},
                [&settings] { return CheckHttpPolicy(settings.http_policy); });
}

void DeclareAmqp(OptionSet& options, Settings& settings) {
  options
      .Add("amqp.url", &settings.amqp_urls,
           "URL of RabbitMQ, or several separated by commas, which are tried in turn; amqps:// "
           "uses TLS.")
      .NotEmpty()
      .Commas()
      .Secret();
  options.Add("amqp.exchange", &settings.amqp.exchange, "Exchange to publish to.").NotEmpty();
  options
      .Add("amqp.exchange-type", &settings.amqp.exchange_type,
           "Type with which the exchange is declared.")
      .NotEmpty();
  options.Add(
      "amqp.queue", &settings.amqp.queue,
      "Durable quorum queue to declare and to bind to every routing key, so that no trigger "
      "is unroutable before there are consumers.");
  options.Add("amqp.declare", &settings.amqp.declare,
              "Declare the exchange and the queue; false only checks that they exist.");
  options.Add(
      "amqp.ca-file", &settings.amqp.ca_file,
      "PEM file of CA certificates that the broker is verified against; by default those of "
      "the system.");
  options.Add("amqp.cert", &settings.amqp.cert,
              "PEM file with the client certificate for the broker.");
  options.Add("amqp.key", &settings.amqp.key,
              "PEM file with the private key of the client certificate.");
  options
      .Add("amqp.heartbeat", &settings.amqp.heartbeat,
           "Heartbeat interval; a connection that is silent for twice this time is closed.")
      .Range(1000, 600'000);
  options
      .Add("amqp.window", &settings.publisher.window,
           "Maximum number of unconfirmed messages in flight.")
      .Range(1, 65'535);
  options.Warn({"broker", "amqp.url"}, [&settings]() -> Status {
    return settings.broker == "amqp" ? CheckAmqpSecrecy(settings.amqp) : Ok();
  });
  options.Check({"amqp.cert", "amqp.key"}, [&settings]() -> Status {
    if (settings.amqp.cert.empty() == settings.amqp.key.empty()) return Ok();
    return Error{ErrorCode::kInvalid, "amqp.cert and amqp.key need each other: set both or none"};
  });
  options.Check({"broker", "amqp.url", "amqp.exchange", "amqp.queue", "amqp.ca-file", "amqp.cert",
                 "amqp.key"},
                [&settings]() -> Status {
                  const bool half = settings.amqp.cert.empty() != settings.amqp.key.empty();
                  if (settings.broker != "amqp" || half) return Ok();
                  return CheckAmqpOptions(settings.amqp);
                });
}

void DeclareQueue(OptionSet& options, Settings& settings) {
  auto& queue = settings.queue;
  options
      .Add("queue.path", &queue.path,
           "Queue file; its folder must exist. :memory: stores nothing on disk.")
      .NotEmpty();
  options
      .Add("queue.max-bytes", &settings.queue_max_bytes,
           "Maximum queue size; history is deleted first, then new triggers are refused. 0 means "
           "1GiB, or half of the volume of queue.path if that is less.")
      .Range(0, std::int64_t{16} << 40);
  options.Check({"queue.max-bytes"}, [&settings]() -> Status {
    const auto bytes = settings.queue_max_bytes.bytes;
    if (bytes == 0 || bytes >= (1 << 20)) return Ok();
    return Error{ErrorCode::kInvalid, "queue.max-bytes: must be 0 or at least 1MiB"};
  });
  options
      .Add("queue.retention", &queue.retention, "How long published triggers are kept for lookup.")
      .Range(0, kNoLimit);
  options
      .Add("queue.max-history", &queue.max_history,
           "Maximum number of published triggers kept for lookup.")
      .Range(0, kNoLimit);
  options.Check({"queue.path"}, [&queue] { return CheckQueueFolder(queue.path); });
  options.CheckWorld({"queue.path"}, [&queue] { return CheckQueueFile(queue.path); });
}

}  // namespace

Result<BrokerUrl> OptionCodec<BrokerUrl>::Parse(std::string_view text) {
  if (auto fits = CheckAmqpUrl(text); !fits) return fits.error();
  return BrokerUrl{std::string(text)};
}

Result<DeniedNetwork> OptionCodec<DeniedNetwork>::Parse(std::string_view text) {
  if (auto fits = CheckHttpNetwork(text); !fits) return fits.error();
  return DeniedNetwork{std::string(text)};
}

Settings::Settings()
    : http_max_body{http.max_body},
      http_max_memory{http.max_memory},
      queue_max_bytes{queue.max_bytes} {
  for (const auto& url : amqp.urls) amqp_urls.push_back({url});
  for (const auto& network : http_policy.deny) http_deny.push_back({network});
}

void Settings::Complete() {
  amqp.urls.clear();
  for (const auto& url : amqp_urls) amqp.urls.push_back(url.text);
  http_policy.deny.clear();
  for (const auto& network : http_deny) http_policy.deny.push_back(network.text);
  http.max_body = http_max_body.bytes;
  http.max_memory = http_max_memory.bytes;
  queue.max_bytes = queue_max_bytes.bytes;
}

LogLevel Settings::level() const {
  if (log_level == "debug") return LogLevel::kDebug;
  if (log_level == "warn") return LogLevel::kWarn;
  return log_level == "error" ? LogLevel::kError : LogLevel::kInfo;
}

LogFormat Settings::format() const {
  if (log_format == "text") return LogFormat::kText;
  return log_format == "json" ? LogFormat::kJson : LogFormat::kAuto;
}

void Declare(OptionSet& options, Settings& settings) {
  options
      .Add("plugin", &settings.plugins,
           "A watcher to run: the name of a plugin, or NAME=PLUGIN for a watcher of another "
           "name. May be repeated.")
      .Commas();
  options
      .Add("broker", &settings.broker,
           "Where triggers go: RabbitMQ, or standard output, each as a line of JSON.")
      .OneOf({"amqp", "stdout"});
  options.Add("config", &settings.config, "Configuration file, in TOML.");
  DeclareServer(options, settings);
  DeclareServerLimits(options, settings);
  DeclareHttpClients(options, settings);
  DeclareAmqp(options, settings);
  DeclareQueue(options, settings);
  options.Add("log.level", &settings.log_level, "Least level that is logged, to standard error.")
      .OneOf({"debug", "info", "warn", "error"});
  options
      .Add("log.format", &settings.log_format,
           "Form of the log; auto is text on a terminal, else JSON.")
      .OneOf({"auto", "text", "json"});
  options
      .Add("shutdown.grace", &settings.shutdown_grace,
           "How long what is queued may still be published at the end; the rest stays on disk.")
      .Range(0, 3'600'000);
  options.Add("supervisor.exit-on-failure", &settings.supervisor.exit_on_failure,
              "End the process when a watcher fails for good, instead of going on without it.");
}

std::vector<Error> Setup::Warnings() const {
  auto out = core.Warnings();
  for (const auto& watcher : watchers) {
    for (const auto& warning : watcher.options->Warnings()) {
      out.push_back(Annotate(watcher.options->prefix(), warning));
    }
  }
  return out;
}

std::vector<Option*> Setup::AllOptions() {
  std::vector<Option*> out;
  for (auto& option : core.all()) out.push_back(&option);
  for (auto& watcher : watchers) {
    for (auto& option : watcher.options->all()) out.push_back(&option);
  }
  return out;
}

}  // namespace tower
