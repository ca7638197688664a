#include "test/support/ledger.h"

#include <catch2/catch_test_macros.hpp>

namespace tower {

std::string Balance::Text() const {
  return "accepted " + std::to_string(accepted) + ", arrived " + std::to_string(arrived) +
         ", undeliverable " + std::to_string(undeliverable) + ", lost " +
         std::to_string(lost.size()) + ", repeats " + std::to_string(repeats) + ", overtaken " +
         std::to_string(overtaken);
}

void Ledger::Accept(const std::string& source, const std::string& uuid) {
  const std::lock_guard lock(mutex_);
  accepted_[uuid] = {source, places_[source]++};
}

void Ledger::Arrive(const std::string& message_id) {
  const std::lock_guard lock(mutex_);
  if (arrived_[message_id]++ == 0) first_arrivals_.push_back(message_id);
}

std::size_t Ledger::accepted() const {
  const std::lock_guard lock(mutex_);
  return accepted_.size();
}

std::size_t Ledger::distinct() const {
  const std::lock_guard lock(mutex_);
  return arrived_.size();
}

Balance Ledger::Strike(const std::function<bool(const std::string& uuid)>& listed) const {
  const std::lock_guard lock(mutex_);
  Balance balance;
  balance.accepted = accepted_.size();
  for (const auto& [uuid, entry] : accepted_) {
    const bool arrived = arrived_.contains(uuid);
    const bool undeliverable = listed(uuid);
    if (arrived) ++balance.arrived;
    if (undeliverable) ++balance.undeliverable;
    if (arrived && undeliverable) balance.both.push_back(uuid);
    if (!arrived && !undeliverable) balance.lost.push_back(uuid);
  }
  std::map<std::string, std::size_t> next;  // by source: one above the highest place so far
  for (const std::string& id : first_arrivals_) {
    balance.repeats += arrived_.at(id) - 1;
    const auto found = accepted_.find(id);
    if (found == accepted_.end()) {
      balance.unknown.push_back(id);
      continue;
    }
    std::size_t& highest = next[found->second.source];
    if (found->second.place < highest) {
      ++balance.overtaken;
    } else {
      highest = found->second.place + 1;
    }
  }
  return balance;
}

void RequireNothingLost(const Balance& balance) {
  WARN(balance.Text());
  REQUIRE(balance.accepted > 0);
  REQUIRE(balance.lost == std::vector<std::string>{});
  REQUIRE(balance.unknown == std::vector<std::string>{});
  REQUIRE(balance.both == std::vector<std::string>{});
}

}  // namespace tower
