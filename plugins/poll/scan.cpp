#include "plugins/poll/scan.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "core/base/digest.h"
#include "core/json/pointer.h"
#include "core/watch/checkpoint.h"
#include "plugins/poll/link.h"

namespace tower::poll {
namespace {

constexpr std::size_t kBatch = 1000;  // items that go to the queue together

// The value at a pointer that the rules of the options have checked.
std::optional<JsonValue> At(const std::string& pointer, const JsonValue& root) {
  const auto parsed = JsonPointer::Parse(pointer == kWholeDocument ? "" : pointer);
  return parsed ? parsed->In(root) : std::nullopt;
}

// A string, or a number with all its digits.
std::optional<std::string> Scalar(const JsonValue& value) {
  if (value.type() == JsonType::kString) return value.String();
  if (value.type() == JsonType::kNumber) return std::string(value.text());
  return std::nullopt;
}

std::string Fingerprint(const std::string& url, const Settings& settings) {
  std::string text;
  for (const auto& part : {url, settings.items, settings.id, settings.fire_on, settings.cursor,
                           settings.next, settings.next_param}) {
    text += std::to_string(part.size()) + " " + part;
  }
  return Sha256Hex(text);
}

// "fingerprint\netag\nlast-modified": none of them has a line feed.
std::optional<std::string> Encode(const std::string& fingerprint, const HttpValidators& of) {
  if (of.etag.empty() && of.last_modified.empty()) return std::nullopt;
  return fingerprint + "\n" + of.etag + "\n" + of.last_modified;
}

HttpValidators Decode(const std::optional<std::string>& text, const std::string& fingerprint) {
  if (!text || !text->starts_with(fingerprint + "\n")) return {};
  const auto rest = text->substr(fingerprint.size() + 1);
  const auto feed = rest.find('\n');
  if (feed == std::string::npos) return {};
  return {.etag = rest.substr(0, feed), .last_modified = rest.substr(feed + 1)};
}

Error BadResponse(const std::string& url, const std::string& what) {
  const auto parsed = HttpUrl::Parse(url);
  return {ErrorCode::kUnavailable,
          (parsed ? "GET " + parsed->WithoutQuery() + ": " : std::string()) + what};
}

}  // namespace

Scan::Scan(WatcherContext& tower, const Settings& settings, Mapping& mapping, HttpClient& client,
           Ledger& ledger, Memory& memory)
    : tower_(tower),
      settings_(settings),
      mapping_(mapping),
      client_(client),
      ledger_(ledger),
      memory_(memory),
      number_(++memory.scans),
      skip_(settings.initial == "skip" && !ledger.Get(Ledger::kComplete)),
      first_url_(settings.url) {
  if (const auto& cursor = ledger_.Get(Ledger::kCursor);
      cursor && !settings_.cursor_param.empty()) {
    first_url_ = WithQuery(first_url_, settings_.cursor_param, *cursor);
  }
  fingerprint_ = Fingerprint(first_url_, settings_);
}

Status Scan::Run(const std::stop_token& stop, RetryAfter& retry_after) {
  JsonTape tape;
  std::set<std::string> asked;
  std::string url = first_url_;
  for (;;) {
    asked.insert(url);
    const auto reply = Request(url, asked.size() == 1, stop, retry_after);
    if (!reply) return reply.error();
    if (reply->status == 304) {
      LogScan("polled: not modified");
      tower_.ReportSuccess();
      return Ok();
    }
    ++pages_;
    std::optional<JsonValue> root;
    if (reply->status != 204) {
      const auto read = tape.Read(reply->body);
      if (!read) return BadResponse(url, "the response is not JSON: " + Describe(read.error()));
      root = *read;
      if (auto taken = Take(*root, url, stop); !taken) return taken;
    }
    auto next = NextUrl(*reply, root, url);
    if (!next) {
      if (auto stored = Store({}); !stored) return stored;
      return next.error();
    }
    // If pages form a cycle, all of them have been read.
    const bool last = !*next || asked.contains(**next);
    const bool enough = !last && pages_ >= settings_.max_pages;
    auto changes = last || enough ? End(*reply, last) : std::vector<CheckpointChange>();
    if (auto stored = Store(std::move(changes)); !stored) return stored;
    if (last || enough) {
      LogScan("polled");
      return Ok();
    }
    url = std::move(**next);
  }
}

void Scan::LogScan(std::string_view what) const {
  if (!LogShows(LogLevel::kDebug)) return;
  const auto parsed = HttpUrl::Parse(first_url_);
  tower_.log.Debug(what, {{"url", parsed ? parsed->WithoutQuery() : ""},
                          {"pages", pages_},
                          {"items", items_},
                          {"ignored", ignored_}});
}

Result<HttpReply> Scan::Request(const std::string& url, bool conditional,
                                const std::stop_token& stop, RetryAfter& retry_after) {
  auto headers = settings_.Headers();
  const auto before = headers.size();
  if (conditional) Decode(ledger_.Get(Ledger::kValidators), fingerprint_).AddTo(headers);
  auto reply = client_.Get(url, headers, stop);
  if (!reply) return reply.error();
  const int status = reply->status;
  if ((status >= 200 && status < 300) || (status == 304 && headers.size() > before)) return reply;
  auto error = BadResponse(url, "status " + std::to_string(status));
  const auto wait = reply->RetryAfter();
  if (wait && (status == 429 || status == 503 || status == 403)) {
    retry_after = wait;
    error.message += ", retry after " +
                     std::to_string(std::chrono::ceil<std::chrono::seconds>(*wait).count()) + " s";
  } else if (status == 401 || status == 403) {
    error.code = ErrorCode::kPermanent;
    error.message += ": wrong credentials, or no permission";
  }
  return error;
}

Result<std::optional<std::string>> Scan::NextUrl(const HttpReply& reply,
                                                 const std::optional<JsonValue>& root,
                                                 const std::string& url) const {
  std::optional<std::string> reference;
  if (settings_.NextIsLink()) {
    for (const auto& [name, value] : reply.headers) {
      if (reference) break;
      if (HttpReply{.headers = {{name, value}}}.Header("Link")) reference = NextLink(value);
    }
  } else if (!settings_.next.empty() && root) {
    const auto found = At(settings_.next, *root);
    const bool none = !found || found->type() == JsonType::kNull ||
                      found->type() == JsonType::kFalse || found->text() == "\"\"";
    if (none) return std::optional<std::string>();
    reference = Scalar(*found);
    if (!reference) {
      return BadResponse(url, settings_.next + " is " + std::string(ToString(found->type())) +
                                  ", where the next page is expected");
    }
    if (!settings_.next_param.empty()) {
      return std::optional(WithQuery(first_url_, settings_.next_param, *reference));
    }
  }
  if (!reference) return std::optional<std::string>();
  const auto here = HttpUrl::Parse(url);
  if (!here) return here.error();
  const auto next = here->Resolve(*reference);
  if (!next) return BadResponse(url, "the next page: " + next.error().message);
  if (!next->SameOrigin(*here)) {  // it would receive the headers, with their secrets
    auto error = BadResponse(url, "the next page is on another host, " + next->WithoutQuery());
    error.code = ErrorCode::kPermanent;
    return error;
  }
  return std::optional(next->Text());
}

Status Scan::Take(const JsonValue& root, const std::string& url, const std::stop_token& stop) {
  std::optional<JsonValue> value = root;
  if (!settings_.items.empty()) value = At(settings_.items, root);
  if (!value) return BadResponse(url, "there is no " + settings_.items);
  const auto type = value->type();
  list_ = !settings_.items.empty() && (type == JsonType::kArray || type == JsonType::kNull);
  if (list_) {
    for (const auto& item : *value) {
      TakeItem(item);
      if (taken_.size() < kBatch) continue;
      if (stop.stop_requested()) return Error{ErrorCode::kStopped, "interrupted"};
      if (auto stored = Store({}); !stored) return stored;
    }
  } else if (settings_.id.empty()) {
    TakeValue(std::string(Ledger::kDocument), "the document", *value);
  } else {
    return BadResponse(url,
                       settings_.items + " is " + std::string(ToString(type)) + ", not an array");
  }
  return RecordCursor(root, url);
}

Status Scan::RecordCursor(const JsonValue& root, const std::string& url) {
  if (settings_.cursor.empty()) return Ok();
  const auto found = At(settings_.cursor, root);
  if (!found || found->type() == JsonType::kNull) return Ok();
  auto cursor = Scalar(*found);
  if (!cursor) {
    return BadResponse(url, settings_.cursor + " is " + std::string(ToString(found->type())) +
                                ", neither a string nor a number");
  }
  cursor_ = std::move(cursor);
  return Ok();
}

void Scan::TakeItem(const JsonValue& item) {
  if (settings_.id.empty()) {
    const auto digest = Sha256Hex(item.text());
    return TakeValue(Ledger::KeyOf(digest), "item " + digest.substr(0, 12), item);
  }
  const auto found = At(settings_.id, item);
  const auto id = found ? Scalar(*found) : std::nullopt;
  if (id) return TakeValue(Ledger::KeyOf(*id), "item " + *id, item);
  const auto digest = Sha256Hex(item.text());
  const auto name = "item at " + std::to_string(item.offset());
  if (memory_.refusals.contains(digest)) {
    memory_.refusals[digest].seen = number_;
  } else {
    Refuse(digest, name, digest, "it has no " + settings_.id + " that is a string or a number");
  }
}

void Scan::TakeValue(std::string key, std::string name, const JsonValue& value) {
  Item item{.key = std::move(key), .name = std::move(name), .digest = Sha256Hex(value.text())};
  const Known* known = ledger_.Find(item.key);
  if (known != nullptr && known->seen == number_) return;  // twice in this scan
  ++items_;
  if (known != nullptr) item.before = *known;
  const bool changed = known == nullptr || known->digest != item.digest;
  const bool fires =
      changed && !skip_ &&
      (known == nullptr || settings_.fire_on == "changed" || item.key == Ledger::kDocument);
  if (!fires) ++ignored_;
  if (fires) {
    const auto refused = memory_.refusals.find(item.key);
    if (refused != memory_.refusals.end() && refused->second.digest == item.digest) {
      refused->second.seen = number_;
      if (item.before) ledger_.MarkSeen(item.key, item.before->digest, number_, item.changes);
      if (!item.changes.empty()) taken_.push_back(std::move(item));
      return;
    }
    auto triggers = mapping_.Apply(value.text(), item.name);
    if (!triggers) {
      Refuse(item.key, item.name, item.digest, triggers.error().message);
      if (item.before) ledger_.MarkSeen(item.key, item.before->digest, number_, item.changes);
      if (!item.changes.empty()) taken_.push_back(std::move(item));
      return;
    }
    if (triggers->empty()) ++ignored_;
    item.triggers = std::move(*triggers);
  }
  memory_.refusals.erase(item.key);
  ledger_.MarkSeen(item.key, item.digest, number_, item.changes);
  if (!item.changes.empty()) taken_.push_back(std::move(item));
}

void Scan::Refuse(const std::string& key, const std::string& name, const std::string& digest,
                  const std::string& why) {
  tower_.log.Warn("item rejected", {{"item", name}, {"error", why}});
  tower_.notes.Reject(name + ": " + why);
  memory_.refusals[key] = {digest, number_};
}

// The changes at the end of a scan. `whole`: it reached the end of the list.
std::vector<CheckpointChange> Scan::End(const HttpReply& reply, bool whole) {
  std::vector<CheckpointChange> changes;
  ledger_.Set(Ledger::kComplete, "1", changes);
  if (!whole) {
    if (!std::exchange(memory_.too_many_pages, true)) {
      tower_.log.Warn("more pages than max-pages; the rest is skipped",
                      {{"max_pages", settings_.max_pages}});
    }
    return changes;
  }
  memory_.too_many_pages = false;
  std::erase_if(memory_.refusals, [&](const auto& each) { return each.second.seen != number_; });
  if (list_) ledger_.EndScan(number_, settings_.forget_after, changes);
  if (cursor_) ledger_.Set(Ledger::kCursor, cursor_, changes);
  // An unchanged first page does not imply unchanged other pages, and refused items are to be tried
  // again after a restart.
  const bool lasting = pages_ == 1 && memory_.refusals.empty();
  ledger_.Set(Ledger::kValidators,
              lasting ? Encode(fingerprint_, HttpValidators::Of(reply)) : std::nullopt, changes);
  return changes;
}

Status Scan::Store(std::vector<CheckpointChange> changes) {
  std::vector<Trigger> triggers;
  std::vector<CheckpointChange> all;
  for (const auto& item : taken_) {
    triggers.insert(triggers.end(), item.triggers.begin(), item.triggers.end());
    all.insert(all.end(), item.changes.begin(), item.changes.end());
  }
  all.insert(all.end(), changes.begin(), changes.end());
  if (all.empty()) {
    tower_.ReportSuccess();
    return Ok();
  }
  const auto put = tower_.queue.Put(triggers, Event{.key = {}, .remember = all});
  if (!put && put.error().of_event()) return StoreOneByOne(std::move(changes));
  if (!put) return put;
  if (!triggers.empty()) {
    tower_.log.Info("triggers taken", {{"triggers", triggers.size()}});
  }
  taken_.clear();
  return Ok();
}

// So that a rejected item does not affect the others.
Status Scan::StoreOneByOne(std::vector<CheckpointChange> changes) {
  bool refused = false;
  for (const auto& item : taken_) {
    const auto put = tower_.queue.Put(item.triggers, Event{.key = {}, .remember = item.changes});
    if (put) continue;
    if (put || !put.error().of_event()) return put;
    ledger_.Restore(item.key, item.before);
    Refuse(item.key, item.name, item.digest, put.error().message);
    refused = true;
  }
  taken_.clear();
  if (changes.empty()) return Ok();
  if (refused) ledger_.Set(Ledger::kValidators, std::nullopt, changes);
  return PutCheckpoint(tower_.queue, changes);
}

}  // namespace tower::poll
