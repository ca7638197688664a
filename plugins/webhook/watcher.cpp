#include "core/watcher.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "core/hooks.h"
#include "core/mapping.h"
#include "plugins/webhook/delivery.h"
#include "plugins/webhook/settings.h"
#include "plugins/webhook/verify.h"

namespace tower {
namespace {

using webhook::Delivery;
using webhook::Verifier;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kLongestId = 255;
constexpr auto kBetweenWarnings = std::chrono::seconds(10);  // of senders that nobody knows

HttpResponse Json(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

HttpResponse WithHeader(HttpResponse response, std::string name, std::string value) {
  response.headers.emplace_back(std::move(name), std::move(value));
  return response;
}

HttpResponse Refused(const Error& error) {
  switch (error.code) {
    case ErrorCode::kConflict:
      return Problem(422, error.message);
    case ErrorCode::kInvalid:
      return Problem(413, error.message);
    default:
      return WithHeader(Problem(503, error.message), "Retry-After", "1");
  }
}

// What the triggers are, for who asks whether a delivery is the same again. Not the bytes of the
// body: some senders count tries in it.
std::string Fingerprint(const std::vector<Trigger>& triggers) {
  std::string all;
  for (const auto& trigger : triggers) all.append(trigger.json()).append("\n");
  return Sha256Hex(all);
}

// Answers deliveries, on HTTP threads, several at a time, while the watcher runs.
class Receiver {
 public:
  Receiver(WatcherContext& tower, const webhook::Settings& settings, Mapping& mapping)
      : tower_(tower),
        settings_(settings),
        verifier_(settings.verify),
        place_of_id_(settings.PlaceOfId()),
        hidden_header_(webhook::Lower(settings.verify.hmac_header)),
        mapping_(mapping) {}

  std::optional<HttpResponse> BeforeBody(const HttpRequest& request) {
    if (verifier_.HeadPasses(Delivery(request), Verifier::Clock::now())) return std::nullopt;
    return Unauthorized(request);
  }

  HttpResponse Answer(const HttpRequest& request) {
    if (request.method == "OPTIONS") return ShakeHands(request);
    const Delivery delivery(request);
    if (!verifier_.Passes(delivery, Verifier::Clock::now())) return Unauthorized(request);
    if (settings_.verify.scheme == "github" && delivery.Header("x-github-event") == "ping") {
      return Json(200, "{\"status\":\"pong\"}\n");
    }
    return Take(request, delivery);
  }

 private:
  using Faulty = tl::unexpected<HttpResponse>;
  template <typename T>
  using Or = tl::expected<T, HttpResponse>;  // or an answer that says why not

  // The body, read where it is JSON.
  struct Body {
    JsonTape tape;
    std::optional<JsonValue> json;
    std::string text;  // as JSON, where it is not
  };

  HttpResponse Take(const HttpRequest& request, const Delivery& delivery) {
    Body body;
    if (auto faulty = Read(delivery, body)) return *std::move(faulty);
    if (auto challenge = SlackChallenge(body)) return *std::move(challenge);
    auto id = FindId(delivery, body);
    if (!id) return std::move(id.error());
    auto triggers = Map(delivery, body, *id);
    if (!triggers) return std::move(triggers.error());
    if (triggers->empty()) return Done({}, "ignored");
    return Put(request, *triggers, *id);
  }

  std::optional<HttpResponse> Read(const Delivery& delivery, Body& body) {
    if (delivery.body.empty()) {
      body.text = "null";
    } else if (webhook::IsJson(delivery.content_type)) {
      // One level less: the event is around it.
      const std::size_t wanted = place_of_id_.pointer ? place_of_id_.pointer->depth() : 1;
      auto root = body.tape.Read(delivery.body, {.depth = kMaxJsonDepth - 1, .record = wanted});
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
  std::optional<HttpResponse> SlackChallenge(const Body& body) const {
    if (settings_.verify.scheme != "slack" || !body.json) return std::nullopt;
    const auto type = body.json->Find("type");
    const auto challenge = body.json->Find("challenge");
    if (!type || type->text() != "\"url_verification\"" || !challenge) return std::nullopt;
    return Json(200, "{\"challenge\":" + std::string(challenge->text()) + "}\n");
  }

  // Empty where the delivery has none.
  Or<std::string> FindId(const Delivery& delivery, const Body& body) {
    std::string id;
    if (place_of_id_.pointer) {
      const auto found = body.json ? place_of_id_.pointer->Find(*body.json) : std::nullopt;
      if (found && found->type() == JsonType::kString) id = found->String();
      if (found && found->type() == JsonType::kNumber) id = found->text();
    }
    for (const auto& name : place_of_id_.headers) {
      if (!id.empty() || !delivery.HasHeader(name)) continue;
      const auto value = delivery.Header(name);
      if (!value) return Faulty(Invalid("the header with the id came more than once", {}));
      id = *value;
    }
    if (id.size() > kLongestId) return Faulty(Invalid("the id is longer than 255 bytes", {}));
    return id;
  }

  Or<std::vector<Trigger>> Map(const Delivery& delivery, const Body& body, const std::string& id) {
    if (!mapping_.given()) {
      auto triggers = ParseTriggers(delivery.body);
      if (triggers) return std::move(*triggers);
      return Faulty(Invalid("the body is no trigger", triggers.error()));
    }
    const auto event = MakeEvent(delivery, hidden_header_,
                                 body.json ? delivery.body : std::string_view(body.text));
    const std::lock_guard lock(mapping_mutex_);
    auto triggers = mapping_.Apply(event, "delivery " + (id.empty() ? "without id" : id));
    if (triggers) return std::move(*triggers);
    tower_.rejected.Add();
    tower_.log.Warn("a delivery was refused", {{"error", triggers.error()}});
    return Faulty(Problem(422, "the delivery could not be made into a trigger; the log says why"));
  }

  // Answers once the triggers are on disk. What the call-back uses is its own: it may be called
  // when the watcher has ended.
  HttpResponse Put(const HttpRequest& request, const std::vector<Trigger>& triggers,
                   const std::string& id) {
    const auto fingerprint = id.empty() ? std::string() : Fingerprint(triggers);
    auto done = [later = request.Defer(), log = tower_.log, id, &rejected = tower_.rejected,
                 slack = settings_.verify.scheme == "slack"](Result<std::vector<Uuid>> put) {
      if (put) {
        // What Slack finds in an answer it may show to a person.
        later.Send(slack ? HttpResponse{} : Done(*put, "queued"));
        return;
      }
      if (!put.error().retryable()) {
        rejected.Add();
        log.Warn("a delivery was refused", {{"id", id}, {"error", put.error()}});
      }
      later.Send(Refused(put.error()));
    };
    tower_.queue.Submit(triggers, {.key = id, .fingerprint = fingerprint}, std::move(done));
    return {};
  }

  static HttpResponse Done(const std::vector<Uuid>& uuids, std::string_view status) {
    std::string body = "{\"uuids\":[";
    for (const auto& uuid : uuids) {
      if (body.back() != '[') body += ',';
      body += '"' + uuid.ToString() + '"';
    }
    body.append("],\"status\":\"").append(status).append("\"}\n");
    return Json(uuids.empty() ? 200 : 202, std::move(body));
  }

  // Of a sender that is known.
  HttpResponse Invalid(std::string_view what, const Faults& faults) {
    tower_.rejected.Add();
    tower_.log.Warn("a delivery was refused",
                    {{"why", what}, {"faults", faults.empty() ? "" : Describe(faults)}});
    return Problem(400, what, faults);
  }

  // Says not what was wrong, and lets nobody fill the log.
  HttpResponse Unauthorized(const HttpRequest& request) {
    tower_.rejected.Add();
    const auto now = SteadyClock::now().time_since_epoch().count();
    auto next = next_warning_.load();
    const auto after =
        now + std::chrono::duration_cast<SteadyClock::duration>(kBetweenWarnings).count();
    if (now >= next && next_warning_.compare_exchange_strong(next, after)) {
      tower_.log.Warn("a delivery was refused: its sender could not be verified",
                      {{"peer", request.peer}, {"verify", settings_.verify.scheme}});
    }
    const std::string_view scheme = settings_.verify.scheme == "bearer"  ? "Bearer"
                                    : settings_.verify.scheme == "basic" ? "Basic"
                                                                         : "Signature";
    return WithHeader(Problem(401, "the sender of this delivery could not be verified"),
                      "WWW-Authenticate", std::string(scheme) + " realm=\"control-tower\"");
  }

  // CloudEvents, "HTTP 1.1 Web Hooks for Event Delivery" 1.0.2, section 4: agrees to be sent to.
  HttpResponse ShakeHands(const HttpRequest& request) const {
    const auto& allowed = settings_.allowed_origins;
    if (allowed.empty()) {
      return WithHeader(Problem(405, "the method is not POST"), "Allow", "POST");
    }
    const auto origin = request.Header("WebHook-Request-Origin");
    if (!origin || origin->empty()) return Problem(400, "WebHook-Request-Origin must stand once");
    const bool agreed = std::any_of(allowed.begin(), allowed.end(), [&](const auto& name) {
      return name == "*" || webhook::Lower(name) == webhook::Lower(*origin);
    });
    if (!agreed) return Problem(403, "this origin is not among allowed-origins");
    auto response = WithHeader({}, "Allow", "POST");
    response = WithHeader(std::move(response), "WebHook-Allowed-Origin", std::string(*origin));
    return WithHeader(std::move(response), "WebHook-Allowed-Rate", "*");
  }

  // Constant after construction, or thread-safe.
  WatcherContext& tower_;
  const webhook::Settings& settings_;
  const Verifier verifier_;
  const webhook::IdPlace place_of_id_;
  const std::string hidden_header_;
  std::atomic<SteadyClock::rep> next_warning_ =
      SteadyClock::time_point::min().time_since_epoch().count();
  // Guarded by mapping_mutex_, which is never held while something is awaited.
  Mapping& mapping_;
  std::mutex mapping_mutex_;
};

class WebhookWatcher final : public Watcher {
 public:
  static void Declare(OptionSet& options, WebhookWatcher& self) {
    self.settings_.Declare(options);
    self.mapping_.Declare(options);
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    if (auto loaded = mapping_.Load(); !loaded) return loaded;
    Receiver receiver(tower, settings_, mapping_);
    const auto served = tower.hooks.Serve(
        tower.name,
        {.before_body =
             [&receiver](const HttpRequest& request) { return receiver.BeforeBody(request); },
         .answer = [&receiver](const HttpRequest& request) { return receiver.Answer(request); }});
    tower.log.Info("takes deliveries",
                   {{"path", "/hooks/" + tower.name}, {"verify", settings_.verify.scheme}});
    tower.ReportSuccess();
    while (WatcherContext::Sleep(std::chrono::hours(24), stop)) {
    }
    return Ok();
  }

  Status Check() override { return mapping_.Load(); }
  bool ServesHook() const override { return true; }

 private:
  webhook::Settings settings_;
  Mapping mapping_;
};

REGISTER_WATCHER(WebhookWatcher, "webhook",
                 "Takes deliveries of webhooks on the server's own port, once they are verified.");

}  // namespace
}  // namespace tower
