#include "app/toml.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

namespace tower {
namespace {

constexpr std::string_view kNoToml = "this is not TOML";

// The description of toml++ without the quoted part of a value, which may be a secret.
std::string WithoutQuotedValue(std::string_view description) {
  if (description.find("64 bits") != std::string_view::npos ||
      description.find("interpret") != std::string_view::npos) {
    return "Error while parsing a number: it can't be represented";
  }
  constexpr std::string_view kSaw = ", saw '";
  const auto saw = description.rfind(kSaw);
  const bool one = saw != std::string_view::npos && description.size() <= saw + kSaw.size() + 2;
  return std::string(one ? description : description.substr(0, saw));
}

// The first line with too many dots outside of strings and comments, or 0. toml++ parses keys by
// recursion without a limit.
std::size_t LineOfEndlessKey(std::string_view text) {
  constexpr int kMostDots = 64;
  std::size_t line = 1;
  int dots = 0;
  std::string_view quotes;  // the quotes that end the current string
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto rest = text.substr(at);
    if (rest[0] == '\n') {
      ++line;
      dots = 0;
      if (quotes.size() == 1) quotes = {};
    } else if (!quotes.empty()) {
      if (rest[0] == '\\' && quotes[0] == '"' && !rest.substr(1).starts_with('\n')) {
        ++at;
      } else if (rest.starts_with(quotes)) {
        at += quotes.size() - 1;
        quotes = {};
      }
    } else if (rest[0] == '"' || rest[0] == '\'') {
      const bool lines = rest.starts_with("\"\"\"") || rest.starts_with("'''");
      quotes = rest.substr(0, lines ? 3 : 1);
      at += quotes.size() - 1;
    } else if (rest[0] == '#') {
      at = std::min(text.find('\n', at), text.size()) - 1;
    } else if (rest[0] == '.' && ++dots > kMostDots) {
      return line;
    }
  }
  return 0;
}

// Whether a line is the header of the table `key`.
bool IsHeaderOf(std::string_view line, std::string_view key) {
  const auto begin = line.find_first_not_of(" \t[");
  if (line.substr(0, begin).find('[') == std::string_view::npos) return false;
  line.remove_prefix(std::min(begin, line.size()));
  if (!line.starts_with(key)) return false;
  line.remove_prefix(key.size());
  return line.substr(std::min(line.find_first_not_of(" \t"), line.size())).starts_with(']');
}

// The position of a fault. For a header that conflicts with an earlier one, toml++ reports the line
// after the header.
TomlFault FaultOf(const toml::parse_error& error, std::string_view text) {
  const auto at = error.source().begin;
  const std::string_view description = error.description();
  TomlFault fault{at.line, at.column, WithoutQuotedValue(description)};
  const auto quote = description.find('\'');
  if (description.find("table header") == std::string_view::npos ||
      description.find("cannot ") == std::string_view::npos || quote == std::string_view::npos) {
    return fault;
  }
  const auto key = description.substr(quote + 1, description.find('\'', quote + 1) - quote - 1);
  std::vector<std::string_view> lines;  // up to the reported one
  while (lines.size() < at.line) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(lines.back().size() + 1, text.size()));
  }
  const auto header = std::find_if(lines.rbegin(), lines.rend(),
                                   [key](const auto line) { return IsHeaderOf(line, key); });
  if (header == lines.rend() || header == lines.rbegin()) return fault;
  fault.line = static_cast<std::size_t>(lines.rend() - header);
  fault.column = 1;
  return fault;
}

bool Asserts(std::string_view text) {
  try {
    (void)toml::parse(text);
  } catch (const internal::TomlAssertion&) {
    return true;
  } catch (const toml::parse_error&) {  // expected, because the text is incomplete
  }
  return false;
}

// An assertion has no position. Finds the shortest prefix of the text that fails the assertion:
// first by whole lines, because a partial line causes other errors.
TomlFault FindAssertion(std::string_view text) {
  std::vector<std::size_t> ends;  // of lines
  for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    ends.push_back(at + 1);
  }
  if (ends.empty() || ends.back() != text.size()) ends.push_back(text.size());
  const auto runs_on = [text](std::size_t end) { return !Asserts(text.substr(0, end)); };
  const auto last = std::prev(ends.end());  // known to fail
  const auto line = std::partition_point(ends.begin(), last, runs_on);
  const auto begin = line == ends.begin() ? 0 : *std::prev(line);
  std::vector<std::size_t> columns(*line - begin - 1);
  std::iota(columns.begin(), columns.end(), begin + 1);
  const auto column = std::partition_point(columns.begin(), columns.end(), runs_on);
  return {static_cast<std::size_t>(line - ends.begin()) + 1,
          static_cast<std::size_t>(column - columns.begin()) + 1, std::string(kNoToml)};
}

}  // namespace

std::variant<toml::table, TomlFault> ParseToml(std::string_view text) {
  if (const auto line = LineOfEndlessKey(text); line > 0) {
    return TomlFault{line, 1, "a key with too many parts"};
  }
  try {
    return toml::table(toml::parse(text));
  } catch (const toml::parse_error& error) {
    return FaultOf(error, text);
  } catch (const internal::TomlAssertion&) {
    return FindAssertion(text);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {  // such as std::out_of_range; the position is unknown
    return TomlFault{1, 1, std::string(kNoToml)};
  }
}

}  // namespace tower
