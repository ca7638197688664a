// /hooks/{watcher}: requests that are events; the watcher of that name verifies and answers them.
//
// A watcher that receives events over HTTP declares it (Watcher::ServesHook) and serves its hook
// while it runs. At other times, such as at the start and during a backoff, senders get 503 and can
// retry.
#ifndef CORE_WATCH_HOOKS_H_
#define CORE_WATCH_HOOKS_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/http/server.h"

namespace tower {

// The functions that answer a hook. Both are called concurrently on HTTP threads and must not
// block, but Defer the response. The server does not check a token; the functions authenticate the
// sender.
struct HookHandler {
  // Called for a POST whose body has not arrived yet; a response refuses the request. May be empty.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> before_body;
  // Answers a complete POST, with any content type, or an OPTIONS request.
  std::function<HttpResponse(const HttpRequest&)> answer;
};

// Thread-safe. Outlives the server with its routes, and every registration.
class Hooks {
  struct Hook {
    HookHandler handler;
    int running = 0;  // calls in progress; guarded by mutex_
  };

 public:
  // While it exists, requests go to the handler. The destructor waits for calls in progress, so a
  // handler must not destroy it; deferred responses may be sent later.
  class [[nodiscard]] Registration {
   public:
    Registration(Registration&& other) noexcept;
    Registration& operator=(Registration&&) = delete;
    ~Registration();

   private:
    friend class Hooks;
    Registration(Hooks& hooks, std::string name) : hooks_(&hooks), name_(std::move(name)) {}
    Hooks* hooks_;
    std::string name_;
  };

  // While it exists, requests to this name get 503 instead of 404 whenever no handler is
  // registered: there is a watcher that serves the hook while it runs.
  class [[nodiscard]] Expectation {
   public:
    Expectation(Hooks& hooks, std::string name);
    ~Expectation();
    Expectation(const Expectation&) = delete;
    Expectation& operator=(const Expectation&) = delete;

   private:
    Hooks& hooks_;
    const std::string name_;
  };

  Hooks() = default;
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  // REQUIRES: no handler is registered for this name.
  Registration Serve(std::string name, HookHandler handler);

  // The handlers of the routes.
  std::optional<HttpResponse> BeforeBody(const HttpRequest& request);
  HttpResponse Answer(const HttpRequest& request);

 private:
  class Call;
  // 503 if the name is expected, else 404.
  HttpResponse NotServed(std::string_view name);
  void End(const std::string& name);

  std::mutex mutex_;
  std::condition_variable idle_;
  // Guarded by mutex_.
  std::multiset<std::string, std::less<>> expected_;
  std::map<std::string, std::shared_ptr<Hook>, std::less<>> hooks_;
};

// Adds the routes; to be called before the server starts. `hooks` outlives the server.
void AddHookRoutes(HttpServer& server, Hooks& hooks);

}  // namespace tower

#endif  // CORE_WATCH_HOOKS_H_
