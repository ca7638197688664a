#include "plugins/riffyn/api.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "core/base/encode.h"
#include "core/json/json.h"
#include "core/trigger/trigger.h"
#include "core/watch/watcher.h"

namespace tower::riffyn {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kTries = 5;                     // of a request that is throttled
constexpr milliseconds kThrottled{1000};      // without Retry-After; doubled at each try
constexpr std::size_t kMaxQuery = 4000;       // bytes, of raw data; servers take 8 KiB
constexpr std::size_t kMaxItems = 1'000'000;  // items
constexpr int kMaxFailures = 3;

bool IsIdentifier(std::string_view text) {
  return !text.empty() && (IsLetter(text[0]) || IsDigit(text[0])) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return IsLetter(c) || IsDigit(c) || c == '-' || c == '_' || c == '.';
         });
}

// Removes a number from the front.
bool SkipNumber(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsDigit);
  const auto digits = static_cast<std::size_t>(end - text.begin());
  text.remove_prefix(digits);
  return digits > 0;
}

bool IsVersion(std::string_view text) {
  if (!text.starts_with('v')) return false;
  text.remove_prefix(1);
  if (!SkipNumber(text)) return false;
  if (text.empty()) return true;
  for (const std::string_view stage : {"alpha", "beta"}) {
    if (!text.starts_with(stage)) continue;
    text.remove_prefix(stage.size());
    return SkipNumber(text) && text.empty();
  }
  return false;
}

// Values of any depth are passed on; the limit of triggers applies to them later.
constexpr JsonLimits kLimits{.depth = 1000, .record = 5};

Error InvalidAnswer(std::string message) { return {ErrorCode::kNotFound, std::move(message)}; }

Error NotJson(const Faults& faults) {
  return InvalidAnswer("the answer is not JSON: " + Describe(faults, 1));
}

// `activity_id` -> `activityId`.
std::string InCamelCase(std::string_view snake) {
  std::string camel;
  bool capital = false;
  for (const char c : snake) {
    if (c != '_') camel += capital ? static_cast<char>(c - 'a' + 'A') : c;
    capital = c == '_';
  }
  return camel;
}

// The member by either of its names. A null counts as absent.
std::optional<JsonValue> Member(const JsonValue& object, std::string_view snake) {
  for (const auto& name : {std::string(snake), InCamelCase(snake)}) {
    auto member = object.Find(name);
    if (member && member->type() != JsonType::kNull) return member;
  }
  return std::nullopt;
}

// The text of a string or the digits of a number, else empty.
std::string Text(const JsonValue& object, std::string_view snake) {
  const auto member = Member(object, snake);
  if (!member) return {};
  if (member->type() == JsonType::kString) return member->String();
  return member->type() == JsonType::kNumber ? std::string(member->text()) : std::string();
}

// Calls `each` with the items of an array member.
template <typename Each>
void ForItems(const JsonValue& object, std::string_view snake, const Each& each) {
  const auto array = Member(object, snake);
  if (!array || array->type() != JsonType::kArray) return;
  for (const auto& item : *array) each(item);
}

// Calls `each` with the items of a list.
template <typename Item, typename Each>
Result<Page<Item>> ReadPage(std::string_view json, const Each& each) {
  JsonTape tape;
  const auto root = tape.Read(json, kLimits);
  if (!root) return NotJson(root.error());
  const auto data = root->Find("data");
  if (!data || data->type() != JsonType::kArray)
    return InvalidAnswer("the answer has no array `data`");
  Page<Item> page;
  for (const auto& item : *data) {
    ++page.size;
    if (Text(item, "id").empty()) continue;
    page.items.push_back(each(item));
  }
  return page;
}

RunState StateOf(std::string_view status) {
  if (status == "running") return RunState::kRunning;
  if (status == "deleted") return RunState::kDeleted;
  for (const std::string_view idle : {"new", "stopped", "completed"}) {
    if (status == idle) return RunState::kIdle;
  }
  return RunState::kUnknown;
}

