#include "plugins/riffyn/settings.h"

#include <algorithm>

#include "core/http_client/client.h"

namespace tower::riffyn {
namespace {

Error Invalid(std::string why) { return {ErrorCode::kInvalid, std::move(why)}; }

// The key goes with each request: in the clear it may only go to this machine.
Status CheckUrl(const std::string& url) {
  const auto parsed = HttpUrl::Parse(url);
  if (!parsed) return Annotate("url", parsed.error());
  if (url.find_first_of("?#") != std::string::npos)
    return Invalid("url must have no query: " + url);
  const auto& host = parsed->host;
  if (!parsed->tls && host != "localhost" && host != "127.0.0.1" && host != "::1") {
    return Invalid("url must be https, since the API key goes with it; http is for localhost: " +
                   url);
  }
  return Ok();
}

Status CheckKey(const std::string& key) {
  const bool fits = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  return fits ? Ok() : Invalid("api-key must be printable ASCII without spaces");
}

}  // namespace

void Settings::Declare(OptionSet& options) {
  constexpr std::int64_t kSecond = 1000, kDay = 86'400 * kSecond;
  options
      .Add("url", &url,
           "Base of the API; `https://api.<company>.riffyn.com/v1` for a company's own deployment.")
      .NotEmpty();
  options.Add("api-key", &api_key, "Sent as the header `api-key`.").Required().Secret();
  options.Add("experiment", &experiment,
              "Ids of the experiments to watch; without any, all that the key can see.");
  options.Add("poll-interval", &poll_interval, "Time from the start of one look to the next.")
      .Range(10, kDay);
  options.Add("concurrency", &concurrency, "Most requests at a time while runs are listed.")
      .Range(1, 16);
  options.Add("page-size", &page_size, "Items asked for at a time.").Range(1, 1000);
  options.Add("timeout", &timeout, "Longest time that a request may take.")
      .Range(kSecond / 10, 3600 * kSecond);
  options.Add("max-body", &max_body, "Larger answers are refused.").Range(1024, 1LL << 30U);
  options.Check({"url"}, [this] { return CheckUrl(url); });
  options.Check({"api-key"}, [this] { return CheckKey(api_key); });
}

}  // namespace tower::riffyn
