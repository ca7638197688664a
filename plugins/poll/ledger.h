// What a `poll` watcher remembers: its checkpoint, and a copy of it in memory.
#ifndef PLUGINS_POLL_LEDGER_H_
#define PLUGINS_POLL_LEDGER_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/result.h"
#include "core/watch/watcher.h"

namespace tower::poll {

// An item, or the whole document.
struct Known {
  std::string digest;                   // SHA-256 of the content, in hexadecimal
  std::optional<std::int64_t> missing;  // since when, in milliseconds of the system clock
  std::uint64_t seen = 0;               // the last scan that saw it; not on disk
};

std::string Encode(const Known& known);
std::optional<Known> Decode(std::string_view text);

// Changes are made in memory at once, and appended to `changes` for the caller to put. If a put
// fails as a whole, the ledger has to be loaded again.
class Ledger {
 public:
  static constexpr std::string_view kDocument = "d";
  // The key of an item: its id or, if that is long, the digest of the id.
  static std::string KeyOf(std::string_view id);

  static Result<Ledger> Load(const WatcherQueue& queue);

  const Known* Find(const std::string& key) const;
  // Records that an item was seen in this scan, with this content.
  void MarkSeen(const std::string& key, const std::string& digest, std::uint64_t scan,
                std::vector<CheckpointChange>& changes);
  // Reverts MarkSeen: `before` is what Find returned before it.
  void Restore(const std::string& key, const std::optional<Known>& before);
  // After a scan of the whole list: items that it did not see are missing, and are forgotten once
  // they have been missing for `forget_after`.
  void EndScan(std::uint64_t scan, std::chrono::milliseconds forget_after,
               std::vector<CheckpointChange>& changes);

  // Single values: where the next scan starts, the validators of the last response, and whether a
  // scan was ever completed.
  enum Single { kCursor, kValidators, kComplete };
  const std::optional<std::string>& Get(Single which) const { return singles_[which]; }
  void Set(Single which, std::optional<std::string> value, std::vector<CheckpointChange>& changes);

 private:
  std::unordered_map<std::string, Known> known_;
  std::optional<std::string> singles_[3];
};

}  // namespace tower::poll

#endif  // PLUGINS_POLL_LEDGER_H_
