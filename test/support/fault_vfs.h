// A disk that fails when a test tells it to: a shim over SQLite's own VFS. It keeps what a power
// loss would leave of each file, and makes chosen operations fail.
#ifndef TEST_SUPPORT_FAULT_VFS_H_
#define TEST_SUPPORT_FAULT_VFS_H_

#include <cstdint>
#include <memory>
#include <string>

namespace tower {

// All that SQLite opens below one folder, from the constructor on. Files elsewhere are left alone,
// so that disks can be used side by side. Thread-safe. Outlives every connection to its files.
//
// Durability is only in the model: a sync is not passed on to the real disk, which makes tests
// fast. What a file held when it was first opened counts as durable. A failed sync loses a part of
// what it should have written for good, though it is still read back: that is what Linux does.
class FaultDisk {
 public:
  enum class Op { kOpen, kRead, kWrite, kSync, kTruncate, kDelete };
  enum class File { kAny, kMain, kWal };  // kMain: neither a -wal nor a -journal
  enum class Fault {
    kIoError,     // EIO
    kFull,        // ENOSPC
    kShortWrite,  // a part of the bytes, then ENOSPC
  };

  // `seed`: of all that is left to chance.
  explicit FaultDisk(const std::string& folder, std::uint64_t seed = 1);
  ~FaultDisk();
  FaultDisk(const FaultDisk&) = delete;
  FaultDisk& operator=(const FaultDisk&) = delete;

  // Lets `skip` such operations pass, then fails one, or with `lasting` all until Heal.
  struct Plan {
    Op op = Op::kWrite;
    File file = File::kAny;
    Fault fault = Fault::kIoError;
    std::uint64_t skip = 0;
    bool lasting = false;
    std::uint64_t from = 0, to = UINT64_MAX;  // of kRead: only where it begins in this part
  };
  void Fail(const Plan& plan);
  // Every operation but reading fails with this probability, one in four for want of room.
  void FailAtRandom(double probability);
  // Forgets all of the above, and a power cut that is still to come.
  void Heal();
  // Whether a plan still waits for its operation.
  bool planned() const;
  // Operations so far, failed ones included.
  std::uint64_t Count(Op op, File file) const;

  // Lets `operations` that change something pass, then fails everything, until RestorePower.
  void CutPowerAfter(std::uint64_t operations);
  void CutPower() { CutPowerAfter(0); }
  bool powered() const;
  // What becomes of writes, truncations and deletions that were not synced.
  enum class Loss {
    kNone,  // nothing yet: only the process died, and the machine may lose power later
    kAll,   // none took place
    kSome,  // each did, did not, or did for some of its 512-byte sectors
  };
  // Puts on the real disk what is left, and heals. Every connection must be closed.
  void RestorePower(Loss loss);

  // Makes connections opened from now on fold the write-ahead log into the file at this size,
  // whatever they ask for themselves.
  void CheckpointEvery(int pages);

 private:
  friend struct FaultShim;
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_FAULT_VFS_H_
