// /hooks/{watcher}: requests that are events, for the watcher of that name to verify and to answer.
//
// A watcher that is told of its events by HTTP says so (Watcher::ServesHook), and serves its hook
// while it runs. In between, when it starts or backs off, senders get 503 and may come again.
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

// Who answers a hook. Both are called on HTTP threads, several at a time, and must not wait but
// Defer. No token of the server was asked for: who may ask is theirs to find out.
struct HookHandler {
  // Shown a POST whose body is still to come: an answer refuses it there. May be empty.
  std::function<std::optional<HttpResponse>(const HttpRequest&)> before_body;
  // Answers a POST with its body, of any content type, or an OPTIONS.
  std::function<HttpResponse(const HttpRequest&)> answer;
};

// Thread-safe. Outlives the server that has its routes, and every registration.
class Hooks {
  struct Hook {
    HookHandler handler;
    int running = 0;  // calls; guarded by mutex_
  };

 public:
  // While it lives, requests go to the handler. Its end waits for calls that are under way, so it
  // must not end within one; answers that were deferred may still be open then.
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

  // While it lives, there is a watcher of this name that serves its hook whenever it runs: what
  // comes in between gets 503, not 404.
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

  // REQUIRES: nobody serves this name now.
  Registration Serve(std::string name, HookHandler handler);

  // What the routes do.
  std::optional<HttpResponse> BeforeBody(const HttpRequest& request);
  HttpResponse Answer(const HttpRequest& request);

 private:
  class Call;
  // 404, or 503.
  HttpResponse NotServed(std::string_view name);
  void End(const std::string& name);

  std::mutex mutex_;
  std::condition_variable idle_;
  // Guarded by mutex_.
  std::multiset<std::string, std::less<>> expected_;
  std::map<std::string, std::shared_ptr<Hook>, std::less<>> hooks_;
};

// Adds the routes. Before the server starts; `hooks` outlives it.
void AddHookRoutes(HttpServer& server, Hooks& hooks);

}  // namespace tower

#endif  // CORE_WATCH_HOOKS_H_
