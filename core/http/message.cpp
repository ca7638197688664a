#include "core/http/message.h"

#include <algorithm>
#include <array>

#include "core/http/loop.h"
#include "core/json/writer.h"

namespace tower {
namespace {

struct Title {
  int status;
  std::string_view text;
};

// RFC 9110, section 15, and RFC 6585.
constexpr std::array kTitles = {
    Title{400, "Bad Request"},
    Title{401, "Unauthorized"},
    Title{403, "Forbidden"},
    Title{404, "Not Found"},
    Title{405, "Method Not Allowed"},
    Title{408, "Request Timeout"},
    Title{409, "Conflict"},
    Title{411, "Length Required"},
    Title{413, "Content Too Large"},
    Title{414, "URI Too Long"},
    Title{415, "Unsupported Media Type"},
    Title{417, "Expectation Failed"},
    Title{421, "Misdirected Request"},
    Title{422, "Unprocessable Content"},
    Title{431, "Request Header Fields Too Large"},
    Title{500, "Internal Server Error"},
    Title{501, "Not Implemented"},
    Title{503, "Service Unavailable"},
    Title{505, "HTTP Version Not Supported"},
};

std::string_view TitleOf(int status) {
  const auto* found = std::find_if(kTitles.begin(), kTitles.end(),
                                   [status](const Title& title) { return title.status == status; });
  return found == kTitles.end() ? "Error" : found->text;
}

}  // namespace

std::optional<std::string_view> HttpRequest::Header(std::string_view name) const {
  return exchange_->reader.head().Find(name);
}

std::size_t HttpRequest::HeaderCount(std::string_view name) const {
  return exchange_->reader.head().Count(name);
}

std::vector<std::pair<std::string_view, std::string_view>> HttpRequest::Headers() const {
  std::vector<std::pair<std::string_view, std::string_view>> all;
  const auto& headers = exchange_->reader.head().headers;
  all.reserve(headers.size());
  for (const auto& header : headers) all.emplace_back(header.name, header.value);
  return all;
}

HttpLater HttpRequest::Defer() const {
  exchange_->deferred = true;
  return exchange_->later;
}

bool HttpRequest::HasQuery(std::string_view name) const {
  return std::any_of(query.begin(), query.end(),
                     [name](const auto& parameter) { return parameter.first == name; });
}

void HttpLater::Send() const { Post(std::nullopt); }
void HttpLater::Send(HttpResponse instead) const { Post(std::move(instead)); }

void HttpLater::Post(std::optional<HttpResponse> instead) const {
  HttpMailbox::Post(mailbox_, [&](HttpMailbox::Letters& letters) {
    letters.finished.emplace_back(ticket_, std::move(instead));
  });
}

HttpResponse Problem(int status, std::string_view detail, const Faults& faults,
                     const std::function<void(JsonWriter&)>& extend) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/problem+json";
  JsonWriter json(response.body);
  json.BeginObject()
      .Member("type", "about:blank")
      .Member("title", TitleOf(status))
      .Member("status", status)
      .Member("detail", detail);
  if (!faults.empty()) {
    json.Key("errors").BeginArray();
    for (const auto& fault : faults) {
      json.BeginObject()
          .Member("pointer", fault.pointer)
          .Member("detail", fault.detail)
          .EndObject();
    }
    json.EndArray();
  }
  if (extend) extend(json);
  json.EndObject();
  response.body += '\n';
  return response;
}

HttpResponse Unavailable(std::string_view detail, std::chrono::seconds retry_after,
                         const std::function<void(JsonWriter&)>& extend) {
  return WithHeader(Problem(503, detail, {}, extend), "Retry-After",
                    std::to_string(retry_after.count()));
}

HttpResponse WithHeader(HttpResponse response, std::string name, std::string value) {
  response.headers.emplace_back(std::move(name), std::move(value));
  return response;
}

}  // namespace tower
