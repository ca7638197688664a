// What the clients of the HTTP server may hold at a time: connections, and memory.
#ifndef CORE_HTTP_LIMITS_H_
#define CORE_HTTP_LIMITS_H_

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>

namespace tower {

// Counts connections, all of them and those of each address; of IPv6 the first 64 bits count, since
// one client has all of the others. Thread-safe. A lock is taken for a connection, not for a
// request.
class HttpPlaces {
 public:
  // A connection's place, given back when it is destroyed.
  class Place {
   public:
    Place(Place&& other) noexcept;
    Place& operator=(Place&&) = delete;
    ~Place();
    // Which limit it is beyond, as an answer says it; empty for a place within all of them.
    std::string_view beyond() const noexcept { return beyond_; }

   private:
    friend class HttpPlaces;
    using Address = std::array<unsigned char, 16>;
    Place(HttpPlaces& places, const Address& address, std::string_view beyond)
        : places_(&places), address_(address), beyond_(beyond) {}
    HttpPlaces* places_;
    Address address_;
    std::string_view beyond_;
  };

  HttpPlaces(std::size_t most, std::size_t most_per_address)
      : most_(most), most_per_address_(most_per_address) {}

  // The places within the limits are counted apart from those beyond, of which there is no end.
  Place Take(const sockaddr_storage& address);
  std::size_t beyond() const noexcept { return beyond_.load(); }

 private:
  void GiveBack(const Place& place) noexcept;

  const std::size_t most_, most_per_address_;
  std::atomic<std::size_t> beyond_{0};
  // Guarded by mutex_.
  std::mutex mutex_;
  std::size_t taken_ = 0;
  std::map<Place::Address, std::size_t> by_address_;
};

// The memory of all requests and answers at hand. Who has not shown who they are, the
// unknown_arguments, have at most a quarter of it together. Thread-safe; shares are used by one
// thread each.
class HttpMemory {
 public:
  // What needs no more than this is never refused: a connection costs about as much itself, and
  // health checks are answered whatever others hold.
  static constexpr std::size_t kFree = 4096;

  explicit HttpMemory(std::uint64_t most) : most_(most) {}

  // What one connection holds. The memory outlives it.
  class Share {
   public:
    explicit Share(HttpMemory& memory) : memory_(memory) {}
    ~Share() { Set(0, known_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // From now on it is so many bytes, of a client that is known or a stranger. False: that is more
    // than there is, and the caller should hold less soon; it counts all the same.
    bool Set(std::size_t bytes, bool known) noexcept;
    // Whether Set would say so of that many bytes more.
    bool Fits(std::uint64_t more) const noexcept;
    // Which limit a Set or Fits that said no has met, as an answer says it.
    std::string_view limit() const noexcept;
    // Little is in use: memory may be kept for what comes next.
    bool roomy() const noexcept { return memory_.used_.load() < memory_.most_ / 2; }

   private:
    HttpMemory& memory_;
    std::size_t bytes_ = 0;
    bool known_ = false;
  };

 private:
  const std::uint64_t most_;
  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> of_strangers_{0};  // of used_
};

}  // namespace tower

#endif  // CORE_HTTP_LIMITS_H_
