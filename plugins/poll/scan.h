// One poll of the source: requests its pages, and puts what is new.
#ifndef PLUGINS_POLL_SCAN_H_
#define PLUGINS_POLL_SCAN_H_

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "core/http_client/client.h"
#include "core/json/json.h"
#include "core/watch/mapping.h"
#include "core/watch/watcher.h"
#include "plugins/poll/ledger.h"
#include "plugins/poll/settings.h"

namespace tower::poll {

// Items that could not become triggers, by key. Kept in memory only: a restart, perhaps with
// another script, tries them again.
struct Refusal {
  std::string digest;
  std::uint64_t seen = 0;
};
using Refusals = std::unordered_map<std::string, Refusal>;

// State that outlives a Run of the watcher.
struct Memory {
  Refusals refusals;
  std::uint64_t scans = 0;
  bool too_many_pages = false;  // was logged
};

// How long the service asked to wait.
using RetryAfter = std::optional<std::chrono::milliseconds>;

class Scan {
 public:
  // All must outlive the scan.
  Scan(WatcherContext& tower, const Settings& settings, Mapping& mapping, HttpClient& client,
       Ledger& ledger, Memory& memory);

  // Reads all pages. What is stored before an error stays stored. Sets `retry_after` for an error
  // that came with Retry-After.
  Status Run(const std::stop_token& stop, RetryAfter& retry_after);

 private:
  struct Item {
    std::string key, name;  // in the ledger; in messages
    std::string digest;
    std::optional<Known> before;
    std::vector<Trigger> triggers;
    std::vector<CheckpointChange> changes;
  };

  // Requests.
  Result<HttpReply> Request(const std::string& url, bool conditional, const std::stop_token& stop,
                            RetryAfter& retry_after);
  Result<std::optional<std::string>> NextUrl(const HttpReply& reply,
                                             const std::optional<JsonValue>& root,
                                             const std::string& url) const;

  // Items.
  Status Take(const JsonValue& root, const std::string& url, const std::stop_token& stop);
  void TakeItem(const JsonValue& item);
  void TakeValue(std::string key, std::string name, const JsonValue& value);
  void Refuse(const std::string& key, const std::string& name, const std::string& digest,
              const std::string& why);
  Status RecordCursor(const JsonValue& root, const std::string& url);
  void LogScan(std::string_view what) const;
  std::vector<CheckpointChange> End(const HttpReply& reply, bool whole);
  Status Store(std::vector<CheckpointChange> changes);
  Status StoreOneByOne(std::vector<CheckpointChange> changes);

  WatcherContext& tower_;
  const Settings& settings_;
  Mapping& mapping_;
  HttpClient& client_;
  Ledger& ledger_;
  Memory& memory_;
  const std::uint64_t number_;
  const bool skip_;  // items that exist already
  std::string first_url_;
  std::string fingerprint_;  // of the URL and the options that interpret the response
  int pages_ = 0;
  std::size_t items_ = 0, ignored_ = 0;
  bool list_ = false;  // the response is a list
  std::optional<std::string> cursor_;
  std::vector<Item> taken_;  // not yet stored
};

}  // namespace tower::poll

#endif  // PLUGINS_POLL_SCAN_H_
