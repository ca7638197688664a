#include "core/watch/hooks.h"

#include <utility>

namespace tower {

// A call in progress of a handler; End waits for it.
class Hooks::Call {
 public:
  Call(Hooks& hooks, std::string_view name) : hooks_(hooks) {
    const std::lock_guard lock(hooks_.mutex_);
    const auto found = hooks_.hooks_.find(name);
    if (found == hooks_.hooks_.end()) return;
    hook_ = found->second;
    ++hook_->running;
  }
  ~Call() {
    if (hook_ == nullptr) return;
    const std::lock_guard lock(hooks_.mutex_);
    if (--hook_->running == 0) hooks_.idle_.notify_all();
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Null if no handler is registered.
  const HookHandler* handler() const noexcept {
    return hook_ != nullptr ? &hook_->handler : nullptr;
  }

 private:
  Hooks& hooks_;
  std::shared_ptr<Hook> hook_;
};

Hooks::Registration::Registration(Registration&& other) noexcept
    : hooks_(std::exchange(other.hooks_, nullptr)), name_(std::move(other.name_)) {}

Hooks::Registration::~Registration() {
  if (hooks_ != nullptr) hooks_->End(name_);
}

Hooks::Expectation::Expectation(Hooks& hooks, std::string name)
    : hooks_(hooks), name_(std::move(name)) {
  const std::lock_guard lock(hooks_.mutex_);
  hooks_.expected_.insert(name_);
}

// Removes one entry only, because another watcher may use the name already.
Hooks::Expectation::~Expectation() {
  const std::lock_guard lock(hooks_.mutex_);
  hooks_.expected_.erase(hooks_.expected_.find(name_));
}

Hooks::Registration Hooks::Serve(std::string name, HookHandler handler) {
  auto hook = std::make_shared<Hook>(Hook{std::move(handler)});
  const std::lock_guard lock(mutex_);
  hooks_.insert_or_assign(name, std::move(hook));
  return {*this, std::move(name)};
}

void Hooks::End(const std::string& name) {
  std::unique_lock lock(mutex_);
  const auto found = hooks_.find(name);
  const auto hook = found->second;
  hooks_.erase(found);
  idle_.wait(lock, [&] { return hook->running == 0; });
}

HttpResponse Hooks::NotServed(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (!expected_.contains(name)) return Problem(404, "there is no hook of this name");
  return Unavailable("the watcher of this hook does not run at the moment",
                     std::chrono::seconds(5));
}

std::optional<HttpResponse> Hooks::BeforeBody(const HttpRequest& request) {
  const Call call(*this, request.param);
  if (call.handler() == nullptr) return NotServed(request.param);
  if (call.handler()->before_body == nullptr) return std::nullopt;
  return call.handler()->before_body(request);
}

HttpResponse Hooks::Answer(const HttpRequest& request) {
  const Call call(*this, request.param);
  return call.handler() != nullptr ? call.handler()->answer(request) : NotServed(request.param);
}

void AddHookRoutes(HttpServer& server, Hooks& hooks) {
  constexpr std::string_view kPattern = "/hooks/{watcher}";
  const auto answer = [&hooks](const HttpRequest& request) { return hooks.Answer(request); };
  const auto before_body = [&hooks](const HttpRequest& request) {
    return hooks.BeforeBody(request);
  };
  server.Route("POST", kPattern, answer,
               {.content_types = {"*/*"}, .own_auth = true, .before_body = before_body});
  server.Route("OPTIONS", kPattern, answer, {.own_auth = true});
}

}  // namespace tower
