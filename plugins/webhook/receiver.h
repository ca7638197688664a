// Handles deliveries: verifies, reads, maps, puts and answers them.
#ifndef PLUGINS_WEBHOOK_RECEIVER_H_
#define PLUGINS_WEBHOOK_RECEIVER_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/http/message.h"
#include "core/watch/mapping.h"
#include "core/watch/watcher.h"
#include "plugins/webhook/delivery.h"
#include "plugins/webhook/settings.h"
#include "plugins/webhook/verify.h"

namespace tower::webhook {

// HTTP threads verify and read deliveries, and put bodies that are triggers. Events for a script
// wait for the watcher's thread, since a script may be slow.
class Receiver {
 public:
  // All three outlive it. `mapping` is loaded.
  Receiver(WatcherContext& tower, const Settings& settings, Mapping& mapping);
  ~Receiver();  // answers waiting deliveries with 503
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // The functions of a HookHandler. Thread-safe.
  std::optional<HttpResponse> BeforeBody(const HttpRequest& request);
  HttpResponse Answer(const HttpRequest& request);

  // Maps one delivery after another until stop is requested. Called by one thread.
  void MapUntil(const std::stop_token& stop);

 private:
  struct Waiting {
    HttpLater later;
    std::string event, id;
  };
  // The body, read where it is JSON.
  struct Body {
    JsonTape tape;
    std::optional<JsonValue> json;
    std::string text;  // otherwise the body as a JSON value
  };
  template <typename T>
  using Or = tl::expected<T, HttpResponse>;  // or the answer to an invalid delivery

  HttpResponse Take(const HttpRequest& request, const Delivery& delivery);
  std::optional<HttpResponse> Read(const Delivery& delivery, Body& body);
  std::optional<HttpResponse> SlackChallenge(const Body& body) const;
  Or<std::string> FindId(const Delivery& delivery, const Body& body);
  HttpResponse Wait(const HttpRequest& request, std::string event, std::string id);
  std::optional<Waiting> Next(const std::stop_token& stop);
  void Map(const Waiting& waiting);
  void Put(const HttpLater& later, const std::vector<Trigger>& triggers, const std::string& id);

  HttpResponse Invalid(std::string_view what, const Faults& faults);
  HttpResponse Unauthorized(const HttpRequest& request);
  HttpResponse AnswerHandshake(const HttpRequest& request) const;

  // Constant after construction, or thread-safe.
  WatcherContext& tower_;
  const Settings& settings_;
  const Verifier verifier_;
  const IdPlace place_of_id_;
  const std::string hidden_header_;
  const bool is_slack_;
  std::atomic<std::chrono::steady_clock::time_point> next_warning_{};
  // Used by the thread in MapUntil, but for what never changes.
  Mapping& mapping_;
  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
};

}  // namespace tower::webhook

#endif  // PLUGINS_WEBHOOK_RECEIVER_H_
