// The part of http.h that makes JSON out of what went wrong.
#include <algorithm>
#include <array>

#include "core/http/http.h"

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

std::string JsonString(std::string_view text) {
  std::string json;
  AppendJsonString(json, text);
  return json;
}

HttpResponse Problem(int status, std::string_view detail, const Faults& faults) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/problem+json";
  auto& body = response.body;
  body = R"({"type":"about:blank","title":)" + JsonString(TitleOf(status)) +
         ",\"status\":" + std::to_string(status) + ",\"detail\":" + JsonString(detail);
  for (std::size_t i = 0; i < faults.size(); ++i) {
    body += i == 0 ? ",\"errors\":[" : ",";
    body += "{\"pointer\":" + JsonString(faults[i].pointer) +
            ",\"detail\":" + JsonString(faults[i].detail) + "}";
  }
  if (!faults.empty()) body += ']';
  body += "}\n";
  return response;
}

}  // namespace tower
