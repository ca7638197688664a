#include "plugins/riffyn/settings.h"

#include <algorithm>

#include "core/http_client/client.h"

namespace tower::riffyn {
namespace {

Error Invalid(std::string why) { return {ErrorCode::kInvalid, std::move(why)}; }

// The key is sent with each request: without TLS only to this machine.
Status CheckUrl(const std::string& url) {
  const auto parsed = HttpUrl::Parse(url);
  if (!parsed) return Annotate("url", parsed.error());
  if (url.find_first_of("?#") != std::string::npos)
    return Invalid("url must have no query: " + url);
  const auto& host = parsed->host;
  if (!parsed->tls && host != "localhost" && host != "127.0.0.1" && host != "::1") {
    return Invalid(
        "url must be https, since the API key is sent with each request; http is only for "
        "localhost: " +
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
           "Base URL of the API. A company's own deployment has "
           "`https://api.<company>.riffyn.com/v1`.")
      .NotEmpty();
  options.Add("api-key", &api_key, "API key, sent as the header `api-key`.").Required().Secret();
  options.Add("experiment", &experiment,
              "Ids of the experiments to watch. Default: all experiments that the key can access.");
  options
      .Add("poll-interval", &poll_interval,
           "Time from the start of one poll to the start of the next.")
      .Range(10, kDay);
  options
      .Add("concurrency", &concurrency,
           "Maximum number of concurrent requests while runs are listed.")
      .Range(1, 16);
  options.Add("page-size", &page_size, "Number of items to request per page.").Range(1, 1000);
  options.Add("timeout", &timeout, "Maximum duration of a request.")
      .Range(kSecond / 10, 3600 * kSecond);
  options.Add("max-body", &max_body, "Maximum size of a response. Larger responses are refused.")
      .Range(1024, 1LL << 30U);
  options.Check({"url"}, [this] { return CheckUrl(url); });
  options.Check({"api-key"}, [this] { return CheckKey(api_key); });
}

}  // namespace tower::riffyn
