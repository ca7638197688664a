#include "core/api/trigger_api.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/api/trigger_query.h"
#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/base/log_limit.h"
#include "core/base/time_text.h"
#include "core/base/uuid.h"
#include "core/json/writer.h"
#include "core/trigger/trace_context.h"
#include "core/trigger/trigger.h"

namespace tower {
namespace {

constexpr std::string_view kSource = "http";
constexpr std::string_view kNdjson = "application/x-ndjson";
constexpr std::string_view kJson = "application/json";
constexpr std::size_t kMaxKey = 255;
constexpr int kChangesLogged = 60;  // per minute

// Parses the value of an Idempotency-Key header: a string as in RFC 8941, section 3.3.3 (see
// draft-ietf-httpapi-idempotency-key-header). A value without quotes is used unchanged.
std::optional<std::string> ParseKey(std::string_view text) {
  std::string key;
  if (text.empty() || text.front() != '"') {
    key = text;
  } else {
    std::size_t at = 1;
    for (; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && (++at == text.size() || (text[at] != '"' && text[at] != '\\'))) {
        return std::nullopt;
      }
      key += text[at];
    }
    if (at + 1 != text.size()) return std::nullopt;
  }
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (key.empty() || key.size() > kMaxKey || !printable) return std::nullopt;
  return key;
}

bool IsArray(std::string_view json) {
  const auto first = json.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && json[first] == '[';
}

// Writes the members that describe a record.
void WriteSummary(JsonWriter& json, const TriggerRecord& record) {
  const auto& trigger = record.trigger;
  json.Member("uuid", trigger.uuid.ToString())
      .Member("status", ToString(record.state))
      .Member("source", trigger.source);
  if (!trigger.client.empty()) json.Member("client", trigger.client);
  json.Member("acceptedAt", TimeText(trigger.accepted_at));
  if (record.settled_at) {
    json.Member(std::string(ToString(record.state)) + "At", TimeText(*record.settled_at));
  }
  if (!record.discarded_by.empty()) json.Member("discardedBy", record.discarded_by);
  if (!record.reason.empty()) json.Member("reason", record.reason);
}

constexpr std::string_view kNoUuid = "the path must name a UUID";
constexpr std::string_view kUnknownUuid =
    "no trigger has this UUID, or it was settled longer ago than is kept";

// The response when a single trigger could not be redelivered or discarded.
HttpResponse NotChanged(const Error& error) {
  if (error.code == ErrorCode::kNotFound) return Problem(404, kUnknownUuid);
  if (error.code == ErrorCode::kConflict) return Problem(409, error.message);
  return Unavailable(error.message);
}

// The 202 response for one trigger or for a batch.
HttpResponse Accepted(std::span<const Uuid> uuids, bool batch) {
  HttpResponse response;
  response.status = 202;
  auto& body = response.body;
  if (!batch) {
    const auto uuid = uuids.front().ToString();
    body = "{\"uuid\":\"" + uuid + "\",\"status\":\"queued\"}\n";
    response.headers.emplace_back("Location", "/triggers/" + uuid);
    return response;
  }
  body.reserve(uuids.size() * (Uuid::kTextSize + 3) + 64);
  body = "{\"uuids\":[";
  std::array<char, Uuid::kTextSize> text;
  for (const auto& uuid : uuids) {
    uuid.Write(text.data());
    body.append(body.back() == '[' ? "\"" : ",\"").append(text.data(), text.size()).append(1, '"');
  }
  body += "],\"status\":\"queued\"}\n";
  return response;
}

// The client that requests a change.
struct Asker {
  explicit Asker(const HttpRequest& request) : peer(request.peer), client(request.client) {}
  // The name of its token, or its address if the server has no tokens.
  const std::string& name() const { return client.empty() ? peer : client; }
  std::string peer, client;
};

// Describes a filter for the log.
std::string Describe(const TriggerFilter& filter) {
  std::string text = "status=" + std::string(filter.state ? ToString(*filter.state) : "any");
  const auto add = [&text](std::string_view name, const std::string& value) {
    if (!value.empty()) text += " " + std::string(name) + "=" + value;
  };
  add("protocol", filter.protocol);
  add("apiVersion", filter.api_version);
  add("source", filter.source);
  add("since", filter.since ? TimeText(*filter.since) : "");
  add("until", filter.until ? TimeText(*filter.until) : "");
  return text;
}

// A response with a JSON object whose members `write` adds.
HttpResponse Json(int status, const std::function<void(JsonWriter&)>& write) {
  HttpResponse response{.status = status};
  JsonWriter json(response.body);
  json.BeginObject();
  write(json);
  json.EndObject();
  response.body += '\n';
  return response;
}

HttpResponse Found(const TriggerQueue& queue, const Uuid& uuid) {
  const auto record = queue.Find(uuid);
  if (!record) {
    return record.error().code == ErrorCode::kNotFound ? Problem(404, kUnknownUuid)
                                                       : Unavailable(record.error().message);
  }
  return Json(200, [&record](JsonWriter& json) {
    WriteSummary(json, *record);
    json.RawMember("trigger", record->trigger.body);
  });
}

HttpResponse Listed(const TriggerQueue& queue, const ListQuery& query) {
  const auto page = queue.List(query.filter, static_cast<std::size_t>(query.limit), query.before);
  if (!page) return Unavailable(page.error().message);
  auto response = Json(200, [&page](JsonWriter& json) {
    json.Key("triggers").BeginArray();
    for (const auto& record : page->records) {
      json.BeginObject();
      WriteSummary(json, record);
      json.Member("apiVersion", record.trigger.api_version)
          .Member("protocol", record.trigger.protocol)
          .EndObject();
    }
    json.EndArray();
  });
  if (page->next > 0) response.headers.emplace_back("Link", NextLink(query, page->next));
  return response;
}

class TriggerApi : public std::enable_shared_from_this<TriggerApi> {
 public:
  TriggerApi(TriggerQueue& queue, Metrics& metrics, std::shared_ptr<Lookups> lookups)
      : queue_(queue),
        lookups_(std::move(lookups)),
        accepted_(AcceptedCounter(metrics, kSource)),
        invalid_(RejectedCounter(metrics, kSource, "invalid")),
        conflict_(RejectedCounter(metrics, kSource, "conflict")),
        full_(RejectedCounter(metrics, kSource, "full")),
        unavailable_(RejectedCounter(metrics, kSource, "unavailable")),
        redelivered_(
            metrics.GetCounter("triggers_redelivered_total", "Triggers queued again on request.")),
        discarded_(metrics.GetCounter("triggers_discarded_total",
                                      "Undeliverable triggers given up on request.")) {}

