#include "core/api/ops_api.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "core/base/build_info.h"
#include "core/base/process_metrics.h"
#include "core/base/time_text.h"
#include "core/json/writer.h"

namespace tower {
namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";

std::string WhyNotPublishing(const PublisherState& publisher) {
  if (!publisher.connected) {
    return "not connected" + (publisher.last_error.empty() ? "" : ": " + publisher.last_error);
  }
  return publisher.blocked ? "blocked by an alarm of the broker" : "";
}

// "the broker refuses 2 routing keys, 3000 triggers wait: A.v1.P (2990), A.v1.Q (10)"
std::string RefusedNote(const PublisherState& publisher) {
  if (publisher.refused.empty()) return {};
  const auto keys = publisher.refused_keys;
  std::string note = "the broker refuses " + std::to_string(keys) +
                     (keys == 1 ? " routing key, " : " routing keys, ") +
                     std::to_string(publisher.refused_triggers) + " triggers wait:";
  for (const auto& refused : publisher.refused) {
    note += note.back() == ':' ? " " : ", ";
    note += refused.routing_key + " (" + std::to_string(refused.waiting) + ")";
  }
  return keys > publisher.refused.size() ? note + ", …" : note;
}

std::string WhyNotRunning(const WatcherStatus& watcher) {
  if (watcher.state == WatcherState::kRunning) return {};
  std::string why(ToString(watcher.state));
  if (!watcher.last_error.empty()) why += ": " + watcher.last_error;
  return why;
}

HttpResponse Text(std::string body, std::string_view type = kText) {
  HttpResponse response;
  response.content_type = type;
  response.body = std::move(body);
  return response;
}

// Only trusted clients get the reasons.
HttpResponse Ready(const HttpServer& server, const OpsSources& sources,
                   const HttpRequest& request) {
  auto checks = sources.readiness();
  checks.push_back({"http", server.draining() ? "control-tower is stopping" : ""});
  std::string lines;
  std::string faults;
  for (const auto& [name, why, note] : checks) {
    lines += name + ": " + (why.empty() ? "ok" : why) + (note.empty() ? "" : "; " + note) + '\n';
    if (!why.empty()) faults += (faults.empty() ? "" : "; ") + name + ": " + why;
  }
  if (!request.trusted && !faults.empty())
    return Problem(503, "not ready; send a token to get the reason");
  auto response = faults.empty() ? Text("ok\n") : Problem(503, faults);
  if (request.trusted && request.HasQuery("verbose")) {
    response.content_type = kText;
    response.body = std::move(lines);
  }
  return response;
}

HttpResponse Version(bool details) {
  const auto& info = GetBuildInfo();
  HttpResponse response;
  JsonWriter json(response.body);
  json.BeginObject().Member("version", info.version);
  if (details) {
    json.Member("commit", info.commit)
        .Member("compiler", info.compiler)
        .Member("buildType", info.build_type)
        .Key("components")
        .BeginArray();
    for (const auto& component : info.components) {
      json.BeginObject()
          .Member("name", component.name)
          .Member("version", component.version)
          .Member("licence", component.licence)
          .Member("origin", component.origin)
          .EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
  response.body += '\n';
  return response;
}

// A plain text list of the endpoints.
HttpResponse Index(const HttpServer& server) {
  std::string text = "control-tower turns events in a laboratory into protocol triggers.\n\n";
  for (const auto& [pattern, methods] : server.Routes()) text += methods + " " + pattern + "\n";
  return Text(text + "\nREADME.md describes their requests and responses.\n");
}

// Writes a member if the time is set.
void WriteTime(JsonWriter& json, std::string_view name, const std::optional<WallTime>& time) {
  if (time) json.Member(name, TimeText(*time));
}

void WriteNotes(JsonWriter& json, const WatcherNotes::Snapshot& notes) {
  json.Member("taken", notes.taken).Member("rejected", notes.rejected);
  WriteTime(json, "lastEvent", notes.last_event);
  if (const auto& last = notes.last_rejection) {
    json.Key("lastRejection").BeginObject().Member("reason", last->why);
    WriteTime(json, "at", last->at);
    json.EndObject();
  }
  WriteTime(json, "nextFire", notes.next_fire);
  if (notes.retries.empty()) return;
  json.Key("retrying").BeginArray();
  for (const auto& [what, error, at] : notes.retries) {
    json.BeginObject().Member("what", what).Member("error", error);
    WriteTime(json, "at", at);
    json.EndObject();
  }
  json.EndArray();
}

HttpResponse Watchers(const std::vector<WatcherStatus>& watchers, const PublisherState& publisher) {
  HttpResponse response;
  JsonWriter json(response.body);
  json.BeginObject().Key("watchers").BeginArray();
  for (const auto& watcher : watchers) {
    json.BeginObject()
        .Member("name", watcher.name)
        .Member("plugin", watcher.plugin)
        .Member("state", ToString(watcher.state))
        .Member("restarts", watcher.restarts);
    if (!watcher.last_error.empty()) json.Member("lastError", watcher.last_error);
    WriteTime(json, "retryAt", watcher.retry_at);
    WriteNotes(json, watcher.notes);
    json.EndObject();
  }
  json.EndArray().Key("refusedRoutingKeys").BeginArray();
  for (const auto& refused : publisher.refused) {
    json.BeginObject()
        .Member("routingKey", refused.routing_key)
        .Member("waiting", refused.waiting)
        .Member("since", TimeText(refused.since))
        .EndObject();
  }
  json.EndArray().EndObject();
  response.body += '\n';
  return response;
}

}  // namespace

std::vector<ReadinessCheck> CheckReadiness(const QueueStats& queue, const PublisherState& publisher,
                                           const std::vector<WatcherStatus>& watchers) {
  std::vector<ReadinessCheck> checks;
  checks.push_back(
      {"queue", queue.health ? "" : queue.health.error().message,
       queue.history ? "" : "history cannot be trimmed: " + queue.history.error().message});
  checks.push_back({"broker", WhyNotPublishing(publisher), RefusedNote(publisher)});
  for (const auto& watcher : watchers) {
    checks.push_back({"watcher " + watcher.name, WhyNotRunning(watcher)});
  }
  return checks;
}

void AddOpsApi(HttpServer& server, OpsSources sources, const Metrics& metrics,
               std::shared_ptr<Lookups> lookups) {
  const HttpRouteOptions open{.open = true, .content_types = {}};
  const HttpRouteOptions health{.open = true, .content_types = {}, .health = true};
  const auto shared = std::make_shared<const OpsSources>(std::move(sources));
  for (const std::string_view path : {"/readyz", "/healthz"}) {
    server.Route(
        "GET", path,
        [&server, shared](const HttpRequest& request) { return Ready(server, *shared, request); },
        health);
  }
  server.Route(
      "GET", "/", [&server](const HttpRequest&) { return Index(server); }, open);
  server.Route(
      "GET", "/livez",
      [](const HttpRequest& request) {
        return Text(request.HasQuery("verbose") ? "http: ok\n" : "ok\n");
      },
      health);
  server.Route(
      "GET", "/version", [](const HttpRequest& request) { return Version(request.trusted); }, open);
  server.Route("GET", "/metrics",
               [&metrics, lookups = std::move(lookups)](const HttpRequest& request) {
                 return lookups->Answer(request, [&metrics] {
                   return Text(metrics.Render() + RenderProcessMetrics(),
                               "text/plain; version=0.0.4; charset=utf-8");
                 });
               });
  server.Route("GET", "/watchers", [shared](const HttpRequest&) {
    return Watchers(shared->watchers(), shared->publisher());
  });
}

}  // namespace tower
