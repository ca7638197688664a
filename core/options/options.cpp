#include "core/options/options.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <system_error>

#include "core/base/digest.h"
#include "core/base/encode.h"
#include "core/base/file.h"

namespace tower {
namespace {

constexpr std::string_view kDurationRule = "a duration such as 500ms, 10s, 5m or 7d";
constexpr std::string_view kSizeRule = "a size such as 512, 64KiB, 1MiB or 1GiB";
constexpr std::string_view kNumberRule = "a whole number";
constexpr std::string_view kBoolRule = "true or false";

constexpr std::string_view kWatchers = "plugin.";

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
// Smallest first. Format uses the largest unit that divides the value.
constexpr Unit kDurationUnits[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizeUnits[] = {{"", 1},
                               {"KiB", std::int64_t{1} << 10},
                               {"MiB", std::int64_t{1} << 20},
                               {"GiB", std::int64_t{1} << 30},
                               {"TiB", std::int64_t{1} << 40}};

Error Expected(std::string_view rule) { return {ErrorCode::kInvalid, std::string(rule)}; }

// Parses digits followed by one of the units. Refuses anything else, and values beyond int64.
Result<std::int64_t> ParseWithUnit(std::string_view text, std::span<const Unit> units,
                                   std::string_view rule) {
  if (text.empty() || text.front() == '-') return Expected(rule);
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc()) return Expected(rule);
  const auto suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& unit : units) {
    if (suffix != unit.name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return Expected(rule);
    return number * unit.factor;
  }
  return Expected(rule);
}

std::string FormatWithUnit(std::int64_t value, std::span<const Unit> units) {
  const Unit* best = &units.front();
  for (const auto& unit : units) {
    if (value % unit.factor == 0) best = &unit;
  }
  return std::to_string(value / best->factor).append(best->name);
}

// User input for a message: quoted, on one line, of limited length.
std::string Quoted(std::string_view text) {
  constexpr std::size_t kMost = 200;
  std::string out = "\"";
  for (const char c : text.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out.append("\\x").append(HexEncode({&c, 1}));
    } else {
      out.push_back(c);
    }
  }
  return out.append(text.size() > kMost ? "…\"" : "\"");
}

std::string_view RuleOfType(std::string_view type) {
  if (type == OptionCodec<bool>::kType) return kBoolRule;
  if (type == OptionCodec<std::int64_t>::kType) return kNumberRule;
  if (type == OptionCodec<std::chrono::milliseconds>::kType) return kDurationRule;
  if (type == OptionCodec<ByteSize>::kType) return kSizeRule;
  return type;
}

std::string FormatAs(std::string_view type, std::int64_t value) {
  if (type == OptionCodec<std::chrono::milliseconds>::kType) {
    return OptionCodec<std::chrono::milliseconds>::Format(std::chrono::milliseconds(value));
  }
  if (type == OptionCodec<ByteSize>::kType) {
    return OptionCodec<ByteSize>::Format({static_cast<std::uint64_t>(value)});
  }
  return std::to_string(value);
}

// A text with its length, so that concatenations are unambiguous.
std::string Measured(std::string_view text) {
  return std::to_string(text.size()).append(":").append(text);
}

// The content of a small file; empty if it cannot be read.
std::string ContentOf(const std::string& path) {
  const auto file = ReadRegularFile(path);
  return file ? Measured(file->text) : "none";
}

bool HasOwnRule(std::string_view type) {
  return type != OptionCodec<std::string>::kType && RuleOfType(type) == type;
}

}  // namespace

namespace internal {

std::string Join(const std::vector<std::string>& texts, std::string_view separator) {
  std::string out;
  for (const auto& text : texts) {
    if (&text != &texts.front()) out.append(separator);
    out.append(text);
  }
  return out;
}

}  // namespace internal

Result<bool> OptionCodec<bool>::Parse(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return Expected(kBoolRule);
}

Result<std::int64_t> OptionCodec<std::int64_t>::Parse(std::string_view text) {
  std::int64_t number = 0;
  const auto* last = text.data() + text.size();
  const auto [end, fault] = std::from_chars(text.data(), last, number);
  if (fault != std::errc() || end != last) return Expected(kNumberRule);
  return number;
}

Result<std::chrono::milliseconds> OptionCodec<std::chrono::milliseconds>::Parse(
    std::string_view text) {
  auto value = ParseWithUnit(text, kDurationUnits, kDurationRule);
  if (!value) return value.error();
  return std::chrono::milliseconds(*value);
}

std::string OptionCodec<std::chrono::milliseconds>::Format(std::chrono::milliseconds value) {
  return value.count() == 0 ? "0s" : FormatWithUnit(value.count(), kDurationUnits);
}

Result<ByteSize> OptionCodec<ByteSize>::Parse(std::string_view text) {
  auto value = ParseWithUnit(text, kSizeUnits, kSizeRule);
  if (!value) return value.error();
  return ByteSize{static_cast<std::uint64_t>(*value)};
}

std::string OptionCodec<ByteSize>::Format(ByteSize value) {
  if (value.bytes == 0) return "0";
  return FormatWithUnit(internal::NumberOf(value), kSizeUnits);
}

Option& Option::Required() {
  required_ = true;
  not_empty_ = true;
  return *this;
}

Option& Option::Secret() {
  secret_ = true;
  return *this;
}

Option& Option::Range(std::int64_t lowest, std::int64_t highest) {
  has_range_ = true;
  lowest_ = lowest;
  highest_ = highest;
  return *this;
}

