#include "plugins/webhook/receiver.h"

#include <algorithm>
#include <utility>

#include "core/base/digest.h"
#include "core/base/encode.h"
#include "core/json/json.h"
#include "core/json/writer.h"

namespace tower::webhook {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMaxId = 255;
constexpr std::size_t kMaxWaiting = 16U << 20U;  // bytes of events, not counting the first
constexpr auto kBetweenWarnings = std::chrono::seconds(10);  // about unknown senders

HttpResponse Refused(const Error& error) {
  switch (error.code) {
    case ErrorCode::kConflict:
      return Problem(422, error.message);
    case ErrorCode::kInvalid:
      return Problem(413, error.message);
    default:
      return Unavailable(error.message);
  }
}

// Slack may show the body of an answer to a person, so it gets none.
HttpResponse Taken(const std::vector<Uuid>& uuids, bool is_slack) {
  HttpResponse response;
  if (is_slack) return response;
  if (!uuids.empty()) response.status = 202;
  JsonWriter json(response.body);
  json.BeginObject().Key("uuids").BeginArray();
  for (const auto& uuid : uuids) json.Value(uuid.ToString());
  json.EndArray().Member("status", uuids.empty() ? "ignored" : "queued").EndObject();
  response.body += '\n';
  return response;
}

// Identifies the triggers of a delivery, to tell whether it is repeated. The bytes of the body do
// not serve: some senders count attempts in it.
std::string Fingerprint(const std::vector<Trigger>& triggers) {
  std::string all;
  for (const auto& trigger : triggers) all.append(trigger.json()).append("\n");
  return Sha256Hex(all);
}

}  // namespace

Receiver::Receiver(WatcherContext& tower, const Settings& settings, Mapping& mapping)
    : tower_(tower),
      settings_(settings),
      verifier_(settings.verify),
      place_of_id_(settings.PlaceOfId()),
      hidden_header_(ToLower(settings.verify.hmac_header)),
      is_slack_(settings.verify.scheme == "slack"),
      mapping_(mapping) {}

Receiver::~Receiver() {
  for (const auto& waiting : waiting_) waiting.later.Send(Unavailable("the watcher stops"));
}

std::optional<HttpResponse> Receiver::BeforeBody(const HttpRequest& request) {
  if (verifier_.HeadPasses(Delivery(request), Verifier::Clock::now())) return std::nullopt;
  return Unauthorized(request);
}

HttpResponse Receiver::Answer(const HttpRequest& request) {
  if (request.method == "OPTIONS") return AnswerHandshake(request);
  const Delivery delivery(request);
  if (!verifier_.Passes(delivery, Verifier::Clock::now())) return Unauthorized(request);
  if (settings_.verify.scheme == "github" && delivery.Header("x-github-event") == "ping") {
    return {.body = R"({"status":"pong"})"
                    "\n"};
  }
  return Take(request, delivery);
}

HttpResponse Receiver::Take(const HttpRequest& request, const Delivery& delivery) {
  Body body;
  if (auto faulty = Read(delivery, body)) return *std::move(faulty);
  if (auto challenge = SlackChallenge(body)) return *std::move(challenge);
  auto id = FindId(delivery, body);
  if (!id) return std::move(id.error());
  if (mapping_.given()) {
    const auto json = body.json ? delivery.body : std::string_view(body.text);
    return Wait(request, MakeEvent(delivery, hidden_header_, json), *std::move(id));
  }
  const auto triggers = ParseTriggers(delivery.body);
  if (!triggers) return Invalid("the body is not a trigger", triggers.error());
  Put(request.Defer(), *triggers, *id);
  return {};
}

std::optional<HttpResponse> Receiver::Read(const Delivery& delivery, Body& body) {
  if (delivery.body.empty()) {
    body.text = "null";
  } else if (IsJson(delivery.content_type)) {
    const std::size_t around = mapping_.given() ? 1 : 0;  // levels of the event
    const std::size_t wanted = place_of_id_.pointer ? place_of_id_.pointer->depth() : 1;
    auto root = body.tape.Read(delivery.body, {.depth = kMaxJsonDepth - around, .record = wanted});
    if (!root) return Invalid("the body has faults", root.error());
    body.json = *root;
  } else if (IsUtf8(delivery.body)) {
    AppendJsonString(body.text, delivery.body);
  } else {
    return Invalid("the body is neither JSON nor text in UTF-8", {});
  }
  return std::nullopt;
}

// https://docs.slack.dev/reference/events/url_verification
std::optional<HttpResponse> Receiver::SlackChallenge(const Body& body) const {
  if (!is_slack_ || !body.json) return std::nullopt;
  const auto type = body.json->Find("type");
  const auto challenge = body.json->Find("challenge");
  if (!type || type->text() != "\"url_verification\"" || !challenge) return std::nullopt;
  return HttpResponse{.body = R"({"challenge":)" + std::string(challenge->text()) + "}\n"};
}

// Empty if the delivery has no id.
Receiver::Or<std::string> Receiver::FindId(const Delivery& delivery, const Body& body) {
  std::string id;
  if (place_of_id_.pointer) {
    const auto found = body.json ? place_of_id_.pointer->In(*body.json) : std::nullopt;
    if (found && found->type() == JsonType::kString) id = found->String();
    if (found && found->type() == JsonType::kNumber) id = found->text();
  }
  for (const auto& name : place_of_id_.headers) {
    if (!id.empty() || !delivery.HasHeader(name)) continue;
    const auto value = delivery.Header(name);
    if (!value) return tl::unexpected(Invalid("the header with the id came more than once", {}));
    id = *value;
  }
  if (id.size() > kMaxId) return tl::unexpected(Invalid("the id is over 255 bytes", {}));
  return id;
}

