#include "core/api/trigger_query.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/did_you_mean.h"
#include "core/base/encode.h"
#include "core/base/time_text.h"

namespace tower {
namespace {

constexpr std::int64_t kListMost = 1000;
constexpr auto kNoLimit = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view kTimeRule =
    "must be a time with its offset from UTC, such as 2026-03-29T08:00:00Z (RFC 3339)";

std::optional<std::int64_t> ParseNumber(std::string_view text, std::int64_t least,
                                        std::int64_t most) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number >= least && number <= most ? std::optional(number) : std::nullopt;
}

using FilterTime = std::optional<std::chrono::sys_time<std::chrono::milliseconds>>;

FilterTime ParseInstant(std::string_view text) {
  const auto written = ParseTimeText(text);
  if (!written || !written->offset) return std::nullopt;
  return std::chrono::sys_time<std::chrono::milliseconds>(written->local.time_since_epoch() -
                                                          *written->offset);
}

// Sets the member of the filter with this name. Returns what is wrong with the value, or "".
// REQUIRES: `name` is a member of the filter.
std::string SetMember(TriggerFilter& filter, std::string_view name, std::string_view value) {
  if (value.empty()) return "must not be empty; omit it to match any";
  if (name == "status") {
    filter.state = ParseTriggerState(value);
    return filter.state ? "" : "must be queued, published, undeliverable or discarded";
  }
  if (name == "since" || name == "until") {
    auto& time = name == "since" ? filter.since : filter.until;
    time = ParseInstant(value);
    return time ? "" : std::string(kTimeRule);
  }
  (name == "protocol" ? filter.protocol
   : name == "source" ? filter.source
                      : filter.api_version) = value;
  return "";
}

// The parameters of a list, and the members of a bulk change.
const std::vector<std::string>& Parameters() {
  static const std::vector<std::string> names = {"status", "protocol", "apiVersion", "source",
                                                 "since",  "until",    "limit",      "before"};
  return names;
}
const std::vector<std::string>& Members() {
  static const std::vector<std::string> names = {"status", "protocol", "apiVersion", "source",
                                                 "since",  "until",    "dryRun",     "confirm"};
  return names;
}

bool Has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string List(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// The error for an unknown parameter or member.
std::string Unknown(std::string_view name, const std::vector<std::string>& known) {
  return "is not known" + DidYouMean(name, known) + " (there are " + List(known) + ")";
}

// Sets a parameter. Returns what is wrong with it, or "".
std::string TakeParameter(ListQuery& query, std::string_view name, std::string_view value) {
  if (name != "limit" && name != "before") return SetMember(query.filter, name, value);
  const bool limit = name == "limit";
  const auto number = ParseNumber(value, 1, limit ? kListMost : kNoLimit);
  if (number) (limit ? query.limit : query.before) = *number;
  if (number) return "";
  return limit ? "must be a number from 1 to " + std::to_string(kListMost)
               : "must be as the Link header of an answer gave it";
}

// Sets a member. Returns what is wrong with it, or "".
std::string TakeMember(BulkQuery& query, const JsonValue& member) {
  const auto type = member.type();
  if (member.NameIs("dryRun")) {
    query.options.dry_run = type == JsonType::kTrue;
    const bool boolean = type == JsonType::kTrue || type == JsonType::kFalse;
    return boolean ? "" : "must be true or false";
  }
  if (member.NameIs("confirm")) {
    query.options.confirm =
        type == JsonType::kNumber ? ParseNumber(member.text(), 0, kNoLimit) : std::nullopt;
    return query.options.confirm ? "" : "must be the number that a dry run returned";
  }
  if (type != JsonType::kString) return "must be a string";
  return SetMember(query.filter, member.Name(), member.String());
}

}  // namespace

Result<ListQuery> ParseQuery(const HttpRequest& request) {
  ListQuery query;
  const auto& all = request.query;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& name = all[i].first;
    const auto& value = all[i].second;
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(i);
    const bool twice =
        std::any_of(all.begin(), end, [&](const auto& other) { return other.first == name; });
    const auto fault = !Has(Parameters(), name) ? Unknown(name, Parameters())
                       : twice                  ? "occurs twice"
                                                : TakeParameter(query, name, value);
    if (!fault.empty()) return Error{ErrorCode::kInvalid, "parameter \"" + name + "\" " + fault};
  }
  return query;
}

Status CheckNoQuery(const HttpRequest& request) {
  if (request.query.empty()) return Ok();
  return Error{ErrorCode::kInvalid, "parameter \"" + request.query.front().first +
                                        "\" is not known; this request has no parameters"};
}

std::string NextLink(const ListQuery& query, std::int64_t before) {
  const auto& filter = query.filter;
  std::string link = "</triggers?limit=" + std::to_string(query.limit);
  if (filter.state) link += "&status=" + std::string(ToString(*filter.state));
  const auto add = [&link](std::string_view name, const std::string& value) {
    if (!value.empty()) link += "&" + std::string(name) + "=" + PercentEncode(value);
  };
  add("protocol", filter.protocol);
  add("apiVersion", filter.api_version);
  add("source", filter.source);
  if (filter.since) add("since", TimeText(*filter.since));
  if (filter.until) add("until", TimeText(*filter.until));
  return link + "&before=" + std::to_string(before) + ">; rel=\"next\"";
}

tl::expected<BulkQuery, Faults> ParseBulk(std::string_view body, bool discard) {
  JsonTape tape;
  const auto root = tape.Read(body, {.record = 1});
  if (!root) return tl::unexpected(root.error());
  Faults faults;
  const auto add = [&faults](std::string_view name, std::string detail, std::size_t offset) {
    Fault fault{.pointer = {}, .detail = std::move(detail), .offset = offset};
    if (!name.empty()) AppendPointer(fault.pointer, name);
    AddFault(faults, std::move(fault));
  };
  if (root->type() != JsonType::kObject) {
    add("", "must be an object, such as {\"status\":\"undeliverable\"}", 0);
    return tl::unexpected(std::move(faults));
  }
  BulkQuery query;
  for (const auto& member : *root) {
    const auto name = member.Name();
    auto fault = Has(Members(), name) ? TakeMember(query, member) : Unknown(name, Members());
    if (!fault.empty()) add(name, std::move(fault), member.name_offset());
  }
  const auto state = query.filter.state;
  const bool fits =
      discard ? state == TriggerState::kUndeliverable : state && *state != TriggerState::kQueued;
  if ((state && !fits) || !root->Find("status")) {
    add("status",
        discard ? "must be undeliverable: nothing else is discarded"
                : "must say which: undeliverable, published or discarded",
        0);
  }
  if (!faults.empty()) return tl::unexpected(std::move(faults));
  return query;
}

}  // namespace tower