Option& Option::OneOf(std::vector<std::string> values) {
  one_of_ = std::move(values);
  return *this;
}

Option& Option::NotEmpty() {
  not_empty_ = true;
  return *this;
}

Option& Option::Commas() {
  commas_ = true;
  return *this;
}

Option& Option::File() {
  file_ = true;
  return *this;
}

std::string Option::Flag() const { return "--" + name_; }

std::string Option::Variable() const {
  std::string out(name_.starts_with(kWatchers) ? "" : kVariablePrefix);
  out += name_;
  for (char& c : out) {
    if (c == '.' || c == '-') c = '_';
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::string Option::Rule() const {
  std::string out;
  if (!one_of_.empty()) {
    out = one_of_.size() == 1 ? "" : "one of ";
    out += internal::Join(one_of_, ", ");
  } else {
    out = RuleOfType(type_);
    if (not_empty_ && type_ == OptionCodec<std::string>::kType) out += " that is not empty";
    if (list_) out += ", or several";
  }
  if (has_range_ && highest_ == std::numeric_limits<std::int64_t>::max()) {
    out += ", at least " + FormatAs(type_, lowest_);
  } else if (has_range_) {
    out += ", from " + FormatAs(type_, lowest_) + " to " + FormatAs(type_, highest_);
  }
  return out;
}

Status Option::Set(const std::vector<std::string>& texts) {
  if (!list_ && texts.size() != 1) {
    return Error{ErrorCode::kInvalid, texts.empty() ? "needs a value" : "was given more than once"};
  }
  if (list_ && not_empty_ && texts.empty()) {
    return Error{ErrorCode::kInvalid, "must be " + Rule() + ", but is empty"};
  }
  if (auto stored = store_(texts, *this); !stored) {
    // The error of a custom codec says more than the rule.
    const bool own = HasOwnRule(type_) && one_of_.empty();
    std::string message = own ? stored.error().message : "must be " + Rule();
    if (!secret_) message += ", but is " + Quoted(internal::Join(texts, ","));
    // Only values of variables are split at commas.
    const bool joined = list_ && texts.size() == 1 && texts[0].find(',') != std::string::npos;
    if (joined) message += "; pass each value with its own flag, or as its own item";
    return Error{ErrorCode::kInvalid, std::move(message)};
  }
  was_set_ = true;
  return Ok();
}

std::string Option::Shown() const {
  return secret_ && was_set_ ? "***" : internal::Join(texts_(), ",");
}

std::string Option::Fingerprint() const {
  std::string all;
  for (const auto& text : texts_()) {
    all += Measured(text);
    if (file_) all += ContentOf(text);
  }
  return Sha256Hex(all);
}

bool IsOurVariable(std::string_view name) noexcept {
  return name.starts_with(kVariablePrefix) || name.starts_with("PLUGIN_");
}

std::string OptionSet::FullName(std::string_view name) const {
  return prefix_.empty() ? std::string(name) : prefix_ + "." + std::string(name);
}

void OptionSet::Check(const std::vector<std::string_view>& reads, std::function<Status()> rule) {
  AddRule(reads, std::move(rule));
}

void OptionSet::CheckWorld(const std::vector<std::string_view>& reads,
                           std::function<Status()> rule) {
  AddRule(reads, std::move(rule)).world = true;
}

void OptionSet::Warn(const std::vector<std::string_view>& reads, std::function<Status()> rule) {
  AddRule(reads, std::move(rule)).warning = true;
}

OptionRule& OptionSet::AddRule(const std::vector<std::string_view>& reads,
                               std::function<Status()> rule) {
  auto& added = rules_.emplace_back();
  for (const auto name : reads) added.reads.push_back(FullName(name));
  added.holds = std::move(rule);
  return added;
}

std::vector<Error> OptionSet::Faults(std::set<std::string> refused, bool world) const {
  std::vector<Error> faults;
  const auto ask = [&](bool of_world) {
    std::set<std::string> broken;
    for (const auto& rule : rules_) {
      const bool blind = std::any_of(rule.reads.begin(), rule.reads.end(),
                                     [&](const auto& name) { return refused.contains(name); });
      if (rule.world != of_world || rule.warning || blind) continue;
      auto holds = rule.holds();
      if (holds) continue;
      faults.push_back(holds.error());
      broken.insert(rule.reads.begin(), rule.reads.end());
    }
    refused.merge(broken);
  };
  ask(false);
  if (world) ask(true);
  return faults;
}

std::vector<Error> OptionSet::Warnings() const {
  std::vector<Error> warnings;
  for (const auto& rule : rules_) {
    if (!rule.warning) continue;
    if (auto holds = rule.holds(); !holds) warnings.push_back(holds.error());
  }
  return warnings;
}

std::string OptionSet::Fingerprint() const {
  std::string all;
  for (const auto& option : options_) all += Measured(option.name()) + option.Fingerprint();
  return Sha256Hex(all);
}

Status Option::CheckNumber(std::int64_t value) const {
  if (has_range_ && (value < lowest_ || value > highest_)) return Expected(Rule());
  return Ok();
}

Status Option::CheckText(std::string_view value) const {
  if (not_empty_ && value.empty()) return Expected(Rule());
  if (one_of_.empty()) return Ok();
  for (const auto& allowed : one_of_) {
    if (value == allowed) return Ok();
  }
  return Expected(Rule());
}

}  // namespace tower