  HttpResponse Post(const HttpRequest& request);
  HttpResponse Get(const HttpRequest& request) const;
  HttpResponse List(const HttpRequest& request) const;
  HttpResponse Redeliver(const HttpRequest& request);
  HttpResponse Discard(const HttpRequest& request);
  // Changes of all triggers that match a filter.
  enum class Change { kRedeliver, kDiscard };
  HttpResponse ChangeAll(const HttpRequest& request, Change change);

 private:
  HttpResponse PostBatch(const HttpRequest& request);
  HttpResponse Put(const HttpRequest& request, std::span<Trigger> triggers, bool batch);
  HttpResponse Invalid(const Faults& faults);
  HttpResponse Refused(const Error& error, std::size_t triggers);
  HttpResponse Changed(const BulkOutcome& outcome, Change change, bool dry_run);
  void LogChange(const Asker& asker, Change change, std::int64_t count, std::string_view triggers);

  TriggerQueue& queue_;
  const std::shared_ptr<Lookups> lookups_;
  Counter& accepted_;
  Counter& invalid_;
  Counter& conflict_;
  Counter& full_;
  Counter& unavailable_;
  Counter& redelivered_;
  Counter& discarded_;
  const Logger log_;
  LogQuota logged_changes_{kChangesLogged};
};

HttpResponse TriggerApi::Invalid(const Faults& faults) {
  invalid_.Add();
  return Problem(400, faults.size() == 1 ? "the trigger has a fault" : "the trigger has faults",
                 faults);
}

HttpResponse TriggerApi::Refused(const Error& error, std::size_t triggers) {
  const auto refuse = [&](int status, Counter& counter) {
    counter.Add(triggers);
    return status == 503 ? Unavailable(error.message) : Problem(status, error.message);
  };
  switch (error.code) {
    case ErrorCode::kConflict:
      return refuse(422, conflict_);
    case ErrorCode::kInvalid:
      return refuse(413, invalid_);
    case ErrorCode::kFull:
      return refuse(503, full_);
    default:
      return refuse(503, unavailable_);
  }
}

// Sends the response once the triggers are on disk.
HttpResponse TriggerApi::Put(const HttpRequest& request, std::span<Trigger> triggers, bool batch) {
  std::string key;
  std::string fingerprint;
  PutOptions options{.source = kSource, .client = request.client};
  if (const auto given = request.Header("Idempotency-Key")) {
    key = *ParseKey(*given);  // Post has checked it
    // Keys of different clients are independent; names contain no colon.
    if (!request.client.empty()) key = std::string(request.client) + ":" + key;
    fingerprint = Sha256Hex(request.body) + (request.content_type == kNdjson ? " lines" : "");
    options.key = key;
    options.fingerprint = fingerprint;
  }
  if (const auto parent = request.Header("traceparent"); parent && IsTraceparent(*parent)) {
    options.traceparent = *parent;
    const auto state = request.Header("tracestate");
    if (state && IsTracestate(*state)) options.tracestate = *state;
  }
  auto done = [api = shared_from_this(), later = request.Defer(), batch,
               count = triggers.size()](const Result<Receipt>& receipt) {
    if (!receipt) {
      later.Send(api->Refused(receipt.error(), count));
    } else if (receipt->repeated) {
      later.Send(Accepted(receipt->uuids, batch));
    } else {
      api->accepted_.Add(count);
      later.Send();
    }
  };
  return Accepted(queue_.SubmitByMove(triggers, options, std::move(done)), batch);
}

HttpResponse TriggerApi::Post(const HttpRequest& request) {
  if (const auto fits = CheckNoQuery(request); !fits) return Problem(400, fits.error().message);
  if (request.HeaderCount("Idempotency-Key") > 0) {
    const auto given = request.Header("Idempotency-Key");
    if (!given || !ParseKey(*given)) {
      invalid_.Add();
      return Problem(400,
                     "Idempotency-Key must occur once and have 1 to 255 printable ASCII characters,"
                     " in double quotes");
    }
  }
  if (request.content_type == kNdjson || IsArray(request.body)) return PostBatch(request);
  auto trigger = Trigger::Parse(request.body);
  if (!trigger) return Invalid(trigger.error());
  return Put(request, std::span(&*trigger, 1), false);
}

HttpResponse TriggerApi::PostBatch(const HttpRequest& request) {
  auto triggers = request.content_type == kNdjson ? ParseTriggerLines(request.body)
                                                  : ParseTriggers(request.body);
  if (!triggers) return Invalid(triggers.error());
  return Put(request, *triggers, true);
}

HttpResponse TriggerApi::Get(const HttpRequest& request) const {
  if (const auto fits = CheckNoQuery(request); !fits) return Problem(400, fits.error().message);
  const auto uuid = Uuid::Parse(request.param);
  if (!uuid) return Problem(400, kNoUuid);
  return lookups_->Answer(request, [&queue = queue_, uuid = *uuid] { return Found(queue, uuid); });
}

HttpResponse TriggerApi::List(const HttpRequest& request) const {
  auto query = ParseQuery(request);
  if (!query) return Problem(400, query.error().message);
  return lookups_->Answer(
      request, [&queue = queue_, query = *std::move(query)] { return Listed(queue, query); });
}

HttpResponse TriggerApi::Redeliver(const HttpRequest& request) {
  if (const auto fits = CheckNoQuery(request); !fits) return Problem(400, fits.error().message);
  const auto uuid = Uuid::Parse(request.param);
  if (!uuid) return Problem(400, kNoUuid);
  queue_.Redeliver(*uuid, [api = shared_from_this(), later = request.Defer()](const auto& count) {
    if (!count) return later.Send(NotChanged(count.error()));
    api->redelivered_.Add(static_cast<std::uint64_t>(*count));
    later.Send();
  });
  return Accepted(std::span(&*uuid, 1), false);
}

HttpResponse TriggerApi::Discard(const HttpRequest& request) {
  if (const auto fits = CheckNoQuery(request); !fits) return Problem(400, fits.error().message);
  const auto uuid = Uuid::Parse(request.param);
  if (!uuid) return Problem(400, kNoUuid);
  const Asker asker(request);
  queue_.Discard(*uuid, asker.name(),
                 [api = shared_from_this(), later = request.Defer(), asker,
                  uuid = uuid->ToString()](const auto& count) {
                   if (!count) return later.Send(NotChanged(count.error()));
                   api->discarded_.Add(static_cast<std::uint64_t>(*count));
                   if (*count > 0) api->LogChange(asker, Change::kDiscard, 1, "uuid=" + uuid);
                   later.Send();
                 });
  return Json(200, [&uuid](JsonWriter& json) {
    json.Member("uuid", uuid->ToString()).Member("status", "discarded");
  });
}

HttpResponse TriggerApi::ChangeAll(const HttpRequest& request, Change change) {
  if (const auto fits = CheckNoQuery(request); !fits) {
    return Problem(400, fits.error().message + "; the filter is the body");
  }
  const bool discards = change == Change::kDiscard;
  const auto query = ParseBulk(request.body, discards);
  if (!query) return Problem(400, "the filter is invalid", query.error());
  const Asker asker(request);
  auto done = [api = shared_from_this(), later = request.Defer(), asker, change,
               dry_run = query->options.dry_run,
               filter = Describe(query->filter)](const BulkOutcome& outcome) {
    if (outcome.changed > 0) api->LogChange(asker, change, outcome.changed, filter);
    later.Send(api->Changed(outcome, change, dry_run));
  };
  if (discards) {
    queue_.DiscardAll(query->filter, query->options, asker.name(), std::move(done));
  } else {
    queue_.RedeliverAll(query->filter, query->options, std::move(done));
  }
  return {};
}

HttpResponse TriggerApi::Changed(const BulkOutcome& outcome, Change change, bool dry_run) {
  const bool discards = change == Change::kDiscard;
  const std::string what = discards ? "discarded" : "redelivered";
  (discards ? discarded_ : redelivered_).Add(static_cast<std::uint64_t>(outcome.changed));
  if (outcome.status) {
    return Json(dry_run ? 200 : 202, [&](JsonWriter& json) {
      if (dry_run) {
        json.Member("dryRun", true).Member("matched", outcome.matched);
      } else {
        json.Member(what, outcome.changed);
      }
    });
  }
  const auto extend = [&](JsonWriter& json) {
    json.Member("matched", outcome.matched).Member(what, outcome.changed);
  };
  const auto matched = std::to_string(outcome.matched);
  const auto& error = outcome.status.error();
  if (error.code == ErrorCode::kConflict) {
    return Problem(409, error.message + "; send \"confirm\": " + matched + " if all are meant", {},
                   extend);
  }
  return Unavailable("only " + std::to_string(outcome.changed) + " of " + matched +
                         " triggers are " + what + ": " + error.message,
                     std::chrono::seconds(1), extend);
}

void TriggerApi::LogChange(const Asker& asker, Change change, std::int64_t count,
                           std::string_view triggers) {
  const auto held_back = logged_changes_.Pass(std::chrono::steady_clock::now());
  if (!held_back) return;
  log_.Info(change == Change::kDiscard ? "triggers discarded on request"
                                       : "triggers redelivered on request",
            {{"peer", asker.peer},
             {"client", asker.client},
             {"count", count},
             {"triggers", triggers},
             {"held_back", *held_back}});
}

}  // namespace