Run ReadRun(const JsonValue& item, const std::string& group) {
  Run run;
  run.id = Text(item, "id");
  run.name = Text(item, "name");
  run.number = Text(item, "num");
  run.activity = Text(item, "activity_id");
  run.group = Text(item, "group_id");
  if (run.group.empty()) run.group = group;
  const auto status = Text(item, "status");
  run.state = StateOf(status);
  if (run.state == RunState::kUnknown) run.problem = "unknown status: " + status;
  if (run.state != RunState::kRunning) return run;
  if (run.activity.empty() || run.number.empty()) {
    run.state = RunState::kUnknown;
    run.problem = run.activity.empty() ? "no activity_id" : "no num";
  }
  ForItems(item, "inputs", [&](const JsonValue& input) {
    auto name = Text(input, "resource_name");
    if (IsApiVersion(name))
      run.resources.push_back({std::move(name), Text(input, "resource_def_id")});
  });
  return run;
}

Error ErrorOf(int status, const std::string& url) {
  const auto what = "GET " + url + ": status " + std::to_string(status);
  if (status == 401 || status == 403) {
    return {ErrorCode::kPermanent, what + ": the API key is not accepted"};
  }
  const bool service = status >= 500 || status == 429 || status == 408;
  return {service ? ErrorCode::kUnavailable : ErrorCode::kNotFound, what};
}

const std::string& IdOf(const std::string& id) { return id; }
const std::string& IdOf(const Run& run) { return run.id; }

std::string Base(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

// --- Answers -----------------------------------------------------------------------------------

bool IsApiVersion(std::string_view text) {
  if (text.size() > kMaxNameBytes) return false;
  const auto first = text.find('/');
  if (first == std::string_view::npos || !IsIdentifier(text.substr(0, first))) return false;
  text.remove_prefix(first + 1);
  const auto second = text.find('/');
  if (!IsVersion(text.substr(0, second))) return false;
  return second == std::string_view::npos || IsIdentifier(text.substr(second + 1));
}

Result<Page<std::string>> ReadIds(std::string_view json) {
  return ReadPage<std::string>(json, [](const JsonValue& item) { return Text(item, "id"); });
}

Result<Page<Run>> ReadRuns(std::string_view json, const std::string& group) {
  return ReadPage<Run>(json, [&](const JsonValue& item) { return ReadRun(item, group); });
}

Result<Activity> ReadActivity(std::string_view json) {
  JsonTape tape;
  const auto root = tape.Read(json, kLimits);
  if (!root) return NotJson(root.error());
  if (Text(*root, "id").empty()) return InvalidAnswer("the answer has no `id`");
  Activity activity;
  activity.name = Text(*root, "name");
  ForItems(*root, "inputs", [&](const JsonValue& item) {
    auto& input = activity.inputs.emplace_back();
    input.id = Text(item, "id");
    ForItems(item, "properties", [&](const JsonValue& property) {
      input.properties.push_back({Text(property, "id"), Text(property, "name")});
    });
  });
  return activity;
}

std::string ColumnOf(std::string_view activity, std::string_view input, std::string_view property) {
  std::string column(activity);
  column.append(" | input | ").append(input).append(" | ").append(property).append(" | value");
  return column;
}

Result<RawData> ReadRawData(std::string_view json) {
  JsonTape tape;
  const auto root = tape.Read(json, kLimits);
  if (!root) return NotJson(root.error());
  const auto tables = root->Find("datatables");
  if (!tables || tables->type() != JsonType::kObject) {
    return InvalidAnswer("the answer has no object `datatables`");
  }
  RawData data;
  for (const auto& run : *tables) {
    const auto table = run.Find("datatable");
    if (!table || table->type() != JsonType::kArray) continue;
    auto& row = data[run.Name()];
    if (table->begin() == table->end()) continue;
    const JsonValue first = *table->begin();
    for (const auto& cell : first) {
      if (cell.type() != JsonType::kNull) row.emplace(cell.Name(), cell.text());
    }
  }
  return data;
}

// --- Requests ----------------------------------------------------------------------------------

std::string Escape(std::string_view text) {
  if (text == ".") return "%2E";
  if (text == "..") return "%2E%2E";
  return PercentEncode(text);
}

std::optional<std::string> Unescape(std::string_view text) {
  auto plain = PercentDecode(text);
  if (!plain || Escape(*plain) != text) return std::nullopt;
  return plain;
}

bool Throttle::Wait(const std::stop_token& stop) const {
  while (!stop.stop_requested()) {
    Clock::time_point until;
    {
      const std::lock_guard lock(mutex_);
      until = paused_until_;
    }
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left.count() <= 0) return true;
    WatcherContext::Sleep(left, stop);
  }
  return false;
}

