#include "plugins/poll/settings.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/encode.h"
#include "core/json/pointer.h"

namespace tower::poll {
namespace {

constexpr std::int64_t kSecond = 1000, kDay = 86'400 * kSecond;

Error Fault(const std::string& message) { return {ErrorCode::kInvalid, message}; }

// "Name: value".
std::optional<std::pair<std::string, std::string>> SplitHeader(std::string_view text) {
  constexpr std::string_view kSpace = " \t";
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto value = text.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(kSpace), value.size()));
  return std::pair{std::string(text.substr(0, colon)),
                   std::string(value.substr(0, value.find_last_not_of(kSpace) + 1))};
}

Status CheckHeaders(const Settings& settings) {
  for (const auto& text : settings.header) {
    const auto header = SplitHeader(text);
    if (!header) return Fault("header must be NAME: VALUE");
    if (auto fits = CheckHttpHeader(header->first, header->second); !fits) return fits;
    if (!settings.token.empty() && EqualsIgnoringCase(header->first, "Authorization")) {
      return Fault("token is sent as the header Authorization: set one of them");
    }
  }
  return Ok();
}

Status CheckToken(const Settings& settings) {
  if (settings.token.empty()) return Ok();
  if (auto fits = CheckHttpHeader("Authorization", settings.token); !fits) {
    return Fault("token has a byte that can't be sent");
  }
  return Ok();
}

Status CheckPointer(const std::string& name, const std::string& text) {
  if (text.empty() || text == kWholeDocument || JsonPointer::Parse(text)) return Ok();
  return Fault(name + " must be a JSON pointer such as /data/items, or #");
}

}  // namespace

void Settings::Declare(OptionSet& options) {
  options
      .Add("url", &url, "URL to request with GET: http:// or https://, without user and password.")
      .Required()
      .Secret();
  options.Add("header", &header, "Header to send, NAME: VALUE. May be repeated.").Secret();
  options.Add("token", &token, "Token to send, as `Authorization: Bearer TOKEN`.").Secret();
  options.Add("interval", &interval, "Time between two polls, varied by up to a tenth of it.")
      .Range(10, 7 * kDay);
  options.Add("items", &items,
              "JSON pointer to the list in the response; `#` if the response is the list. Default: "
              "the whole response is one event, whenever it has changed.");
  options.Add("id", &id,
              "JSON pointer to the id in an item, a string or a number. Default: an item is "
              "identified by its content.");
  options
      .Add("fire-on", &fire_on,
           "Which items are events: those with a `new` id, or also those that have `changed`.")
      .OneOf({"new", "changed"});
  options
      .Add("initial", &initial,
           "What the first poll does with the items that exist already: `fire`, or `skip`.")
      .OneOf({"fire", "skip"});
  options.Add("cursor", &cursor,
              "JSON pointer to the position at which the next poll starts, a string or a number.");
  options.Add("cursor-param", &cursor_param, "Query parameter that sends the cursor.");
  options.Add("next", &next,
              "Where the next page is: JSON pointer to its URL, or `link` for the header Link with "
              "rel=\"next\".");
  options.Add(
      "next-param", &next_param,
      "Query parameter that sends the value of `next`, if that is a token rather than a URL.");
  options.Add("max-pages", &max_pages, "Maximum number of pages per poll.").Range(1, 100'000);
  options
      .Add("forget-after", &forget_after,
           "How long an item must be missing from the list before it counts as new again.")
      .Range(0, 3660 * kDay);
  options.Add("timeout", &timeout, "Maximum duration of a request, including its response.")
      .Range(100, 3600 * kSecond);
  options.Add("max-body", &max_body, "Maximum size of a response.").Range(1024, 1LL << 30U);
  DeclareRules(options);
}

void Settings::DeclareRules(OptionSet& options) {
  options.Check({"url"}, [this]() -> Status {
    if (auto parsed = HttpUrl::Parse(url); !parsed) return parsed.error();
    return Ok();
  });
  options.Check({"header", "token"}, [this] { return CheckHeaders(*this); });
  options.Check({"token"}, [this] { return CheckToken(*this); });
  options.Check({"items"}, [this] { return CheckPointer("items", items); });
  options.Check({"id"}, [this] { return CheckPointer("id", id); });
  options.Check({"cursor"}, [this] { return CheckPointer("cursor", cursor); });
  options.Check({"next"}, [this]() -> Status {
    if (NextIsLink()) return Ok();
    auto pointer = CheckPointer("next", next);
    if (pointer) return Ok();
    return Fault(pointer.error().message + ", or link");
  });
  const auto need = [&options](const std::vector<std::string_view>& reads, std::string fault,
                               std::function<bool()> met) {
    options.Check(reads, [fault = std::move(fault), met = std::move(met)]() -> Status {
      if (met()) return Ok();
      return Fault(fault);
    });
  };
  need({"id", "items"}, "id needs items", [this] { return id.empty() || !items.empty(); });
  need({"next", "items"}, "next needs items", [this] { return next.empty() || !items.empty(); });
  need({"fire-on", "id"}, "fire-on changed needs id",
       [this] { return fire_on != "changed" || !id.empty(); });
  need({"cursor", "cursor-param"}, "cursor and cursor-param need each other: set both or none",
       [this] { return cursor.empty() == cursor_param.empty(); });
  need({"next", "next-param"}, "next-param needs a pointer as next",
       [this] { return next_param.empty() || !(next.empty() || NextIsLink()); });
}

std::chrono::milliseconds Settings::NextInterval(std::minstd_rand& random) const {
  const auto tenth = interval.count() / 10;
  return interval + std::chrono::milliseconds(
                        std::uniform_int_distribution<std::int64_t>(-tenth, tenth)(random));
}

HttpHeaders Settings::Headers() const {
  HttpHeaders headers;
  bool accept = false;
  for (const auto& text : header) {
    headers.push_back(SplitHeader(text).value_or(std::pair<std::string, std::string>()));
    accept = accept || EqualsIgnoringCase(headers.back().first, "Accept");
  }
  if (!accept) headers.emplace_back("Accept", "application/json");
  if (!token.empty()) headers.emplace_back("Authorization", "Bearer " + token);
  return headers;
}

}  // namespace tower::poll
