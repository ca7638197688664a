#include "plugins/webhook/delivery.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "core/base/encode.h"
#include "core/json/writer.h"

namespace tower::webhook {
namespace {

// Words in the names of headers whose values are secret: Authorization, Cookie, X-Gitlab-Token,
// X-Hub-Signature-256, X-Api-Key, …
constexpr std::array<std::string_view, 8> kSecretWords = {
    "authorization", "cookie", "token", "secret", "signature", "password", "api-key", "apikey"};

bool IsSecret(std::string_view name) {
  return std::any_of(kSecretWords.begin(), kSecretWords.end(), [name](std::string_view word) {
    return name.find(word) != std::string_view::npos;
  });
}

// The values of a repeated header are joined (RFC 9110, section 5.3).
void WriteHeaders(JsonWriter& json, const Delivery& delivery, std::string_view hidden) {
  std::map<std::string_view, std::string> values;
  for (const auto& [name, value] : delivery.headers) {
    if (name == hidden || IsSecret(name)) continue;
    const auto [at, first] = values.try_emplace(name, value);
    if (!first) at->second.append(", ").append(value);
  }
  json.BeginObject();
  for (const auto& [name, value] : values) json.Member(name, value);
  json.EndObject();
}

// A string for each name, or an array if the name is repeated.
void WriteQuery(JsonWriter& json, const Delivery& delivery) {
  std::map<std::string_view, std::vector<std::string_view>> values;
  for (const auto& [name, value] : delivery.query) values[name].push_back(value);
  json.BeginObject();
  for (const auto& [name, all] : values) {
    json.Key(name);
    if (all.size() > 1) json.BeginArray();
    for (const auto& value : all) json.Value(value);
    if (all.size() > 1) json.EndArray();
  }
  json.EndObject();
}

}  // namespace

bool IsHeaderName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '-' || c == '_';
  });
}

Delivery::Delivery(const HttpRequest& request)
    : content_type(request.content_type),
      body(request.body),
      path(request.path),
      query(request.query) {
  for (const auto& [name, value] : request.Headers()) headers.emplace_back(ToLower(name), value);
}

std::optional<std::string_view> Delivery::Header(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const auto& [header, value] : headers) {
    if (header != name) continue;
    if (found) return std::nullopt;
    found = value;
  }
  return found;
}

bool Delivery::HasHeader(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [name](const auto& header) { return header.first == name; });
}

bool IsJson(std::string_view content_type) {
  const auto end = content_type.find(';');
  auto type = ToLower(content_type.substr(0, end));
  while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
  return type.empty() || type == "application/json" || type == "text/json" ||
         type.ends_with("+json");
}

std::string MakeEvent(const Delivery& delivery, std::string_view hidden, std::string_view body) {
  std::string event;
  JsonWriter json(event);
  json.BeginObject().Key("headers");
  WriteHeaders(json, delivery, hidden);
  json.Key("query");
  WriteQuery(json, delivery);
  json.RawMember("body", body).Member("path", delivery.path).EndObject();
  return event;
}

}  // namespace tower::webhook
