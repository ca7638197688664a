// Room on the disk, kept for the moment when there is no other: a file of that size.
#ifndef CORE_QUEUE_RESERVE_H_
#define CORE_QUEUE_RESERVE_H_

#include <cstdint>
#include <string>
#include <utility>

namespace tower {

class DiskReserve {
 public:
  DiskReserve(std::string path, std::int64_t bytes, std::int64_t beside)
      : path_(std::move(path)), bytes_(bytes), beside_(beside) {}

  // True when all of it is kept, now or since before, and the disk has `beside` more; else nothing
  // is kept. It stays when the process ends.
  bool Hold() const;
  // Gives the room back to the disk.
  void Release() const;

 private:
  const std::string path_;
  const std::int64_t bytes_, beside_;
};

}  // namespace tower

#endif  // CORE_QUEUE_RESERVE_H_