void AddTriggerApi(HttpServer& server, TriggerQueue& queue, Metrics& metrics,
                   std::shared_ptr<Lookups> lookups) {
  const auto api = std::make_shared<TriggerApi>(queue, metrics, std::move(lookups));
  server.Route("POST", "/triggers",
               [api](const HttpRequest& request) { return api->Post(request); },
               {.open = false, .content_types = {std::string(kJson), std::string(kNdjson)}});
  server.Route("GET", "/triggers",
               [api](const HttpRequest& request) { return api->List(request); });
  // Added first, so that these paths do not match /triggers/{uuid}.
  const HttpRouteOptions json{.open = false, .content_types = {std::string(kJson)}};
  using Change = TriggerApi::Change;
  for (const auto& [path, change] : {std::pair("/triggers/redeliver", Change::kRedeliver),
                                     std::pair("/triggers/discard", Change::kDiscard)}) {
    server.Route(
        "POST", path,
        [api, change = change](const HttpRequest& request) {
          return api->ChangeAll(request, change);
        },
        json);
  }
  server.Route("GET", "/triggers/{uuid}",
               [api](const HttpRequest& request) { return api->Get(request); });
  server.Route("DELETE", "/triggers/{uuid}",
               [api](const HttpRequest& request) { return api->Discard(request); });
  server.Route("POST", "/triggers/{uuid}/redeliver",
               [api](const HttpRequest& request) { return api->Redeliver(request); });
}

}  // namespace tower
