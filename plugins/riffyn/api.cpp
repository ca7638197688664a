#include "plugins/riffyn/api.h"

#include <map>
#include <utility>

#include "plugins/riffyn/escape.h"

namespace tower::riffyn {
namespace {

using std::chrono::milliseconds;

constexpr int kTries = 5;                        // of a request that is throttled
constexpr milliseconds kThrottled{1000};         // without Retry-After; doubled at each try
constexpr std::size_t kLongestQuery = 4000;      // bytes, of raw data; servers take 8 KiB
constexpr std::size_t kLongestList = 1'000'000;  // items

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

bool IsOfPlace(const Error& error) noexcept {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout ||
         error.code == ErrorCode::kNotFound;
}

Result<std::unique_ptr<Api>> Api::Make(const Settings& settings, Gate& gate, const Logger& log) {
  HttpClientOptions options;
  options.timeout = settings.timeout;
  options.max_body = settings.max_body.bytes;
  auto client = HttpClient::Make(settings.url, options);
  if (!client) return client.error();
  return std::unique_ptr<Api>(new Api(settings, gate, log, std::move(*client)));
}

Api::Api(const Settings& settings, Gate& gate, const Logger& log,
         std::unique_ptr<HttpClient> client)
    : base_(Base(settings.url)),
      headers_({{"api-key", settings.api_key}, {"Accept", "application/json"}}),
      page_size_(static_cast<std::size_t>(settings.page_size)),
      gate_(gate),
      log_(log),
      client_(std::move(client)) {}

Result<std::string> Api::Get(const std::string& target, const std::stop_token& stop) {
  const auto url = base_ + target.substr(0, target.find('?'));
  for (int tries = 1;; ++tries) {
    if (!gate_.Wait(stop)) return Error{ErrorCode::kStopped, "interrupted"};
    auto reply = client_->Get(base_ + target, headers_, stop);
    if (!reply) {
      gate_.Failed(reply.error());
      return reply.error();
    }
    if (reply->status == 200) {
      gate_.Answered();
      return std::move(reply->body);
    }
    auto error = ErrorOf(reply->status, url);
    const auto retry_after = reply->RetryAfter();
    if (reply->status == 429) {
      const auto pause = retry_after.value_or(kThrottled * (1 << (tries - 1)));
      if (gate_.Close(pause)) log_.Warn("throttled", {{"url", url}, {"wait_ms", pause.count()}});
      if (tries < kTries) continue;
      gate_.GiveUp(error);
    } else if (error.code == ErrorCode::kUnavailable) {
      if (retry_after) gate_.Close(*retry_after);
      gate_.Failed(error);
    } else {
      gate_.Answered();
    }
    return error;
  }
}

// A page that is shorter than asked for may still be one of many: a server may have a lower limit
// of its own. It is surely the last one when a longer page has been seen.
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
    if (offset > kLongestList) {
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
    if (i + 1 < runs.size() && query.size() < kLongestQuery) continue;
    const auto body = Get(path + std::exchange(query, {}), stop);
    if (!body) return body.error();
    auto some = ReadRawData(*body);
    if (!some) return Annotate("GET " + base_ + path, some.error());
    data.merge(*some);
  }
  return data;
}

}  // namespace tower::riffyn
