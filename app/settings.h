// All options of the core, as values.
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

// An AMQP URL that could be parsed. May hold a password.
struct BrokerUrl {
  std::string text;
};
template <>
struct OptionCodec<BrokerUrl> {
  static constexpr std::string_view kType = "url";
  static Result<BrokerUrl> Parse(std::string_view text);
  static std::string Format(const BrokerUrl& value) { return value.text; }
};

// A network, or a single address.
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

  // As they are written; Complete passes them on to the above.
  std::vector<BrokerUrl> amqp_urls;
  std::vector<DeniedNetwork> http_deny;
  ByteSize http_max_body;
  ByteSize http_max_memory;
  ByteSize queue_max_bytes;
  std::string log_level = "info";
  std::string log_format = "auto";

  Settings();
  void Complete();  // once every option was set

  LogLevel level() const;
  LogFormat format() const;
};

// Declares every option of the core; `settings` outlives `options`.
void Declare(OptionSet& options, Settings& settings);

// A watcher that was enabled: named, made, and its options declared.
struct ConfiguredWatcher {
  std::string name;
  const WatcherKind* kind = nullptr;
  std::unique_ptr<Watcher> watcher;
  std::unique_ptr<OptionSet> options;  // bound to the watcher
};

// A whole configuration. Stays where it is: options point into it.
struct Setup {
  Settings settings;
  OptionSet core;
  std::vector<ConfiguredWatcher> watchers;

  Setup() { Declare(core, settings); }
  std::vector<Option*> AllOptions();
  // What is unwise but no fault, each naming its option. Of a setup without faults.
  std::vector<Error> Warnings() const;
};

// Logged with each of the warnings of a setup that comes into force.
inline constexpr std::string_view kUnwise = "unsafe option";

// A configuration, or all that is wrong with it.
struct Configured {
  std::unique_ptr<Setup> setup;
  ConfigErrors errors;  // without any, the setup is right
};

}  // namespace tower

#endif  // APP_SETTINGS_H_
