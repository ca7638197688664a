#include "core/trigger_api.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/digest.h"
#include "core/time_text.h"
#include "core/trace_context.h"
#include "core/trigger.h"
#include "core/trigger_query.h"
#include "core/uuid.h"

namespace tower {
namespace {

constexpr std::string_view kSource = "http";
constexpr std::string_view kNdjson = "application/x-ndjson";
constexpr std::size_t kMaxKey = 255;

// The value of an Idempotency-Key header: a string as in RFC 8941, section 3.3.3, as
// draft-ietf-httpapi-idempotency-key-header wants it; without quotes it is taken as it is.
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

// The members that tell of a record, without the braces around them.
std::string Summary(const TriggerRecord& record) {
  const auto& trigger = record.trigger;
  std::string text = "\"uuid\":\"" + trigger.uuid.ToString() +
                     "\",\"status\":" + JsonString(ToString(record.state)) +
                     ",\"source\":" + JsonString(trigger.source);
  if (!trigger.client.empty()) text += ",\"client\":" + JsonString(trigger.client);
  text += ",\"acceptedAt\":\"" + TimeText(trigger.accepted_at) + '"';
  if (record.settled_at) {
    text += ",\"" + std::string(ToString(record.state)) + "At\":\"" + TimeText(*record.settled_at) +
            '"';
  }
  if (!record.discarded_by.empty()) text += ",\"discardedBy\":" + JsonString(record.discarded_by);
  if (!record.reason.empty()) text += ",\"reason\":" + JsonString(record.reason);
  return text;
}

HttpResponse Retryable(std::string_view detail) {
  auto response = Problem(503, detail);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

constexpr std::string_view kNoUuid = "the path must name a UUID";
constexpr std::string_view kUnknownUuid =
    "no trigger has this UUID, or it was settled longer ago than is kept";

// 202, for one trigger or for a batch.
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

class TriggerApi : public std::enable_shared_from_this<TriggerApi> {
 public:
  TriggerApi(TriggerQueue& queue, Metrics& metrics)
      : queue_(queue),
        accepted_(metrics.GetCounter("triggers_accepted_total", "Triggers accepted for publishing.",
                                     {{"source", std::string(kSource)}})),
        invalid_(Rejected(metrics, "invalid")),
        conflict_(Rejected(metrics, "conflict")),
        full_(Rejected(metrics, "full")),
        unavailable_(Rejected(metrics, "unavailable")),
        redelivered_(metrics.GetCounter("triggers_redelivered_total",
                                        "Triggers queued again on request.")) {}

  HttpResponse Post(const HttpRequest& request);
  HttpResponse Get(const HttpRequest& request) const;
  HttpResponse List(const HttpRequest& request) const;
  HttpResponse Redeliver(const HttpRequest& request);
  HttpResponse RedeliverAll(const HttpRequest& request);

 private:
  static Counter& Rejected(Metrics& metrics, std::string_view reason) {
    return metrics.GetCounter("triggers_rejected_total",
                              "Triggers, or texts that were to be triggers, refused.",
                              {{"source", std::string(kSource)}, {"reason", std::string(reason)}});
  }
  HttpResponse PostBatch(const HttpRequest& request);
  HttpResponse Put(const HttpRequest& request, std::span<Trigger> triggers, bool batch);
  HttpResponse Invalid(const Faults& faults);
  HttpResponse Refused(const Error& error, std::size_t triggers);

  TriggerQueue& queue_;
  Counter& accepted_;
  Counter& invalid_;
  Counter& conflict_;
  Counter& full_;
  Counter& unavailable_;
  Counter& redelivered_;
};

HttpResponse TriggerApi::Invalid(const Faults& faults) {
  invalid_.Add();
  return Problem(400, faults.size() == 1 ? "the trigger has a fault" : "the trigger has faults",
                 faults);
}

HttpResponse TriggerApi::Refused(const Error& error, std::size_t triggers) {
  const auto refuse = [&](int status, Counter& counter) {
    counter.Add(triggers);
    auto response = Problem(status, error.message);
    if (status == 503) response.headers.emplace_back("Retry-After", "1");
    return response;
  };
  switch (error.code) {
    case ErrorCode::kConflict:
      return refuse(422, conflict_);
    case ErrorCode::kInvalid:
      return refuse(413, full_);
    case ErrorCode::kFull:
      return refuse(503, full_);
    default:
      return refuse(503, unavailable_);
  }
}

// The answer goes out once the triggers are on disk.
HttpResponse TriggerApi::Put(const HttpRequest& request, std::span<Trigger> triggers, bool batch) {
  std::string key;
  std::string fingerprint;
  PutOptions options{.source = kSource, .client = request.client};
  if (const auto given = request.Header("Idempotency-Key")) {
    key = *ParseKey(*given);  // Post has checked it
    // Another client's keys are no concern of this one; names have no colon.
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
  return Accepted(queue_.SubmitTaking(triggers, options, std::move(done)), batch);
}

HttpResponse TriggerApi::Post(const HttpRequest& request) {
  if (request.HeaderCount("Idempotency-Key") > 0) {
    const auto given = request.Header("Idempotency-Key");
    if (!given || !ParseKey(*given)) {
      invalid_.Add();
      return Problem(400,
                     "Idempotency-Key must stand once and have 1 to 255 printable ASCII characters,"
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
  const auto uuid = Uuid::Parse(request.param);
  if (!uuid) return Problem(400, kNoUuid);
  const auto record = queue_.Find(*uuid);
  if (!record) {
    return record.error().code == ErrorCode::kNotFound ? Problem(404, kUnknownUuid)
                                                       : Retryable(record.error().message);
  }
  HttpResponse response;
  response.body = "{" + Summary(*record) + ",\"trigger\":" + record->trigger.body + "}\n";
  return response;
}

HttpResponse TriggerApi::List(const HttpRequest& request) const {
  const auto query = ParseQuery(request, true);
  if (!query) return Problem(400, query.error().message);
  const auto page =
      queue_.List(query->filter, static_cast<std::size_t>(query->limit), query->before);
  if (!page) return Retryable(page.error().message);
  HttpResponse response;
  auto& body = response.body;
  body = "{\"triggers\":[";
  for (const auto& record : page->records) {
    if (body.back() != '[') body += ',';
    body += "{" + Summary(record) + ",\"apiVersion\":" + JsonString(record.trigger.api_version) +
            ",\"protocol\":" + JsonString(record.trigger.protocol) + "}";
  }
  body += "]}\n";
  if (page->next > 0) response.headers.emplace_back("Link", NextLink(*query, page->next));
  return response;
}

HttpResponse TriggerApi::Redeliver(const HttpRequest& request) {
  const auto uuid = Uuid::Parse(request.param);
  if (!uuid) return Problem(400, kNoUuid);
  queue_.Redeliver(*uuid, [api = shared_from_this(), later = request.Defer()](const auto& count) {
    if (count) {
      api->redelivered_.Add(static_cast<std::uint64_t>(*count));
      later.Send();
    } else if (count.error().code == ErrorCode::kNotFound) {
      later.Send(Problem(404, kUnknownUuid));
    } else {
      later.Send(Retryable(count.error().message));
    }
  });
  return Accepted(std::span(&*uuid, 1), false);
}

HttpResponse TriggerApi::RedeliverAll(const HttpRequest& request) {
  const auto query = ParseQuery(request, false);
  if (!query) return Problem(400, query.error().message);
  if (!query->filter.state || *query->filter.state == TriggerState::kQueued) {
    return Problem(400, "say which: status=undeliverable, or status=published");
  }
  auto done = [api = shared_from_this(), later = request.Defer()](const BulkOutcome& outcome) {
    const auto count = std::to_string(outcome.changed);
    api->redelivered_.Add(static_cast<std::uint64_t>(outcome.changed));
    if (!outcome.status && outcome.status.error().code == ErrorCode::kConflict) {
      later.Send(Problem(409, outcome.status.error().message));
    } else if (!outcome.status) {
      later.Send(Retryable("only " + count + " of " + std::to_string(outcome.matched) +
                           " triggers are queued again: " + outcome.status.error().message));
    } else {
      later.Send(HttpResponse{.status = 202, .body = "{\"redelivered\":" + count + "}\n"});
    }
  };
  queue_.RedeliverAll(query->filter, {}, std::move(done));
  return {};
}

}  // namespace

void AddTriggerApi(HttpServer& server, TriggerQueue& queue, Metrics& metrics) {
  const auto api = std::make_shared<TriggerApi>(queue, metrics);
  server.Route("POST", "/triggers",
               [api](const HttpRequest& request) { return api->Post(request); },
               {.open = false, .content_types = {"application/json", std::string(kNdjson)}});
  server.Route("GET", "/triggers",
               [api](const HttpRequest& request) { return api->List(request); });
  server.Route("POST", "/triggers/redeliver",  // before it could be taken for a UUID
               [api](const HttpRequest& request) { return api->RedeliverAll(request); });
  server.Route("GET", "/triggers/{uuid}",
               [api](const HttpRequest& request) { return api->Get(request); });
  server.Route("POST", "/triggers/{uuid}/redeliver",
               [api](const HttpRequest& request) { return api->Redeliver(request); });
}

}  // namespace tower
