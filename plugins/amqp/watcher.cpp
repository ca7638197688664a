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
             "Where RabbitMQ is: one or several, separated by commas, tried in turn; `amqps://` "
             "for TLS.")
        .Required()
        .Commas()
        .Secret();
    options.Add("queue", &consumer.queue, "Queue to consume.").Required();
    options.Add("declare", &consumer.declare,
                "Make the queue, durable and of type quorum; false only checks that it is there.");
    options.Add("exchange", &consumer.exchange, "Exchange to bind the queue to.");
    options.Add("bind", &consumer.keys, "Routing keys of these bindings, such as `lab.#`.");
    options
        .Add("prefetch", &self.prefetch_,
             "Most messages that are taken and not yet acked; in memory at most this many times "
             "max-size.")
        .Range(1, 65'535);
    options.Add("max-size", &self.max_size_, "Messages with a larger body are refused.")
        .Range(1024, 64LL << 20U);
    options
        .Add("on-failure", &self.on_failure_,
             "What becomes of a message that is no trigger: `reject` leaves it to the queue's "
             "dead letter exchange, `drop` acks it.")
        .OneOf({"reject", "drop"});
    options.Add("ca-file", &consumer.ca_file,
                "Certificates, in PEM, that a broker's certificate is checked against; without it "
                "those of the system.");
    options.Add("cert", &consumer.cert, "Client certificate for the broker, in PEM.");
    options.Add("key", &consumer.key, "File with its private key, in PEM.");
    options
        .Add("heartbeat", &consumer.heartbeat,
             "After twice this time without a sign of life the connection counts as dead.")
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
      log.Info("map says", {{"text", line}});
    });
    if (Status loaded = mapping_.Load(); !loaded) return loaded;
    if (!consumer_) {
      consumer_options_.prefetch = static_cast<std::uint16_t>(prefetch_);
      consumer_options_.max_body = max_size_.bytes;
      consumer_options_.name += " " + tower.name;
      consumer_ = std::make_unique<AmqpConsumer>(consumer_options_);
    }
    if (Status opened = consumer_->Open(stop); !opened) return opened;
    tower.log.Info("queue is consumed",
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
  // Keeps what it knows of the brokers from one Run to the next.
  std::unique_ptr<AmqpConsumer> consumer_;
};

REGISTER_WATCHER(AmqpWatcher, "amqp",
                 "Consumes a queue of RabbitMQ and makes each message a trigger.");

}  // namespace
}  // namespace tower