// --- With a script -------------------------------------------------------------------------------

HttpResponse Receiver::Wait(const HttpRequest& request, std::string event, std::string id) {
  const std::lock_guard lock(mutex_);
  if (!waiting_.empty() && waiting_bytes_ + event.size() > kMaxWaiting) {
    return Unavailable("too many deliveries wait for the script");
  }
  waiting_bytes_ += event.size();
  waiting_.push_back({request.Defer(), std::move(event), std::move(id)});
  arrived_.notify_one();
  return {};
}

std::optional<Receiver::Waiting> Receiver::Next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, stop, [this] { return !waiting_.empty(); });
  if (stop.stop_requested()) return std::nullopt;
  auto next = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_bytes_ -= next.event.size();
  return next;
}

void Receiver::MapUntil(const std::stop_token& stop) {
  while (const auto next = Next(stop)) {
    try {
      Map(*next);
    } catch (...) {  // out of memory; the sender needs an answer
      next->later.Send(Unavailable("out of memory"));
      throw;
    }
  }
}

void Receiver::Map(const Waiting& waiting) {
  const auto triggers =
      mapping_.Apply(waiting.event, "delivery " + (waiting.id.empty() ? "without id" : waiting.id));
  if (!triggers) {
    tower_.log.Warn("delivery rejected", {{"error", triggers.error()}});
    tower_.notes.Reject(triggers.error().message);
    waiting.later.Send(Problem(422, "the delivery could not be made into a trigger; see the log"));
  } else if (triggers->empty()) {
    tower_.log.Debug("delivery ignored: the mapping returned nil", {{"id", waiting.id}});
    waiting.later.Send(Taken({}, is_slack_));
  } else {
    Put(waiting.later, *triggers, waiting.id);
  }
}

// --- Answers -------------------------------------------------------------------------------------

// Answers once the triggers are on disk. The callback owns what it uses, since it may be called
// after the watcher has ended.
void Receiver::Put(const HttpLater& later, const std::vector<Trigger>& triggers,
                   const std::string& id) {
  const auto fingerprint = id.empty() ? std::string() : Fingerprint(triggers);
  auto done = [later, id, log = tower_.log, &notes = tower_.notes,
               is_slack = is_slack_](const Result<std::vector<Uuid>>& put) {
    if (put) {
      later.Send(Taken(*put, is_slack));
      return;
    }
    if (put.error().of_event()) {
      log.Warn("delivery rejected", {{"id", id}, {"error", put.error()}});
      notes.Reject((id.empty() ? "" : "delivery " + id + ": ") + put.error().message);
    }
    later.Send(Refused(put.error()));
  };
  tower_.queue.Submit(triggers, {.key = id, .fingerprint = fingerprint}, std::move(done));
}

// For an authenticated sender.
HttpResponse Receiver::Invalid(std::string_view what, const Faults& faults) {
  tower_.log.Warn("delivery rejected",
                  {{"error", what}, {"faults", faults.empty() ? "" : Describe(faults)}});
  tower_.notes.Reject(std::string(what) + (faults.empty() ? "" : ": " + Describe(faults)));
  return Problem(400, what, faults);
}

// Does not reveal what was wrong, and limits the rate of log lines.
HttpResponse Receiver::Unauthorized(const HttpRequest& request) {
  const auto now = SteadyClock::now();
  auto next = next_warning_.load();
  if (now >= next && next_warning_.compare_exchange_strong(next, now + kBetweenWarnings)) {
    tower_.log.Warn("delivery rejected: the sender could not be verified",
                    {{"peer", request.peer}, {"verify", settings_.verify.scheme}});
  }
  tower_.notes.Reject("the sender at " + std::string(request.peer) + " could not be verified");
  const std::string_view scheme = settings_.verify.scheme == "bearer"  ? "Bearer"
                                  : settings_.verify.scheme == "basic" ? "Basic"
                                                                       : "Signature";
  return WithHeader(Problem(401, "the sender of this delivery could not be verified"),
                    "WWW-Authenticate", std::string(scheme) + " realm=\"control-tower\"");
}

// CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery" 1.0.2, section 4: agrees to be sent to.
HttpResponse Receiver::AnswerHandshake(const HttpRequest& request) const {
  const auto& allowed = settings_.allowed_origins;
  if (allowed.empty()) return WithHeader(Problem(405, "the method is not POST"), "Allow", "POST");
  const auto origin = request.Header("WebHook-Request-Origin");
  if (!origin || origin->empty()) return Problem(400, "WebHook-Request-Origin must stand once");
  const bool agreed = std::any_of(allowed.begin(), allowed.end(), [&](const auto& name) {
    return name == "*" || ToLower(name) == ToLower(*origin);
  });
  if (!agreed) return Problem(403, "this origin is not among allowed-origins");
  auto response = WithHeader({}, "Allow", "POST");
  response = WithHeader(std::move(response), "WebHook-Allowed-Origin", std::string(*origin));
  return WithHeader(std::move(response), "WebHook-Allowed-Rate", "*");
}

}  // namespace tower::webhook