bool Throttle::Pause(milliseconds time) {
  const std::lock_guard lock(mutex_);
  paused_until_ = std::max(paused_until_, Clock::now() + time);
  return !std::exchange(paused_in_poll_, true) && !paused_before_;
}

void Throttle::BeginPoll() {
  const std::lock_guard lock(mutex_);
  failures_ = 0;
  paused_before_ = std::exchange(paused_in_poll_, false);
}

void Throttle::RecordSuccess() {
  const std::lock_guard lock(mutex_);
  if (failures_ < kMaxFailures) failures_ = 0;
}

void Throttle::RecordFailure(const Error& error) {
  const std::lock_guard lock(mutex_);
  ++failures_;
  last_ = error;
}

void Throttle::Trip(const Error& error) {
  const std::lock_guard lock(mutex_);
  failures_ = kMaxFailures;
  last_ = error;
}

std::optional<Error> Throttle::Outage() const {
  const std::lock_guard lock(mutex_);
  if (failures_ < kMaxFailures) return std::nullopt;
  return last_;
}

bool IsSkippable(const Error& error) noexcept {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout ||
         error.code == ErrorCode::kNotFound;
}

Result<std::unique_ptr<Api>> Api::Make(const Settings& settings, Throttle& throttle,
                                       const Logger& log) {
  HttpClientOptions options;
  options.timeout = settings.timeout;
  options.max_body = settings.max_body.bytes;
  auto client = HttpClient::Make(settings.url, options);
  if (!client) return client.error();
  return std::unique_ptr<Api>(new Api(settings, throttle, log, std::move(*client)));
}

Api::Api(const Settings& settings, Throttle& throttle, const Logger& log,
         std::unique_ptr<HttpClient> client)
    : base_(Base(settings.url)),
      headers_({{"api-key", settings.api_key}, {"Accept", "application/json"}}),
      page_size_(static_cast<std::size_t>(settings.page_size)),
      throttle_(throttle),
      log_(log),
      client_(std::move(client)) {}

Result<std::string> Api::Get(const std::string& target, const std::stop_token& stop) {
  const auto url = base_ + target.substr(0, target.find('?'));
  for (int tries = 1;; ++tries) {
    if (!throttle_.Wait(stop)) return Error{ErrorCode::kStopped, "interrupted"};
    auto reply = client_->Get(base_ + target, headers_, stop);
    if (!reply) {
      throttle_.RecordFailure(reply.error());
      return reply.error();
    }
    if (reply->status == 200) {
      throttle_.RecordSuccess();
      return std::move(reply->body);
    }
    auto error = ErrorOf(reply->status, url);
    const auto retry_after = reply->RetryAfter();
    if (reply->status == 429) {
      const auto pause = retry_after.value_or(kThrottled * (1 << (tries - 1)));
      if (throttle_.Pause(pause))
        log_.Warn("requests throttled by the service", {{"url", url}, {"wait_ms", pause.count()}});
      if (tries < kTries) continue;
      throttle_.Trip(error);
    } else if (error.code == ErrorCode::kUnavailable) {
      if (retry_after) throttle_.Pause(*retry_after);
      throttle_.RecordFailure(error);
    } else {
      throttle_.RecordSuccess();
    }
    return error;
  }
}

