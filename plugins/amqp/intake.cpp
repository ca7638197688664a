#include "plugins/amqp/intake.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "core/base/digest.h"
#include "core/base/wakeup.h"
#include "plugins/amqp/event.h"

namespace tower::amqp {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kStep{500};   // the consumer has to be called once a second
constexpr milliseconds kRetry{100};  // while the queue is full
constexpr milliseconds kDrainTime{500};
constexpr milliseconds kSlice{50};  // of mapping, before the broker and the disk are attended to
constexpr std::size_t kFingerprint = 32;  // hexadecimal digits

// A message that is delivered again is recognized by the uuids of its triggers, or else by its id.
// Its body distinguishes it from another message with the same id.
bool NeedsKey(std::span<const Trigger> triggers) {
  return !std::all_of(triggers.begin(), triggers.end(),
                      [](const Trigger& trigger) { return trigger.uuid().has_value(); });
}

}  // namespace

struct Intake::Answers {
  Wakeup wakeup;
  // The queue was full for a message, which is to be submitted again before later ones.
  std::atomic<bool> full{false};
  // Guarded by mutex.
  std::mutex mutex;
  std::vector<std::pair<std::uint64_t, Status>> list;  // by the number of the message

  void Add(std::uint64_t number, Status status) {
    if (!status && status.error().code == ErrorCode::kFull) full.store(true);
    const std::lock_guard lock(mutex);
    if (list.empty()) wakeup.Signal();
    list.emplace_back(number, std::move(status));
  }
};

Intake::Intake(WatcherContext& tower, AmqpConsumer& consumer, Mapping& mapping,
               const IntakeOptions& options)
    : tower_(tower),
      consumer_(consumer),
      mapping_(mapping),
      options_(options),
      answers_(std::make_shared<Answers>()) {}

Intake::~Intake() = default;

Status Intake::Run(const std::stop_token& stop) {
  const std::stop_callback on_stop(stop, [this] { answers_->wakeup.Signal(); });
  while (!stop.stop_requested()) {
    if (Status step = Step(true); !step) return step;
  }
  const auto deadline = Clock::now() + kDrainTime;
  while (submitted_ > 0 && Clock::now() < deadline) {
    if (Status step = Step(false); !step) return step;
  }
  return Ok();
}

Status Intake::Step(bool taking) {
  const bool more = taking && !deliveries_.empty();
  const auto timeout = more ? milliseconds(0) : taking && !answers_->full ? kStep : kRetry;
  if (Status s = consumer_.Wait(timeout, answers_->wakeup.fd(), deliveries_); !s) return s;
  answers_->wakeup.Clear();
  if (!answers_->full) tower_.ReportSuccess();
  if (Status s = Collect(); !s) return s;
  if (taking) {
    // A slow map must not delay heartbeats and acks: the broker would deliver everything again.
    const auto enough = Clock::now() + kSlice;
    while (!deliveries_.empty()) {
      Take(deliveries_.front());
      deliveries_.pop_front();
      if (Clock::now() >= enough) break;
    }
    SubmitWaiting();
  }
  return Settle();
}

void Intake::Take(AmqpDelivery& delivery) {
  auto& message = messages_.emplace_back();
  message.tag = delivery.tag;
  message.name = NameOf(delivery);
  message.routing_key = delivery.routing_key;
  if (delivery.size > options_.max_size) {
    return Refuse(message, "larger than max-size: " + std::to_string(delivery.size) + " bytes");
  }
  auto triggers = mapping_.given() ? mapping_.Apply(EventJson(delivery, tape_), message.name)
                                   : mapping_.Apply(delivery.body, message.name);
  if (!triggers) return Refuse(message, triggers.error().message);
  if (triggers->empty()) {
    tower_.log.Debug("message ignored: the mapping returned nil",
                     {{"message", message.name}, {"routing_key", message.routing_key}});
    message.state = State::kDone;
    return;
  }
  message.triggers = std::move(*triggers);
  if (delivery.message_id.empty() || !NeedsKey(message.triggers)) return;
  message.key = std::move(delivery.message_id);
  message.fingerprint = Sha256Hex(delivery.body).substr(0, kFingerprint);
}

void Intake::Refuse(Message& message, std::string_view why) {
  message.state = State::kRefused;
  message.triggers.clear();
  tower_.log.Warn("message rejected", {{"message", message.name},
                                       {"routing_key", message.routing_key},
                                       {"error", why},
                                       {"action", options_.drop ? "dropped" : "rejected"}});
  tower_.notes.Reject(message.name + ": " + std::string(why));
}

void Intake::SubmitWaiting() {
  if (answers_->full) {
    if (submitted_ > 0 || Clock::now() < retry_at_) return;
    answers_->full = false;
    next_ = 0;
  }
  for (; next_ < messages_.size() && !answers_->full; ++next_) {
    if (messages_[next_].state == State::kWaiting) Submit(next_);
  }
}

void Intake::Submit(std::size_t index) {
  auto& message = messages_[index];
  Event event;
  event.key = message.key;
  event.fingerprint = message.fingerprint;
  tower_.queue.Submit(message.triggers, event,
                      [answers = answers_, number = first_ + index](const auto& put) {
                        answers->Add(number, put ? Ok() : Status(put.error()));
                      });
  message.state = State::kSubmitted;
  ++submitted_;
}

Status Intake::Collect() {
  std::vector<std::pair<std::uint64_t, Status>> list;
  {
    const std::lock_guard lock(answers_->mutex);
    list.swap(answers_->list);
  }
  for (const auto& [number, status] : list) {
    auto& message = messages_[number - first_];
    --submitted_;
    if (status) {
      message.state = State::kDone;
      message.triggers.clear();
      continue;
    }
    switch (status.error().code) {
      case ErrorCode::kFull:
        message.state = State::kWaiting;
        retry_at_ = Clock::now() + kRetry;
        break;
      case ErrorCode::kConflict:
        Refuse(message, message.key.empty() ? status.error().message
                                            : "its message_id is known with another body");
        break;
      case ErrorCode::kInvalid:
        Refuse(message, status.error().message);
        break;
      default:
        return status;
    }
  }
  return Ok();
}

// In the order of delivery, so that one ack covers many messages.
Status Intake::Settle() {
  std::optional<std::uint64_t> done;
  for (; !messages_.empty(); messages_.pop_front(), ++first_) {
    const auto& message = messages_.front();
    if (message.state == State::kDone || (message.state == State::kRefused && options_.drop)) {
      done = message.tag;
    } else if (message.state == State::kRefused) {
      if (Status s = consumer_.Reject(message.tag); !s) return s;
    } else {
      break;
    }
    if (next_ > 0) --next_;
  }
  return done ? consumer_.Ack(*done, true) : Ok();
}

}  // namespace tower::amqp
