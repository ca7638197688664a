// What a `poll` watcher remembers: its checkpoint, and its copy in memory.
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

// By key: an item by its id, or the whole document.
struct Known {
  std::string digest;                   // SHA-256 of the content, in hexadecimal
  std::optional<std::int64_t> missing;  // since when, in milliseconds of the system clock
  std::uint64_t seen = 0;               // number of the look that saw it last; not on disk
};

std::string Encode(const Known& known);
std::optional<Known> Decode(std::string_view text);

// Its changes are made in memory at once and handed back to be put. A put that fails as a whole
// makes the memory worthless: load it anew.
class Ledger {
 public:
  static constexpr std::string_view kDocument = "d";
  // Ids are their own keys, unless they are so long that their digest must do.
  static std::string KeyOf(std::string_view id);

  static Result<Ledger> Load(const WatcherQueue& queue);

  const Known* Find(const std::string& key) const;
  // Takes note that it was there in this look; appends what that changes on disk.
  void See(const std::string& key, const std::string& digest, std::uint64_t look,
           std::vector<Remember>& changes);
  // As if See had not happened: `before` is what Find had found.
  void Restore(const std::string& key, const std::optional<Known>& before);
  // After a look at the whole list: items that it did not see are missing, and forgotten once they
  // were missing for `forget_after`.
  void EndLook(std::uint64_t look, std::chrono::milliseconds forget_after,
               std::vector<Remember>& changes);

  // One value each: where the next look begins, what the last answer can be validated by, and
  // whether a look at everything was ever completed.
  enum Single { kCursor, kValidators, kComplete };
  const std::optional<std::string>& Get(Single which) const { return singles_[which]; }
  void Set(Single which, std::optional<std::string> value, std::vector<Remember>& changes);

 private:
  std::unordered_map<std::string, Known> known_;
  std::optional<std::string> singles_[3];
};

}  // namespace tower::poll

#endif  // PLUGINS_POLL_LEDGER_H_
