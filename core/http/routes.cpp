#include "core/http/routes.h"

#include <algorithm>
#include <utility>

namespace tower {
namespace {

// These are counted without a lock; other values need a lookup.
constexpr std::array<std::string_view, 8> kUsualMethods = {"POST",   "GET",     "HEAD",  "PUT",
                                                           "DELETE", "OPTIONS", "PATCH", "other"};
constexpr std::array kUsualStatuses = {202, 200, 400, 401, 403, 404, 405, 408, 409,
                                       411, 413, 415, 421, 422, 429, 431, 500, 503};

}  // namespace

HttpPattern::HttpPattern(std::string_view pattern, Metrics& metrics)
    : text_(pattern),
      metrics_(metrics),
      seconds_(metrics.GetHistogram("http_request_seconds",
                                    "Time from a request's first byte to its answer.",
                                    {{"route", text_}})) {
  const auto open = text_.find('{');
  before_ = text_.substr(0, open);
  has_param_ = open != std::string::npos;
  if (has_param_) after_ = text_.substr(text_.find('}', open) + 1);
}

void HttpPattern::Add(HttpRoute route) {
  if (!allow_.empty()) allow_ += ", ";
  allow_ += route.method == "GET" ? "GET, HEAD" : route.method;
  own_auth_ = own_auth_ || route.options.own_auth;
  routes_.push_back(std::move(route));
}

const HttpRoute* HttpPattern::Find(std::string_view method) const noexcept {
  if (method == "HEAD") method = "GET";
  const auto found = std::find_if(routes_.begin(), routes_.end(),
                                  [method](const auto& route) { return route.method == method; });
  return found == routes_.end() ? nullptr : &*found;
}

bool HttpPattern::Matches(std::string_view path, std::string_view& param) const noexcept {
  if (!has_param_) return path == before_;
  if (path.size() <= before_.size() + after_.size() || !path.starts_with(before_) ||
      !path.ends_with(after_)) {
    return false;
  }
  const auto segment = path.substr(before_.size(), path.size() - before_.size() - after_.size());
  if (segment.find('/') != std::string_view::npos) return false;
  param = segment;
  return true;
}

Counter& HttpPattern::CounterFor(std::string_view method, int status) {
  return metrics_.GetCounter(
      "http_requests_total", "Requests answered.",
      {{"route", text_}, {"method", std::string(method)}, {"code", std::to_string(status)}});
}

void HttpPattern::Count(std::string_view method, int status, double seconds) {
  seconds_.Observe(seconds);
  const auto* known = std::find(kUsualMethods.begin(), kUsualMethods.end(), method);
  if (known == kUsualMethods.end()) --known;
  const auto* code = std::find(kUsualStatuses.begin(), kUsualStatuses.end(), status);
  if (code == kUsualStatuses.end()) {
    CounterFor(*known, status).Add();
    return;
  }
  auto& counter = counters_[static_cast<std::size_t>(known - kUsualMethods.begin()) * kStatuses +
                            static_cast<std::size_t>(code - kUsualStatuses.begin())];
  Counter* counted = counter.load(std::memory_order_acquire);
  if (counted == nullptr) {
    counted = &CounterFor(*known, status);
    counter.store(counted, std::memory_order_release);
  }
  counted->Add();
}

void HttpRoutes::Add(std::string_view pattern, HttpRoute route) {
  const auto known = std::find_if(patterns_.begin(), patterns_.end(), [pattern](const auto& other) {
    return other->text() == pattern;
  });
  auto& added = known != patterns_.end()
                    ? *known
                    : patterns_.emplace_back(std::make_unique<HttpPattern>(pattern, metrics_));
  added->Add(std::move(route));
}

HttpPattern* HttpRoutes::Find(std::string_view path, std::string_view& param) const noexcept {
  for (const auto& pattern : patterns_) {
    if (pattern->Matches(path, param)) return pattern.get();
  }
  return nullptr;
}

}  // namespace tower
