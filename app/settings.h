// The values of all options of the core, and a complete configuration.
#ifndef APP_SETTINGS_H_
#define APP_SETTINGS_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/sources.h"
#include "core/base/log.h"
#include "core/http/server.h"
#include "core/http_client/client.h"
#include "core/options/options.h"
#include "core/publish/amqp_broker.h"
#include "core/publish/publisher.h"
#include "core/queue/queue.h"
#include "core/watch/supervisor.h"
#include "core/watch/watcher.h"

namespace tower {

// A valid AMQP URL. It may contain a password.
struct BrokerUrl {
  std::string text;
};
template <>
struct OptionCodec<BrokerUrl> {
  static constexpr std::string_view kType = "url";
  static Result<BrokerUrl> Parse(std::string_view text);
  static std::string Format(const BrokerUrl& value) { return value.text; }
};

// An item of http.deny.
struct DeniedNetwork {
  std::string text;
};
template <>
struct OptionCodec<DeniedNetwork> {
  static constexpr std::string_view kType = "network";
  static Result<DeniedNetwork> Parse(std::string_view text);
  static std::string Format(const DeniedNetwork& value) { return value.text; }
};

struct Settings {
  std::vector<std::string> plugins;
  std::string broker = "amqp";
  std::string config;
  HttpServerOptions http;
  HttpPolicy http_policy = DefaultHttpPolicy();
  AmqpOptions amqp;
  PublisherOptions publisher;
  QueueOptions queue;
  SupervisorOptions supervisor;
  std::chrono::milliseconds shutdown_grace{10'000};

  // Values as configured; Complete converts them and stores them in the members above.
  std::vector<BrokerUrl> amqp_urls;
  std::vector<DeniedNetwork> http_deny;
  ByteSize http_max_body;
  ByteSize http_max_memory;
  ByteSize queue_max_bytes;
  std::string log_level = "info";
  std::string log_format = "auto";

  Settings();
  void Complete();  // to be called once all options are set

  LogLevel level() const;
  LogFormat format() const;
};

// Declares every option of the core; `settings` outlives `options`.
void Declare(OptionSet& options, Settings& settings);

// An enabled watcher with its options.
struct ConfiguredWatcher {
  std::string name;
  const WatcherKind* kind = nullptr;
  std::unique_ptr<Watcher> watcher;
  std::unique_ptr<OptionSet> options;  // bound to the watcher
};

// A complete configuration. It must not be moved, because its options point into it.
struct Setup {
  Settings settings;
  OptionSet core;
  std::vector<ConfiguredWatcher> watchers;

  Setup() { Declare(core, settings); }
  std::vector<Option*> AllOptions();
  // Warnings, each of which names its option. REQUIRES: the setup has no errors.
  std::vector<Error> Warnings() const;
};

// The log message for each warning when a setup comes into force.
inline constexpr std::string_view kUnwise = "unsafe option";

// A configuration, or all of its errors.
struct Configured {
  std::unique_ptr<Setup> setup;
  ConfigErrors errors;  // if empty, the setup is valid
};

}  // namespace tower

#endif  // APP_SETTINGS_H_
