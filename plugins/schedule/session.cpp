#include "plugins/schedule/session.h"

#include <utility>
#include <vector>

#include "core/json/writer.h"
#include "core/watch/checkpoint.h"

namespace tower::schedule {
namespace {

constexpr const char* kCheckpoint = "schedule";

}  // namespace

Session::Session(WatcherContext& tower, Settings& settings, Zone zone, Clock& clock)
    : tower_(tower),
      settings_(settings),
      zone_(std::move(zone)),
      clock_(clock),
      times_(settings.TimesIn(zone_)),
      policy_(settings.MakePolicy()),
      definition_(settings.Definition()) {}

Status Session::Run(const std::stop_token& stop) {
  if (auto recalled = Recall(); !recalled) return recalled;
  while (!stop.stop_requested()) {
    const auto now = clock_.Now();
    if (IsFromWrongClock(until_, now)) {
      tower_.log.Warn(
          "the clock was set back by more than a day; the schedule starts again from now",
          {{"done", FormatTime(until_, zone_)}, {"now", FormatTime(now, zone_)}});
      if (auto begun = BeginAt(now); !begun) return begun;
    }
    const auto step = Plan(times_, until_, now, policy_);
    if (step.fire || step.skipped) {
      if (auto taken = Take(step, now); !taken) return taken;
      continue;
    }
    tower_.ReportSuccess();
    ReportNext(step.next);
    if (!clock_.Wait(step.next, stop)) break;
  }
  return Ok();
}

Status Session::Recall() {
  const auto now = clock_.Now();
  auto text = tower_.queue.Recall(kCheckpoint);
  if (!text) return text.error();
  if (!*text) return BeginAt(now);
  auto checkpoint = Decode(**text);
  if (!checkpoint) return UnknownCheckpoint(kCheckpoint);
  if (checkpoint->definition != definition_) {
    tower_.log.Info("the schedule was changed; it starts again from now");
    return BeginAt(now);
  }
  until_ = checkpoint->until;
  return Ok();
}

Status Session::BeginAt(Instant now) {
  until_ = now;
  return Put({});
}

Status Session::Take(const Step& step, Instant now) {
  if (step.skipped && now - *step.skipped > kOnTime) {
    tower_.log.Warn("missed runs do not fire", {{"from", FormatTime(*step.skipped, zone_)},
                                                {"before", FormatTime(step.until, zone_)},
                                                {"catch_up", settings_.catch_up}});
  }
  until_ = step.until;
  return step.fire ? Fire(step, now) : Put({});
}

Status Session::Fire(const Step& step, Instant now) {
  const auto time = *step.fire;
  std::vector<Trigger> triggers;
  if (settings_.mapping.given()) {
    auto mapped =
        settings_.mapping.Apply(EventOf(step, now), "the run at " + FormatTime(time, zone_));
    if (!mapped && mapped.error().code == ErrorCode::kInvalid) return Reject(mapped.error(), time);
    if (!mapped) return mapped.error();
    triggers = std::move(*mapped);
  } else {
    triggers.push_back(settings_.trigger);
  }
  if (triggers.empty()) {
    tower_.log.Debug("run ignored: the mapping returned nil", {{"time", FormatTime(time, zone_)}});
  }
  auto put = triggers.empty() ? Put({}) : Put(triggers, FormatTime(time));
  return !put && put.error().of_event() ? Reject(put.error(), time) : put;
}

Status Session::Reject(const Error& error, Instant time) {
  tower_.log.Warn("run rejected", {{"time", FormatTime(time, zone_)}, {"error", error}});
  tower_.notes.Reject(FormatTime(time, zone_) + ": " + error.message);
  return Put({});
}

Status Session::Put(std::span<const Trigger> triggers, std::string_view key) {
  const CheckpointChange remember{kCheckpoint, Encode({definition_, until_})};
  return tower_.queue.Put(triggers, {.key = key, .remember = std::span(&remember, 1)});
}

std::string Session::EventOf(const Step& step, Instant now) const {
  std::string event;
  JsonWriter json(event);
  json.BeginObject()
      .Member("name", tower_.name)
      .Member("scheduledAt", FormatTime(*step.fire, zone_))
      .Member("firedAt", FormatTime(now, zone_))
      .Member("late", step.late)
      .EndObject();
  return event;
}

void Session::ReportNext(const std::optional<Instant>& next) {
  tower_.notes.NextFire(next);
  if (!std::exchange(reported_next_, true)) {
    tower_.log.Info("schedule started", {{"next", next ? FormatTime(*next, zone_) : "never"}});
  } else if (!next && !std::exchange(reported_end_, true)) {
    tower_.log.Info("schedule finished: no times left");
  }
}

}  // namespace tower::schedule
