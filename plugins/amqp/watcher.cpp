#include "core/watch/watcher.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/amqp/consumer.h"
#include "core/watch/mapping.h"
#include "plugins/amqp/intake.h"

namespace tower {
namespace {

class AmqpWatcher final : public Watcher {
 public:
  static void Declare(OptionSet& options, AmqpWatcher& self) {
    auto& consumer = self.consumer_options_;
    consumer.prefix = options.prefix() + ".";
    consumer.urls.clear();
    options
        .Add("url", &consumer.urls,
             "URLs of the brokers, tried in turn, separated by commas; `amqps://` for TLS.")
        .Required()
        .Commas()
        .Secret();
    options.Add("queue", &consumer.queue, "Queue to consume.").Required();
    options.Add("declare", &consumer.declare,
                "Declare the queue, durable and of type quorum. Otherwise it must exist.");
    options.Add("exchange", &consumer.exchange, "Exchange to bind the queue to.");
    options.Add("bind", &consumer.keys, "Routing keys of the bindings, such as `lab.#`.");
    options
        .Add("prefetch", &self.prefetch_,
             "Maximum number of unacknowledged messages. They use at most this many times max-size "
             "of memory.")
        .Range(1, 65'535);
    options
        .Add("max-size", &self.max_size_,
             "Maximum size of a message body. Larger messages are refused.")
        .Range(1024, 64LL << 20U);
    options
        .Add("on-failure", &self.on_failure_,
             "What to do with a message that is not a valid trigger: `reject` it, so that it goes "
             "to the dead letter exchange of the queue, or `drop` it (acknowledge it).")
        .OneOf({"reject", "drop"});
    options.Add("ca-file", &consumer.ca_file,
                "CA certificates (PEM) that the broker's certificate is verified against. Default: "
                "those of the system.");
    options.Add("cert", &consumer.cert, "Client certificate for the broker (PEM).");
    options.Add("key", &consumer.key, "Private key of the client certificate (PEM).");
    options
        .Add("heartbeat", &consumer.heartbeat,
             "Heartbeat interval. The connection counts as dead after two intervals without "
             "traffic.")
        .Range(1000, 600'000);
    self.mapping_.Declare(options);
    self.DeclareRules(options);
  }

  void DeclareRules(OptionSet& options) {
    const auto named = [this] {
      auto out = consumer_options_;
      out.prefix.clear();  // the message stands behind the watcher's name
      return out;
    };
    options.Check({"url"}, [named] { return CheckAmqpUrls(named()); });
    options.Warn({"url"}, [named] { return CheckAmqpSecrecy(named()); });
    options.Check({"cert", "key"}, [named] { return CheckAmqpCertificate(named()); });
    options.Check({"queue", "exchange", "bind"},
                  [named] { return CheckAmqpConsumerOptions(named()); });
    options.CheckWorld({"url", "ca-file", "cert", "key"},
                       [this] { return CheckAmqpTlsFiles(consumer_options_); });
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    mapping_.OnPrint([log = tower.log](std::string_view line) {
      log.Info("map output", {{"text", line}});
    });
    if (Status loaded = mapping_.Load(); !loaded) return loaded;
    if (!consumer_) {
      consumer_options_.prefetch = static_cast<std::uint16_t>(prefetch_);
      consumer_options_.max_body = max_size_.bytes;
      consumer_options_.name += " " + tower.name;
      consumer_ = std::make_unique<AmqpConsumer>(consumer_options_);
    }
    if (Status opened = consumer_->Open(stop); !opened) return opened;
    tower.log.Info("consuming queue",
                   {{"broker", consumer_->Address()}, {"queue", consumer_options_.queue}});
    amqp::Intake intake(tower, *consumer_, mapping_, {max_size_.bytes, on_failure_ == "drop"});
    Status done = intake.Run(stop);
    consumer_->Close();
    return done;
  }

  Mapping* mapping() override { return &mapping_; }
  bool Connects() const override { return true; }

 private:
  AmqpConsumerOptions consumer_options_;
  std::int64_t prefetch_ = 500;
  ByteSize max_size_{1U << 20U};
  std::string on_failure_ = "reject";
  Mapping mapping_;
  // Keeps what is known of the brokers from one Run to the next.
  std::unique_ptr<AmqpConsumer> consumer_;
};

REGISTER_WATCHER(AmqpWatcher, "amqp",
                 "Consumes a queue of RabbitMQ and makes each message a trigger.");

}  // namespace
}  // namespace tower
