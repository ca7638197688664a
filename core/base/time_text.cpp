#include "core/base/time_text.h"

#include <cstdio>
#include <ctime>

namespace tower {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// Reads from the front of a text, and records whether any step failed.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  int Digits(std::size_t count, int least, int most) {
    int number = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const char c = i < rest_.size() ? rest_[i] : '\0';
      if (c < '0' || c > '9') good_ = false;
      number = number * 10 + (c - '0');
    }
    if (good_) rest_.remove_prefix(count);
    good_ = good_ && number >= least && number <= most;
    return number;
  }
  bool Skip(std::string_view any) {
    if (rest_.empty() || any.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void Need(std::string_view any) { good_ = Skip(any) && good_; }

  // The digits after the decimal point; those beyond milliseconds are dropped.
  milliseconds Fraction() {
    int number = 0;
    std::size_t count = 0;
    for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; ++count) {
      if (count < 3) number = number * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    good_ = good_ && count > 0;
    for (; count < 3; ++count) number *= 10;
    return milliseconds(number);
  }

  bool good() const noexcept { return good_; }
  bool at_end() const noexcept { return rest_.empty(); }
  bool Next(char c) const noexcept { return rest_.starts_with(c); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::optional<ParsedTime> ParseTimeText(std::string_view text) {
  Reader reader(text);
  const int y = reader.Digits(4, 1, 9999);
  reader.Need("-");
  const int m = reader.Digits(2, 1, 12);
  reader.Need("-");
  const int d = reader.Digits(2, 1, 31);
  reader.Need("Tt ");
  milliseconds time = std::chrono::hours(reader.Digits(2, 0, 23));
  reader.Need(":");
  time += minutes(reader.Digits(2, 0, 59));
  if (reader.Skip(":")) {
    time += seconds(reader.Digits(2, 0, 59));
    if (reader.Skip(".")) time += reader.Fraction();
  }
  ParsedTime written;
  if (reader.Skip("Zz")) {
    written.offset = seconds(0);
  } else if (reader.Next('+') || reader.Next('-')) {
    const bool negative = reader.Next('-');
    reader.Skip("+-");
    seconds offset = std::chrono::hours(reader.Digits(2, 0, 23));
    reader.Need(":");
    offset += minutes(reader.Digits(2, 0, 59));
    written.offset = negative ? -offset : offset;
  }
  if (!reader.good() || !reader.at_end()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(y),
                                         std::chrono::month(static_cast<unsigned>(m)),
                                         std::chrono::day(static_cast<unsigned>(d))};
  if (!date.ok()) return std::nullopt;
  written.local = std::chrono::local_days(date) + time;
  return written;
}

std::string TimeText(std::chrono::sys_time<std::chrono::milliseconds> time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  char text[40];
  const int size = std::snprintf(
      text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return {text, static_cast<std::size_t>(size)};
}

std::string HttpDate(std::chrono::sys_seconds time) {
  const std::time_t since_1970 = time.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&since_1970, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

std::optional<std::chrono::sys_seconds> ParseHttpDate(const std::string& text) {
  for (const char* form :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* end = strptime(text.c_str(), form, &parts);
    if (end != nullptr && *end == '\0') {
      return std::chrono::sys_seconds(std::chrono::seconds(timegm(&parts)));
    }
  }
  return std::nullopt;
}

}  // namespace tower
