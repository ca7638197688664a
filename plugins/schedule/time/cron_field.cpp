#include "plugins/schedule/time/cron_field.h"

#include <charconv>
#include <optional>

#include "core/base/encode.h"

namespace tower::schedule {
namespace {

std::string Quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::string RangeOf(const CronField& field) {
  std::string text = std::to_string(field.low) + " to " + std::to_string(field.high);
  if (!field.names.empty()) {
    text.append(" or ").append(field.names.substr(0, 3));
    text.append(" to ").append(field.names.substr(field.names.size() - 3));
  }
  return text;
}

class FieldParser {
 public:
  explicit FieldParser(const CronField& field) : field_(field) {}

  Result<FieldValues> Parse(std::string_view text) {
    values_.star = text.starts_with('*');
    while (true) {
      const auto comma = text.find(',');
      if (auto parsed = Item(text.substr(0, comma)); !parsed) return parsed.error();
      if (comma == std::string_view::npos) return values_;
      text.remove_prefix(comma + 1);
    }
  }

 private:
  Error Fault(const std::string& wanted, std::string_view item) const {
    return {ErrorCode::kInvalid, "must have for the " + std::string(field_.name) + " " + wanted +
                                     ", not " + Quoted(item)};
  }
  Error NoNumber(std::string_view item) const {
    const auto low = std::to_string(field_.low + 1), high = std::to_string(field_.low + 3);
    return Fault(RangeOf(field_) + ", *, a range such as " + low + "-" + high +
                     (field_.last ? ", L" : "") + " or a step such as */2",
                 item);
  }

  std::optional<int> Number(std::string_view text) const {
    if (text.size() == 3 && field_.names.size() >= 3) {
      for (std::size_t i = 0; i < field_.names.size(); i += 3) {
        if (field_.names.substr(i, 3) == text) return field_.low + static_cast<int>(i / 3);
      }
    }
    int number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = fault == std::errc() && end == text.data() + text.size();
    if (!whole || text.front() == '-' || number < field_.low || number > field_.high) {
      return std::nullopt;
    }
    return number;
  }

  // `*`, `8`, `8-17`, `L`; each but the second and the last may have a step, `/2`.
  Status Item(std::string_view item) {
    if (field_.last && item == "l") {
      values_.last = true;
      return Ok();
    }
    const auto slash = item.find('/');
    const auto range = item.substr(0, slash);
    const auto dash = range.find('-');
    int low = field_.low, high = field_.high;
    if (range != "*") {
      const auto from = Number(range.substr(0, dash));
      auto to = dash == std::string_view::npos ? from : Number(range.substr(dash + 1));
      if (!from || !to) return NoNumber(item);
      // A week may end on a Sunday by name.
      if (*from > *to && range.ends_with("-sun")) to = field_.high;
      if (*from > *to) return Backwards(*from, *to, item);
      low = *from;
      high = *to;
    }
    int step = 1;
    if (slash != std::string_view::npos) {
      const auto parsed = Step(item.substr(slash + 1), item);
      if (!parsed) return parsed.error();
      step = *parsed;
      if (range != "*" && dash == std::string_view::npos) {
        return Fault(std::string(range) + "-" + std::to_string(field_.high) +
                         std::string(item.substr(slash)) + " (where the steps end)",
                     item);
      }
    }
    for (int i = low; i <= high; i += step)
      values_.bits |= std::uint64_t{1} << static_cast<unsigned>(i);
    return Ok();
  }

  Result<int> Step(std::string_view text, std::string_view item) const {
    const int most = field_.high - field_.low + 1;
    int step = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (fault != std::errc() || end != text.data() + text.size() || step < 1 || step > most) {
      return Fault("a step from 1 to " + std::to_string(most), item);
    }
    return step;
  }

  Error Backwards(int from, int to, std::string_view item) const {
    const auto range = [](int a, int b) {
      return a == b ? std::to_string(a) : std::to_string(a) + "-" + std::to_string(b);
    };
    return Fault(range(from, field_.high) + "," + range(field_.low, to) + " (ranges run upwards)",
                 item);
  }

  const CronField& field_;
  FieldValues values_;
};

}  // namespace

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  bool blank = true;
  for (const char c : text) {
    const bool was_blank = blank;
    blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (blank) continue;
    if (was_blank) words.emplace_back();
    words.back() += ToLower(c);
  }
  return words;
}

Result<FieldValues> ParseField(std::string_view text, const CronField& field) {
  return FieldParser(field).Parse(text);
}

}  // namespace tower::schedule
