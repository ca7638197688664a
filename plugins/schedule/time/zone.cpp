#include "plugins/schedule/time/zone.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace tower::schedule {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

namespace {

constexpr std::uintmax_t kMaxFile = 1 << 20;  // real files have less than 4 KiB

}  // namespace

class TzifReader {
 public:
  explicit TzifReader(std::string_view bytes) : rest_(bytes) {}

  std::optional<Zone> Read(std::string& why) {
    why = "not a TZif file";
    auto head = ReadHead();
    if (!head) return std::nullopt;
    if (head->version != 0) {  // the first block is for readers of version 1
      Skip(head->BytesOfBlock(4));
      head = ReadHead();
      if (!head) return std::nullopt;
    }
    why = "it counts leap seconds";
    if (head->leaps != 0) return std::nullopt;
    why = "the file is damaged";
    Zone zone;
    ReadBlock(*head, head->version == 0 ? 4 : 8, zone);
    if (head->version != 0) ReadFooter(zone);
    if (!good_) return std::nullopt;
    return zone;
  }

 private:
  struct Head {
    char version = 0;
    std::uint64_t ut = 0, standard = 0, leaps = 0, changes = 0, types = 0, letters = 0;
    std::uint64_t BytesOfBlock(std::uint64_t time_bytes) const {
      return changes * (time_bytes + 1) + types * 6 + letters + leaps * (time_bytes + 4) +
             standard + ut;
    }
  };

  std::string_view Skip(std::uint64_t count) {
    good_ = good_ && count <= rest_.size();
    if (!good_) return {};
    const auto bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  // Big-endian, two's complement.
  std::int64_t Number(std::size_t bytes) {
    std::uint64_t number = 0;
    for (const char c : Skip(bytes)) number = (number << 8U) | static_cast<std::uint8_t>(c);
    if (bytes == 4) return static_cast<std::int32_t>(static_cast<std::uint32_t>(number));
    return static_cast<std::int64_t>(number);
  }
  std::uint64_t Count() { return static_cast<std::uint32_t>(Number(4)); }

  std::optional<Head> ReadHead() {
    if (Skip(4) != "TZif") return std::nullopt;
    Head head;
    const auto version = Skip(1);
    if (!good_) return std::nullopt;
    head.version = version.front();
    Skip(15);
    for (auto* count :
         {&head.ut, &head.standard, &head.leaps, &head.changes, &head.types, &head.letters}) {
      *count = Count();
    }
    if (!good_) return std::nullopt;
    return head;
  }

  void ReadBlock(const Head& head, std::size_t time_bytes, Zone& zone) {
    if (head.BytesOfBlock(time_bytes) > rest_.size() || head.types == 0) good_ = false;
    if (!good_) return;
    std::vector<std::int64_t> times(head.changes);
    for (auto& time : times) time = Number(time_bytes);
    const auto types = Skip(head.changes);
    std::vector<seconds> offsets(head.types);
    for (auto& offset : offsets) {
      offset = seconds(Number(4));
      Skip(2);  // whether it is daylight-saving time, and its abbreviation
      good_ = good_ && offset > -kMaxOffset && offset < kMaxOffset;
    }
    Skip(head.letters + head.standard + head.ut);
    zone.first_offset_ = offsets.front();
    for (std::size_t i = 0; i < times.size() && good_; ++i) {
      const auto type = static_cast<std::uint8_t>(types[i]);
      good_ = type < offsets.size() && (i == 0 || times[i - 1] < times[i]);
      if (!good_) return;
      const auto at = std::clamp(sys_seconds(seconds(times[i])), kBeginOfTime, kEndOfTime);
      zone.changes_.push_back({at, offsets[type]});
    }
  }

  void ReadFooter(Zone& zone) {
    const auto end = rest_.find('\n', 1);
    good_ = good_ && rest_.starts_with('\n') && end != std::string_view::npos;
    if (!good_ || end == 1) return;
    zone.rule_ = PosixTz::Parse(rest_.substr(1, end - 1));
    good_ = zone.rule_.has_value();
  }

  std::string_view rest_;
  bool good_ = true;
};

std::string ZoneinfoFolder() {
  const char* folder = std::getenv("TZDIR");
  return folder != nullptr && *folder != '\0' ? folder : "/usr/share/zoneinfo";
}

bool IsZoneName(std::string_view name) {
  constexpr std::size_t kMaxName = 200;
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
  return !name.empty() && name.size() <= kMaxName && name.front() != '/' && name.back() != '/' &&
         name.find("//") == std::string_view::npos &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

Result<Zone> Zone::Load(const std::string& name, const std::string& folder) {
  if (name == "UTC" || name == "Etc/UTC") return Zone();
  namespace fs = std::filesystem;
  const auto fault = [&](const std::string& why) {
    return Error{ErrorCode::kPermanent, "time zone " + name + ": " + why};
  };
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return fault("this system has no zoneinfo in " + folder +
                 ": install tzdata, or mount that folder, or use UTC");
  }
  const auto path = fs::path(folder) / name;
  if (!fs::is_regular_file(path, error)) {
    return fault("there is no zone of that name in " + folder +
                 "; zones are named like Europe/Berlin, in upper and lower case");
  }
  if (fs::file_size(path, error) > kMaxFile || error) return fault("not a TZif file");
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.good() && !file.eof()) return fault("can't be read: " + ErrnoText(errno));
  auto zone = Parse(bytes);
  if (!zone) return fault(path.string() + ": " + zone.error().message);
  return zone;
}

Result<Zone> Zone::Parse(std::string_view tzif) {
  std::string why;
  auto zone = TzifReader(tzif).Read(why);
  if (!zone) return Error{ErrorCode::kPermanent, why};
  return *std::move(zone);
}

Span Zone::At(sys_seconds time) const {
  const auto next =
      std::upper_bound(changes_.begin(), changes_.end(), time,
                       [](sys_seconds wanted, const Change& change) { return wanted < change.at; });
  const auto begin = next == changes_.begin() ? kBeginOfTime : std::prev(next)->at;
  if (next == changes_.end() && rule_) {
    auto span = rule_->At(time);
    span.begin = std::max(span.begin, begin);
    return span;
  }
  return {begin, next == changes_.end() ? kEndOfTime : next->at,
          next == changes_.begin() ? first_offset_ : std::prev(next)->offset};
}

local_seconds Zone::Local(sys_seconds time) const {
  return local_seconds(time.time_since_epoch() + At(time).offset);
}

local_seconds Zone::LatestLocal(sys_seconds time) const {
  auto span = At(time);
  auto latest = local_seconds(time.time_since_epoch() + span.offset);
  // Clocks are never set back by more than two offsets differ.
  while (span.begin > time - 2 * kMaxOffset) {
    const auto before = span.begin - seconds(1);
    span = At(before);
    latest = std::max(latest, local_seconds(before.time_since_epoch() + span.offset));
  }
  return latest;
}

sys_seconds Zone::FirstAt(local_seconds local) const {
  auto time = sys_seconds(local.time_since_epoch()) - kMaxOffset;
  while (true) {
    const auto span = At(time);
    const auto shown = sys_seconds(local.time_since_epoch()) - span.offset;
    if (shown < span.end) return std::max(shown, time);
    time = span.end;
  }
}

}  // namespace tower::schedule
