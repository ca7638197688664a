// A service of lists and a watcher that polls it.
#ifndef TEST_PLUGINS_POLL_FIXTURE_H_
#define TEST_PLUGINS_POLL_FIXTURE_H_

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "test/support/http_service.h"
#include "test/support/watcher_harness.h"

namespace tower {

// A trigger that is an item, too.
inline std::string Item(const std::string& id, const std::string& protocol,
                        const std::string& more = {}) {
  return R"({"apiVersion":"T/v1","protocol":")" + protocol + R"(","spec":{"id":)" + id + more +
         "}}";
}

inline std::string List(const std::vector<std::string>& items, const std::string& more = {}) {
  std::string text = R"({"items":[)";
  for (const auto& item : items) text += (&item == &items.front() ? "" : ",") + item;
  return text + "]" + more + "}";
}

struct PollFixture {
  using Options = WatcherHarness::Options;

  // What the service answers; set while it runs.
  void Answer(HttpService::Handler handler) {
    const std::lock_guard lock(mutex);
    answer = std::move(handler);
  }
  void Answer(ServedAnswer fixed) {
    Answer([fixed](const ServedRequest&) { return fixed; });
  }
  void Answer(std::string body) { Answer(ServedAnswer{.body = std::move(body)}); }

  std::string Url(const std::string& target) const { return service.Url(target); }

  // Polls `target` without pause, unless `more` says otherwise.
  void Start(const std::string& target, Options more = {}) {
    more.emplace_back("url", std::vector{Url(target)});
    const auto has = [&](const std::string& name) {
      return std::any_of(more.begin(), more.end(),
                         [&](const auto& option) { return option.first == name; });
    };
    if (!has("interval")) more.emplace_back("interval", std::vector<std::string>{"10ms"});
    watcher = std::make_unique<WatcherHarness>(queue, "poll", more);
    watcher->Start();
  }
  void Stop() { [[maybe_unused]] const auto stopped = watcher->Stop(); }
  // As a restart of the process does.
  void Restart(const std::string& target, const Options& more = {}) {
    Stop();
    watcher.reset();
    queue.Reopen();
    Start(target, more);
  }
  // Whether `count` more looks are over, begun after this call.
  bool Looks(int count) {
    const int now = watcher->successes();
    return watcher->WaitForSuccesses(now + count + 1);
  }
  // What Run returned.
  Error End() {
    if (!Eventually([&] { return watcher->ended(); })) return {ErrorCode::kTimeout, "it runs on"};
    return watcher->result() ? Error{ErrorCode::kInvalid, "no error"} : watcher->result().error();
  }
  std::vector<ServedRequest> Requests() const { return service.requests(); }

  std::mutex mutex;
  HttpService::Handler answer = [](const ServedRequest&) { return ServedAnswer{.body = List({})}; };
  HttpService service{[this](const ServedRequest& request) {
    HttpService::Handler handler;
    {
      const std::lock_guard lock(mutex);
      handler = answer;
    }
    return handler(request);
  }};
  TestQueue queue;
  std::unique_ptr<WatcherHarness> watcher;
};

}  // namespace tower

#endif  // TEST_PLUGINS_POLL_FIXTURE_H_