// A page that is shorter than requested is not always the last one: the server may have a lower
// limit. It is the last one if a longer page has been received.
template <typename Item, typename Read>
Result<List<Item>> Api::ReadList(const std::string& path, const std::stop_token& stop,
                                 const Read& read) {
  List<Item> list;
  std::map<std::string, std::size_t, std::less<>> places;
  for (std::size_t offset = 0;;) {
    const auto target =
        path + "?limit=" + std::to_string(page_size_) + "&offset=" + std::to_string(offset);
    const auto body = Get(target, stop);
    if (!body) return body.error();
    auto page = read(*body);
    if (!page) return Annotate("GET " + base_ + path, page.error());
    bool news = false;
    for (auto& item : page->items) {
      const auto [at, is_new] = places.emplace(IdOf(item), list.items.size());
      news = news || is_new;
      if (is_new) {
        list.items.push_back(std::move(item));
      } else {
        list.items[at->second] = std::move(item);
      }
    }
    list.whole = list.whole && page->items.size() == page->size;
    if (!news || page->size < largest_page_) return list;
    largest_page_ = page->size;
    offset += page->size;
    if (offset > kMaxItems) {
      return Error{ErrorCode::kNotFound, "GET " + base_ + path + ": the list does not end"};
    }
  }
}

Result<List<std::string>> Api::Experiments(const std::stop_token& stop) {
  return ReadList<std::string>("/experiments", stop, ReadIds);
}

Result<List<std::string>> Api::Groups(const std::string& experiment, const std::stop_token& stop) {
  return ReadList<std::string>("/experiment/" + Escape(experiment) + "/run-groups", stop, ReadIds);
}

Result<List<Run>> Api::Runs(const std::string& experiment, const std::string& group,
                            const std::stop_token& stop) {
  const auto path = "/experiment/" + Escape(experiment) + "/run-group/" + Escape(group) + "/runs";
  return ReadList<Run>(path, stop, [&](const std::string& json) { return ReadRuns(json, group); });
}

Result<Activity> Api::ActivityOf(const std::string& experiment, const std::string& activity,
                                 const std::stop_token& stop) {
  const auto path = "/experiment/" + Escape(experiment) + "/activity/" + Escape(activity);
  const auto body = Get(path, stop);
  if (!body) return body.error();
  auto read = ReadActivity(*body);
  if (!read) return Annotate("GET " + base_ + path, read.error());
  return read;
}

Result<RawData> Api::RawDataOf(const std::string& experiment, const std::string& activity,
                               const std::vector<const Run*>& runs, const std::stop_token& stop) {
  const auto path = "/experiment/" + Escape(experiment) + "/step/" + Escape(activity) + "/data/raw";
  RawData data;
  std::string query;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    query += query.empty() ? '?' : '&';
    query += "rgid=" + Escape(runs[i]->group) + "&rid=" + Escape(runs[i]->id) +
             "&rnum=" + Escape(runs[i]->number);
    if (i + 1 < runs.size() && query.size() < kMaxQuery) continue;
    const auto body = Get(path + std::exchange(query, {}), stop);
    if (!body) return body.error();
    auto some = ReadRawData(*body);
    if (!some) return Annotate("GET " + base_ + path, some.error());
    data.merge(*some);
  }
  return data;
}

Result<ApiPool> ApiPool::Make(const Settings& settings, Throttle& throttle, const Logger& log) {
  ApiPool pool;
  for (std::int64_t i = 0; i < settings.concurrency; ++i) {
    auto api = Api::Make(settings, throttle, log);
    if (!api) return api.error();
    pool.apis_.push_back(std::move(*api));
  }
  return pool;
}

void ApiPool::ForEach(std::size_t count, const std::function<void(Api&, std::size_t)>& request) {
  std::atomic<std::size_t> next{0};
  const auto work = [&](Api& api, std::exception_ptr& thrown) noexcept {
    try {
      for (std::size_t i = next++; i < count; i = next++) request(api, i);
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  const auto threads = std::max<std::size_t>(1, std::min(count, apis_.size()));
  std::vector<std::exception_ptr> thrown(threads);
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < threads; ++i) {
      helpers.emplace_back([&, i] { work(*apis_[i], thrown[i]); });
    }
    work(*apis_[0], thrown[0]);
  }
  for (const auto& one : thrown) {
    if (one) std::rethrow_exception(one);
  }
}

}  // namespace tower::riffyn
