#include "plugins/file/take/ledger.h"

#include <array>
#include <charconv>
#include <utility>

#include "core/watch/checkpoint.h"

namespace tower::file {
namespace {

constexpr std::string_view kFormat = "1";

template <typename T>
bool ReadNumber(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

// "1 handled|refused device inode size mtime_ns digest|-"
std::string Encode(const Handled& handled) {
  std::string text(kFormat);
  text += handled.refused ? " refused " : " handled ";
  text += std::to_string(handled.device) + " " + std::to_string(handled.version.inode) + " " +
          std::to_string(handled.version.size) + " " + std::to_string(handled.version.mtime_ns) +
          " " + (handled.digest.empty() ? "-" : handled.digest);
  return text;
}

std::optional<Handled> Decode(std::string_view text) {
  std::array<std::string_view, 7> fields;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto space = text.find(' ');
    if ((space == std::string_view::npos) != (i + 1 == fields.size())) return std::nullopt;
    fields[i] = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  Handled handled;
  handled.refused = fields[1] == "refused";
  handled.digest = fields[6] == "-" ? "" : fields[6];
  const bool valid = fields[0] == kFormat && (handled.refused || fields[1] == "handled") &&
                     ReadNumber(fields[2], handled.device) &&
                     ReadNumber(fields[3], handled.version.inode) &&
                     ReadNumber(fields[4], handled.version.size) &&
                     ReadNumber(fields[5], handled.version.mtime_ns);
  if (!valid) return std::nullopt;
  return handled;
}

Result<Ledger> Ledger::Load(const WatcherQueue& queue) {
  Ledger ledger;
  auto& entries = ledger.entries_;
  auto read = ReadCheckpoint(queue, [&](std::string path, const std::string& text) {
    auto handled = Decode(text);
    if (!handled) return false;
    entries.emplace_hint(entries.end(), std::move(path), Entry{std::move(*handled)});
    return true;
  });
  if (!read) return read.error();
  return ledger;
}

const Handled* Ledger::Find(std::string_view path) const {
  const auto found = entries_.find(path);
  return found == entries_.end() ? nullptr : &found->second.handled;
}

const Handled* Ledger::FindInScan(std::string_view path, std::uint64_t scan) {
  const auto found = entries_.find(path);
  if (found == entries_.end()) return nullptr;
  found->second.seen = scan;
  return &found->second.handled;
}

CheckpointChange Ledger::ChangeFor(const std::string& path, const Handled& handled) {
  return {path, Encode(handled)};
}

void Ledger::Stored(const std::string& path, Handled handled) {
  unwritten_.erase(path);
  entries_[path].handled = std::move(handled);
}

void Ledger::Update(const std::string& path, Handled handled) {
  unwritten_.insert_or_assign(path, Encode(handled));
  entries_[path].handled = std::move(handled);
}

void Ledger::Forget(const std::string& path) {
  if (entries_.erase(path) > 0) unwritten_.insert_or_assign(path, std::nullopt);
}

Status Ledger::Flush(WatcherQueue& queue) {
  constexpr std::size_t kMost = 5000;  // in one transaction
  while (!unwritten_.empty()) {
    std::vector<CheckpointChange> changes;
    auto end = unwritten_.begin();
    for (; end != unwritten_.end() && changes.size() < kMost; ++end) {
      changes.push_back({end->first, end->second});
    }
    if (auto put = PutCheckpoint(queue, changes); !put) return put;
    unwritten_.erase(unwritten_.begin(), end);
  }
  return Ok();
}

void Ledger::ForgetGone(const std::string& folder, std::uint64_t scan,
                        const std::function<bool(const std::string& path, const Handled&)>& gone) {
  const std::string prefix = folder == "/" ? folder : folder + "/";
  for (auto it = entries_.lower_bound(prefix);
       it != entries_.end() && it->first.compare(0, prefix.size(), prefix) == 0;) {
    if (it->second.seen == scan || !gone(it->first, it->second.handled)) {
      ++it;
      continue;
    }
    unwritten_.insert_or_assign(it->first, std::nullopt);
    it = entries_.erase(it);
  }
}

}  // namespace tower::file
