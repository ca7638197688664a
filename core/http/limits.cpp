#include "core/http/limits.h"

#include <netinet/in.h>

#include <cstring>
#include <utility>

namespace tower {
namespace {

constexpr std::size_t kPrefix = 8;  // bytes of an IPv6 address that identify a client

std::array<unsigned char, 16> KeyOf(const sockaddr_storage& address) noexcept {
  std::array<unsigned char, 16> key{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    key[10] = key[11] = 0xFF;
    std::memcpy(key.data() + 12, &v4, sizeof(v4));
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    std::memcpy(key.data(), &v6, IN6_IS_ADDR_V4MAPPED(&v6) ? key.size() : kPrefix);
  }
  return key;
}

}  // namespace

HttpPlaces::Place::Place(Place&& other) noexcept
    : places_(std::exchange(other.places_, nullptr)),
      address_(other.address_),
      beyond_(other.beyond_) {}

HttpPlaces::Place::~Place() {
  if (places_ != nullptr) places_->GiveBack(*this);
}

HttpPlaces::Place HttpPlaces::Take(const sockaddr_storage& address) {
  const auto key = KeyOf(address);
  const std::lock_guard lock(mutex_);
  auto& of_address = by_address_[key];
  if (taken_ < most_ && of_address < most_per_address_) {
    ++taken_;
    ++of_address;
    return {*this, key, {}};
  }
  if (of_address == 0) by_address_.erase(key);
  ++beyond_;
  return {*this, key,
          taken_ < most_ ? "this address has server.max-connections-per-address connections already"
                         : "there are server.max-connections connections already"};
}

void HttpPlaces::GiveBack(const Place& place) noexcept {
  if (!place.beyond_.empty()) {
    --beyond_;
    return;
  }
  const std::lock_guard lock(mutex_);
  --taken_;
  const auto found = by_address_.find(place.address_);
  if (--found->second == 0) by_address_.erase(found);
}

bool HttpMemory::Share::Set(std::size_t bytes, bool known) noexcept {
  if (bytes == bytes_ && known == known_) return true;
  const bool grows = bytes > bytes_ || (known_ && !known);
  // Unsigned arithmetic: adding a negative difference subtracts.
  const std::uint64_t more = std::uint64_t{bytes} - bytes_;
  const std::uint64_t strange = (known ? 0 : bytes) - std::uint64_t{known_ ? 0 : bytes_};
  bytes_ = bytes;
  known_ = known;
  const auto used = memory_.used_.fetch_add(more) + more;
  const auto unauthenticated = strange == 0 ? memory_.unauthenticated_.load()
                                            : memory_.unauthenticated_.fetch_add(strange) + strange;
  return !grows || bytes <= kFree ||
         (used <= memory_.most_ && (known || unauthenticated <= memory_.most_ / 4));
}

bool HttpMemory::Share::Fits(std::uint64_t more) const noexcept {
  return bytes_ + more <= kFree ||
         (memory_.used_.load() + more <= memory_.most_ &&
          (known_ || memory_.unauthenticated_.load() + more <= memory_.most_ / 4));
}

std::string_view HttpMemory::Share::limit() const noexcept {
  return known_ || memory_.used_.load() > memory_.most_
             ? "server.max-memory is in use"
             : "the quarter of server.max-memory for senders that are not verified yet is in use";
}

}  // namespace tower
