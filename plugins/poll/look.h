// One look at the source: its pages are asked for, and what is new in them is put.
#ifndef PLUGINS_POLL_LOOK_H_
#define PLUGINS_POLL_LOOK_H_

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

// Items that could not become triggers, by key. In memory alone: a restart, with a better script
// perhaps, tries them again.
struct Refusal {
  std::string digest;
  std::uint64_t seen = 0;
};
using Refusals = std::unordered_map<std::string, Refusal>;

// What outlives a Run of the watcher.
struct Memory {
  Refusals refusals;
  std::uint64_t looks = 0;
  bool too_many_pages = false;  // said so
};

// The service asked not to be asked again before.
using RetryAfter = std::optional<std::chrono::milliseconds>;

class Look {
 public:
  // All must outlive the look.
  Look(WatcherContext& tower, const Settings& settings, Mapping& mapping, HttpClient& client,
       Ledger& ledger, Memory& memory);

  // Once through all pages. What was stored before an error stays stored. `retry_after` is set with
  // an error that came with Retry-After.
  Status Run(const std::stop_token& stop, RetryAfter& retry_after);

 private:
  struct Item {
    std::string key, name;  // in the ledger; in messages
    std::string digest;
    std::optional<Known> before;
    std::vector<Trigger> triggers;
    std::vector<Remember> changes;
  };

  // Asking.
  Result<HttpReply> Ask(const std::string& url, bool conditional, const std::stop_token& stop,
                        RetryAfter& retry_after);
  Result<std::optional<std::string>> NextUrl(const HttpReply& reply,
                                             const std::optional<JsonValue>& root,
                                             const std::string& url) const;

  // Taking.
  Status Take(const JsonValue& root, const std::string& url, const std::stop_token& stop);
  void TakeItem(const JsonValue& item);
  void TakeValue(std::string key, std::string name, const JsonValue& value);
  void Refuse(const std::string& key, const std::string& name, const std::string& digest,
              const std::string& why);
  Status NoteCursor(const JsonValue& root, const std::string& url);
  void NoteLook(std::string_view what) const;
  std::vector<Remember> End(const HttpReply& reply, bool whole);
  Status Store(std::vector<Remember> changes);
  Status StoreOneByOne(std::vector<Remember> changes);

  WatcherContext& tower_;
  const Settings& settings_;
  Mapping& mapping_;
  HttpClient& client_;
  Ledger& ledger_;
  Memory& memory_;
  const std::uint64_t number_;
  const bool skip_;  // what is there already
  std::string first_url_;
  std::string fingerprint_;  // of all that decides what an answer means
  int pages_ = 0;
  std::size_t items_ = 0, ignored_ = 0;
  bool list_ = false;  // the answer was a list, rather than a document as a whole
  std::optional<std::string> cursor_;
  std::vector<Item> taken_;  // not yet stored
};

}  // namespace tower::poll

#endif  // PLUGINS_POLL_LOOK_H_
