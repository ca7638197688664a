#include "plugins/poll/ledger.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/digest.h"
#include "core/watch/checkpoint.h"

namespace tower::poll {
namespace {

constexpr std::string_view kSingleKeys[] = {"cursor", "validators", "complete"};
constexpr std::string_view kFormat = "1 ";
constexpr std::size_t kDigestSize = 64;
constexpr std::size_t kMaxId = 256;
// Keys of ids, of digests and of single values do not collide.
constexpr std::string_view kIdPrefix = "i:", kDigestPrefix = "h:";

std::int64_t Now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

// "1 digest", or "1 digest missing_ms".
std::string Encode(const Known& known) {
  std::string text(kFormat);
  text += known.digest;
  if (known.missing) text += " " + std::to_string(*known.missing);
  return text;
}

std::optional<Known> Decode(std::string_view text) {
  if (!text.starts_with(kFormat) || text.size() < kFormat.size() + kDigestSize) return std::nullopt;
  text.remove_prefix(kFormat.size());
  Known known;
  known.digest = text.substr(0, kDigestSize);
  text.remove_prefix(kDigestSize);
  if (text.empty()) return known;
  std::int64_t missing = 0;
  const auto* last = text.data() + text.size();
  const auto [end, fault] = std::from_chars(text.data() + 1, last, missing);
  if (text[0] != ' ' || fault != std::errc() || end != last) return std::nullopt;
  known.missing = missing;
  return known;
}

std::string Ledger::KeyOf(std::string_view id) {
  const bool longer = id.size() > kMaxId;
  return std::string(longer ? kDigestPrefix : kIdPrefix) +
         (longer ? Sha256Hex(id) : std::string(id));
}

Result<Ledger> Ledger::Load(const WatcherQueue& queue) {
  Ledger ledger;
  auto read = ReadCheckpoint(queue, [&](std::string key, std::string text) {
    const auto* single = std::find(std::begin(kSingleKeys), std::end(kSingleKeys), key);
    if (single != std::end(kSingleKeys)) {
      ledger.singles_[single - std::begin(kSingleKeys)] = std::move(text);
      return true;
    }
    auto known = Decode(text);
    if (!known) return false;
    ledger.known_.emplace(std::move(key), std::move(*known));
    return true;
  });
  if (!read) return read.error();
  return ledger;
}

const Known* Ledger::Find(const std::string& key) const {
  const auto found = known_.find(key);
  return found == known_.end() ? nullptr : &found->second;
}

void Ledger::MarkSeen(const std::string& key, const std::string& digest, std::uint64_t scan,
                      std::vector<CheckpointChange>& changes) {
  auto& known = known_[key];
  known.seen = scan;
  if (known.digest == digest && !known.missing) return;
  known.digest = digest;
  known.missing.reset();
  changes.push_back({key, Encode(known)});
}

void Ledger::Restore(const std::string& key, const std::optional<Known>& before) {
  if (before) {
    known_[key] = *before;
  } else {
    known_.erase(key);
  }
}

void Ledger::EndScan(std::uint64_t scan, std::chrono::milliseconds forget_after,
                     std::vector<CheckpointChange>& changes) {
  const auto now = Now();
  for (auto it = known_.begin(); it != known_.end();) {
    auto& [key, known] = *it;
    if (known.seen == scan || key == kDocument) {
      ++it;
      continue;
    }
    const bool newly = !known.missing;
    if (newly) known.missing = now;
    if (now - *known.missing >= forget_after.count()) {
      changes.push_back({key, std::nullopt});
      it = known_.erase(it);
      continue;
    }
    if (newly) changes.push_back({key, Encode(known)});
    ++it;
  }
}

void Ledger::Set(Single which, std::optional<std::string> value,
                 std::vector<CheckpointChange>& changes) {
  if (singles_[which] == value) return;
  singles_[which] = value;
  changes.push_back({std::string(kSingleKeys[which]), std::move(value)});
}

}  // namespace tower::poll
