// The books of a test that injects faults: what was accepted against what arrived. Nothing accepted
// may be missing; a repeat is allowed, and counted.
#ifndef TEST_SUPPORT_LEDGER_H_
#define TEST_SUPPORT_LEDGER_H_

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace tower {

struct Balance {
  std::size_t accepted = 0, arrived = 0, undeliverable = 0;  // distinct triggers
  std::size_t repeats = 0;                                   // arrivals after the first
  std::size_t overtaken = 0;         // first arrivals behind one of the same source accepted later
  std::vector<std::string> lost;     // neither arrived nor listed undeliverable
  std::vector<std::string> unknown;  // arrived, and never accepted
  std::vector<std::string> both;     // arrived, and listed undeliverable all the same
  std::string Text() const;
};

// Thread-safe. A source's triggers are accepted by one thread, in order.
class Ledger {
 public:
  // By an answer of 2xx, or a Put that returned.
  void Accept(const std::string& source, const std::string& uuid);
  void Arrive(const std::string& message_id);  // at a consumer, in its order
  std::size_t accepted() const;
  std::size_t distinct() const;  // of what arrived

  // `listed`: is it listed undeliverable? Asked for every trigger accepted.
  Balance Strike(const std::function<bool(const std::string& uuid)>& listed) const;

 private:
  struct Entry {
    std::string source;
    std::size_t place = 0;  // within the source
  };
  mutable std::mutex mutex_;
  std::map<std::string, Entry> accepted_;
  std::map<std::string, std::size_t> places_;   // by source: how many
  std::map<std::string, std::size_t> arrived_;  // by id: how often
  std::vector<std::string> first_arrivals_;
};

// Reports the balance, and requires that nothing is lost, nothing unknown and nothing both
// delivered and given up.
void RequireNothingLost(const Balance& balance);

}  // namespace tower

#endif  // TEST_SUPPORT_LEDGER_H_
