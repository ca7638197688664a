// What other threads have for a loop of the HTTP server.
#ifndef CORE_HTTP_MAILBOX_H_
#define CORE_HTTP_MAILBOX_H_

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/wakeup.h"
#include "core/http/loop.h"

namespace tower {

// Thread-safe. Outlives the loop where an answer is still held back.
struct HttpMailbox {
  struct Letters {
    std::vector<HttpLoop::NewConnection> added;
    std::vector<std::pair<HttpLater::Ticket, std::optional<HttpResponse>>> finished;
    HttpDrain* drain = nullptr;
    bool stop = false;
    bool empty() const { return added.empty() && finished.empty() && drain == nullptr && !stop; }
  };

  template <typename Write>
  static void Post(const std::shared_ptr<HttpMailbox>& box, Write write) {
    {
      const std::lock_guard lock(box->mutex);
      write(box->letters);
      if (!box->asleep) return;
      box->asleep = false;
    }
    WakeupBatch::Signal({box, &box->wakeup});
  }

  std::mutex mutex;
  Letters letters;
  bool asleep = false;  // the loop waits, and has to be woken
  Wakeup wakeup;
};

}  // namespace tower

#endif  // CORE_HTTP_MAILBOX_H_
