// Limits for the clients of the HTTP server: connections and memory.
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

// Counts connections, in total and per address. IPv6 addresses are counted by their first 64 bits,
// because one client has the whole network. Thread-safe. Takes a lock per connection, not per
// request.
class HttpPlaces {
 public:
  // The place of one connection. The destructor releases it.
  class Place {
   public:
    Place(Place&& other) noexcept;
    Place& operator=(Place&&) = delete;
    ~Place();
    // The limit that this connection exceeds, as text for responses; empty if it exceeds none.
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

  // Never fails. Places beyond a limit are counted separately and are not limited in number.
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

// The memory of all requests and responses in progress. Unauthenticated clients together may use at
// most a quarter of it. Thread-safe; each Share is used by one thread.
class HttpMemory {
 public:
  // Bytes that a connection may always use: a connection costs about as much itself, and health
  // checks must be answered at any load.
  static constexpr std::size_t kFree = 4096;

  explicit HttpMemory(std::uint64_t most) : most_(most) {}

  // The memory of one connection. The HttpMemory outlives it.
  class Share {
   public:
    explicit Share(HttpMemory& memory) : memory_(memory) {}
    ~Share() { Set(0, known_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // Sets the number of bytes in use, and whether the client is authenticated. Returns false if
    // this exceeds a limit; the bytes are counted nevertheless, and the caller should free memory
    // soon.
    bool Set(std::size_t bytes, bool known) noexcept;
    // Whether `more` additional bytes would be within the limits.
    bool Fits(std::uint64_t more) const noexcept;
    // After Set or Fits returned false: the limit that was exceeded, as text for responses.
    std::string_view limit() const noexcept;
    // Less than half of the memory is in use, so that buffers may be kept for the next request.
    bool roomy() const noexcept { return memory_.used_.load() < memory_.most_ / 2; }

   private:
    HttpMemory& memory_;
    std::size_t bytes_ = 0;
    bool known_ = false;
  };

 private:
  const std::uint64_t most_;
  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> unauthenticated_{0};  // part of used_: unauthenticated clients
};

}  // namespace tower

#endif  // CORE_HTTP_LIMITS_H_
