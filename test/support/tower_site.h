// A whole control-tower in this process, on a real RabbitMQ, with an exchange of its own; and the
// books of what it accepts and what arrives.
#ifndef TEST_SUPPORT_TOWER_SITE_H_
#define TEST_SUPPORT_TOWER_SITE_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "app/tower.h"
#include "core/base/log.h"
#include "test/support/ledger.h"
#include "test/support/temp_dir.h"
#include "test/support/test_consumer.h"

namespace tower {

// As app/main.cpp runs it, but for shorter pauses between connects. Used by one thread, except
// Post.
class TowerSite {
 public:
  // `urls` of the broker; `change` sets what is different. Exchange and queue are called name().
  explicit TowerSite(std::vector<std::string> urls,
                     const std::function<void(Settings&)>& change = {});
  ~TowerSite();

  const std::string& name() const { return name_; }
  void Start();

  // Posts one trigger, requires 202, and enters it in the books under `client`. Returns its uuid.
  std::string Post(const std::string& client = "client", const std::string& protocol = "P",
                   std::size_t pad = 0);
  // `clients` threads that post until the returned object goes.
  std::vector<std::jthread> Load(int clients);

  std::string Get(const std::string& path) const;  // the body of the answer
  std::string Ready() const { return Get("/readyz?verbose"); }
  bool BecomesReady() const;
  // Ready()'s line of the broker, and the log, contain the text in time.
  bool Tells(const std::string& text) const;
  std::size_t Depth() const;             // of the queue
  bool Queued(std::size_t depth) const;  // becomes the depth
  std::string log() const { return logs_.text(); }

  void Take(TestConsumer& consumer);     // what is in the queue called name() now
  void Consume(TestConsumer& consumer);  // the same, and waits while something is missing
  // Waits until nothing is queued, consumes, and requires that nothing is lost.
  Balance Finish(TestConsumer& consumer);

  Ledger& ledger() { return ledger_; }
  Balance Strike() const;

 private:
  CapturedLogs logs_;
  const std::string name_;
  TempDir folder_;
  Setup setup_;
  Ledger ledger_;
  std::atomic<bool> refused_{false};  // a Post by Load
  std::unique_ptr<Tower> tower_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_TOWER_SITE_H_
