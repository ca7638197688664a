#include "test/support/fault_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <random>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace tower {
namespace {

constexpr std::size_t kSector = 512;

struct Change {
  bool truncate = false;
  std::size_t at = 0;  // the new length, of a truncation
  std::string bytes = {};
};

struct Image {
  bool exists = false;               // its name is durable
  std::string durable = {};          // its content after a power loss, but for `pending`
  std::vector<Change> pending = {};  // since the last sync
};

std::string Load(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void ApplySectors(std::string& content, const Change& change, std::uint64_t pick) {
  if (change.truncate) {
    content.resize(change.at, '\0');
    return;
  }
  for (std::size_t from = 0; from < change.bytes.size();) {
    const std::size_t sector = (change.at + from) / kSector;
    const std::size_t to = std::min(change.bytes.size(), (sector + 1) * kSector - change.at);
    if (((pick >> (sector % 64)) & 1U) != 0) {
      if (content.size() < change.at + to) content.resize(change.at + to, '\0');
      change.bytes.copy(content.data() + change.at + from, to - from, from);
    }
    from = to;
  }
}

int CodeOf(FaultDisk::Op op, FaultDisk::Fault fault) {
  if (fault != FaultDisk::Fault::kIoError && op != FaultDisk::Op::kRead) {
    return op == FaultDisk::Op::kOpen ? SQLITE_CANTOPEN : SQLITE_FULL;
  }
  switch (op) {
    case FaultDisk::Op::kOpen:
      return SQLITE_CANTOPEN;
    case FaultDisk::Op::kRead:
      return SQLITE_IOERR_READ;
    case FaultDisk::Op::kWrite:
      return SQLITE_IOERR_WRITE;
    case FaultDisk::Op::kSync:
      return SQLITE_IOERR_FSYNC;
    case FaultDisk::Op::kTruncate:
      return SQLITE_IOERR_TRUNCATE;
    case FaultDisk::Op::kDelete:
      return SQLITE_IOERR_DELETE;
  }
  return SQLITE_IOERR;
}

}  // namespace

class FaultDisk::Impl {
 public:
  Impl(const std::string& folder, std::uint64_t seed)
      : folder_(std::filesystem::canonical(folder).string() + "/"), random_(seed) {}

  bool Holds(std::string_view path) const { return path.starts_with(folder_); }

  // The fault that this operation meets, if any. With the lock held.
  std::optional<Fault> Meet(Op op, File file, std::uint64_t at = 0) {
    ++counts_[{op, file}];
    if (!powered_) return Fault::kIoError;
    if (op != Op::kRead && power_left_ && (*power_left_)-- == 0) {
      powered_ = false;
      return Fault::kIoError;
    }
    for (auto plan = plans_.begin(); plan != plans_.end(); ++plan) {
      if (plan->op != op || (plan->file != File::kAny && plan->file != file)) continue;
      if (at < plan->from || at >= plan->to) continue;
      if (plan->skip > 0) {
        --plan->skip;
        continue;
      }
      const Fault fault = plan->fault;
      if (!plan->lasting) plans_.erase(plan);
      return fault;
    }
    if (op != Op::kRead && probability_ > 0 && Chance(probability_)) {
      return Chance(0.25) ? Fault::kFull : Fault::kIoError;
    }
    return std::nullopt;
  }

  bool Chance(double probability) { return std::bernoulli_distribution(probability)(random_); }

  // What a power loss leaves of unsynced changes.
  void ApplySome(Image& image) {
    const int mood = static_cast<int>(random_() % 3);  // none, all, any
    for (const auto& change : image.pending) {
      const std::uint64_t pick = Chance(0.5) ? random_() : (Chance(0.5) ? ~0ULL : 0ULL);
      if (mood == 1) {
        ApplySectors(image.durable, change, ~0ULL);
      } else if (mood == 2 && (!change.truncate || Chance(0.5))) {
        ApplySectors(image.durable, change, pick);
      }
    }
    image.pending.clear();
  }

  static void ApplyAll(Image& image) {
    for (const auto& change : image.pending) ApplySectors(image.durable, change, ~0ULL);
    image.pending.clear();
  }

  void Restore(Loss loss) {
    if (loss != Loss::kNone) LeaveDurable(loss);
    std::vector<std::filesystem::path> memory;  // what is shared in memory is gone
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().string().ends_with("-shm")) memory.push_back(entry.path());
    }
    for (const auto& path : memory) std::filesystem::remove(path);
  }

  void LeaveDurable(Loss loss) {
    for (auto& [path, image] : images_) {
      if (!std::filesystem::exists(path)) continue;  // renamed or deleted
      if (loss == Loss::kSome) ApplySome(image);
      if (image.exists || (loss == Loss::kSome && Chance(0.5))) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << image.durable;
      } else {
        std::filesystem::remove(path);
      }
    }
    for (const auto& [path, content] : deleted_) {
      if (std::filesystem::exists(path) || (loss == Loss::kSome && Chance(0.5))) continue;
      std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    }
    images_.clear();
    deleted_.clear();
  }

  const std::string folder_;
  std::atomic<int> checkpoint_pages_{0};

  mutable std::mutex mutex_;  // guards the rest
  std::mt19937_64 random_;
  std::vector<Plan> plans_;
  double probability_ = 0;
  bool powered_ = true;
  std::optional<std::uint64_t> power_left_;
  std::map<std::pair<Op, File>, std::uint64_t> counts_;
  std::map<std::string, Image> images_;
  std::vector<std::pair<std::string, std::string>> deleted_;  // not durably
};

// What SQLite calls.
struct FaultShim {
  using Op = FaultDisk::Op;
  using File = FaultDisk::File;
  using Disk = std::shared_ptr<FaultDisk::Impl>;

  struct Handle {
    sqlite3_file base;
    Disk disk;
    std::string path;
    File file;
    bool names;  // its next sync makes its folder durable too
    sqlite3_file* real;
  };
  static constexpr std::size_t kHandleSize = (sizeof(Handle) + 15) / 16 * 16;

  static sqlite3_vfs* real_vfs;
  static sqlite3_vfs vfs;
  static std::mutex disks_mutex;
  static std::vector<Disk> disks;
  static thread_local sqlite3* opened;  // the newest connection

  static Handle& Of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }

  static Disk DiskOf(const char* path) {
    if (path == nullptr) return nullptr;
    const std::lock_guard lock(disks_mutex);
    for (const auto& disk : disks) {
      if (disk->Holds(path)) return disk;
    }
    return nullptr;
  }

  static File FileOf(int flags) {
    if ((flags & SQLITE_OPEN_WAL) != 0) return File::kWal;
    return (flags & SQLITE_OPEN_MAIN_DB) != 0 ? File::kMain : File::kAny;
  }

  static int Open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* out) {
    file->pMethods = nullptr;
    auto disk = DiskOf(path);
    if (disk == nullptr) return real_vfs->xOpen(real_vfs, path, file, flags, out);
    const std::lock_guard lock(disk->mutex_);
    if (auto fault = disk->Meet(Op::kOpen, FileOf(flags))) return CodeOf(Op::kOpen, *fault);
    const bool existed = std::filesystem::exists(path);
    auto* real = reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + kHandleSize);
    const int code = real_vfs->xOpen(real_vfs, path, real, flags, out);
    if (code != SQLITE_OK) return code;
    if (!existed) {
      disk->images_[path] = Image();
    } else if (!disk->images_.contains(path)) {
      disk->images_[path] = Image{.exists = true, .durable = Load(path)};
    }
    const bool names = (flags & SQLITE_OPEN_CREATE) != 0 && FileOf(flags) != File::kMain;
    new (file) Handle{{&methods}, disk, path, FileOf(flags), names, real};
    return SQLITE_OK;
  }

  static int Delete(sqlite3_vfs*, const char* path, int sync_folder) {
    auto disk = DiskOf(path);
    if (disk == nullptr) return real_vfs->xDelete(real_vfs, path, sync_folder);
    const std::lock_guard lock(disk->mutex_);
    if (auto fault = disk->Meet(Op::kDelete, File::kAny)) return CodeOf(Op::kDelete, *fault);
    const int code = real_vfs->xDelete(real_vfs, path, 0);
    if (const auto found = disk->images_.find(path); found != disk->images_.end()) {
      if (found->second.exists) disk->deleted_.emplace_back(path, found->second.durable);
      disk->images_.erase(found);
    }
    if (sync_folder != 0) disk->deleted_.clear();
    return code;
  }

  static int Close(sqlite3_file* file) {
    auto& handle = Of(file);
    const int code = handle.real->pMethods->xClose(handle.real);
    handle.~Handle();
    return code;
  }

  static int Read(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
    auto& handle = Of(file);
    {
      const std::lock_guard lock(handle.disk->mutex_);
      const auto fault = handle.disk->Meet(Op::kRead, handle.file, static_cast<std::uint64_t>(at));
      if (fault) return CodeOf(Op::kRead, *fault);
    }
    return handle.real->pMethods->xRead(handle.real, to, size, at);
  }

  static int Write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    auto& handle = Of(file);
    auto& disk = *handle.disk;
    const std::lock_guard lock(disk.mutex_);
    const bool powered = disk.powered_;
    const auto fault = disk.Meet(Op::kWrite, handle.file);
    Change change{.at = static_cast<std::size_t>(at),
                  .bytes = {static_cast<const char*>(from), static_cast<std::size_t>(size)}};
    auto& pending = disk.images_[handle.path].pending;
    if (!fault ||
        (powered && !disk.powered_)) {  // the write during which the power goes may get through
      pending.push_back(change);
    }
    if (fault && *fault == FaultDisk::Fault::kShortWrite) {
      change.bytes.resize(change.bytes.size() / 2);
      pending.push_back(change);
      const int code = handle.real->pMethods->xWrite(handle.real, from, size / 2, at);
      if (code != SQLITE_OK) return code;
    }
    if (fault) return CodeOf(Op::kWrite, *fault);
    return handle.real->pMethods->xWrite(handle.real, from, size, at);
  }

  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    auto& handle = Of(file);
    const std::lock_guard lock(handle.disk->mutex_);
    if (auto fault = handle.disk->Meet(Op::kTruncate, handle.file)) {
      return CodeOf(Op::kTruncate, *fault);
    }
    handle.disk->images_[handle.path].pending.push_back(
        {.truncate = true, .at = static_cast<std::size_t>(size)});
    return handle.real->pMethods->xTruncate(handle.real, size);
  }

  static int Sync(sqlite3_file* file, int) {
    auto& handle = Of(file);
    auto& disk = *handle.disk;
    const std::lock_guard lock(disk.mutex_);
    const bool powered = disk.powered_;
    const auto fault = disk.Meet(Op::kSync, handle.file);
    auto& image = disk.images_[handle.path];
    if (fault) {
      if (powered && disk.powered_) disk.ApplySome(image);
      return CodeOf(Op::kSync, *fault);
    }
    FaultDisk::Impl::ApplyAll(image);
    if (std::exchange(handle.names, false)) {
      image.exists = true;
      disk.deleted_.clear();
    }
    return SQLITE_OK;
  }

  static int FileControl(sqlite3_file* file, int what, void* with) {
    auto& handle = Of(file);
    if (const int pages = handle.disk->checkpoint_pages_;
        what == SQLITE_FCNTL_PRAGMA && pages > 0) {
      const char* name = static_cast<char**>(with)[1];
      if (sqlite3_stricmp(name, "wal_autocheckpoint") == 0) {
        sqlite3_wal_autocheckpoint(opened, pages);
        return SQLITE_OK;  // in place of what was asked for
      }
    }
    return handle.real->pMethods->xFileControl(handle.real, what, with);
  }

  // sqlite3_auto_extension: called with every connection that is opened, before its first
  // statement.
  static int Opened(sqlite3* database, const char**, const void*) {
    opened = database;
    return SQLITE_OK;
  }

  template <auto Method, typename... Args>
  static auto Pass(sqlite3_file* file, Args... args) {
    auto* real = Of(file).real;
    return (real->pMethods->*Method)(real, args...);
  }

  static void Install() {
    static std::once_flag once;
    std::call_once(once, [] {
      real_vfs = sqlite3_vfs_find(nullptr);
      vfs = *real_vfs;
      vfs.pNext = nullptr;
      vfs.zName = "fault";
      vfs.szOsFile = static_cast<int>(kHandleSize) + real_vfs->szOsFile;
      vfs.xOpen = Open;
      vfs.xDelete = Delete;
      sqlite3_vfs_register(&vfs, 1);
      sqlite3_auto_extension(reinterpret_cast<void (*)()>(Opened));
    });
  }

  static const sqlite3_io_methods methods;
};

sqlite3_vfs* FaultShim::real_vfs = nullptr;
sqlite3_vfs FaultShim::vfs = {};
std::mutex FaultShim::disks_mutex;
std::vector<FaultShim::Disk> FaultShim::disks;
thread_local sqlite3* FaultShim::opened = nullptr;

const sqlite3_io_methods FaultShim::methods = {
    3,
    Close,
    Read,
    Write,
    Truncate,
    Sync,
    [](sqlite3_file* f, sqlite3_int64* size) {
      return Pass<&sqlite3_io_methods::xFileSize>(f, size);
    },
    [](sqlite3_file* f, int level) { return Pass<&sqlite3_io_methods::xLock>(f, level); },
    [](sqlite3_file* f, int level) { return Pass<&sqlite3_io_methods::xUnlock>(f, level); },
    [](sqlite3_file* f, int* out) { return Pass<&sqlite3_io_methods::xCheckReservedLock>(f, out); },
    FileControl,
    [](sqlite3_file* f) { return Pass<&sqlite3_io_methods::xSectorSize>(f); },
    [](sqlite3_file* f) { return Pass<&sqlite3_io_methods::xDeviceCharacteristics>(f); },
    [](sqlite3_file* f, int region, int size, int extend, void volatile** out) {
      return Pass<&sqlite3_io_methods::xShmMap>(f, region, size, extend, out);
    },
    [](sqlite3_file* f, int at, int n, int flags) {
      return Pass<&sqlite3_io_methods::xShmLock>(f, at, n, flags);
    },
    [](sqlite3_file* f) { Pass<&sqlite3_io_methods::xShmBarrier>(f); },
    [](sqlite3_file* f, int remove) { return Pass<&sqlite3_io_methods::xShmUnmap>(f, remove); },
    // No memory mapping: it would get past all of the above.
    [](sqlite3_file*, sqlite3_int64, int, void** out) {
      *out = nullptr;
      return SQLITE_OK;
    },
    [](sqlite3_file*, sqlite3_int64, void*) { return SQLITE_OK; },
};

FaultDisk::FaultDisk(const std::string& folder, std::uint64_t seed)
    : impl_(std::make_shared<Impl>(folder, seed)) {
  FaultShim::Install();
  const std::lock_guard lock(FaultShim::disks_mutex);
  FaultShim::disks.push_back(impl_);
}

FaultDisk::~FaultDisk() {
  const std::lock_guard lock(FaultShim::disks_mutex);
  std::erase(FaultShim::disks, impl_);
}

void FaultDisk::Fail(const Plan& plan) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->plans_.push_back(plan);
}

void FaultDisk::FailAtRandom(double probability) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->probability_ = probability;
}

void FaultDisk::Heal() {
  const std::lock_guard lock(impl_->mutex_);
  impl_->plans_.clear();
  impl_->probability_ = 0;
  if (impl_->powered_) impl_->power_left_.reset();
}

bool FaultDisk::planned() const {
  const std::lock_guard lock(impl_->mutex_);
  return !impl_->plans_.empty();
}

std::uint64_t FaultDisk::Count(Op op, File file) const {
  const std::lock_guard lock(impl_->mutex_);
  std::uint64_t count = 0;
  for (const auto& [what, times] : impl_->counts_) {
    if (what.first == op && (file == File::kAny || what.second == file)) count += times;
  }
  return count;
}

void FaultDisk::CutPowerAfter(std::uint64_t operations) {
  const std::lock_guard lock(impl_->mutex_);
  if (operations == 0) impl_->powered_ = false;
  impl_->power_left_ = operations;
}

bool FaultDisk::powered() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->powered_;
}

void FaultDisk::RestorePower(Loss loss) {
  Heal();
  const std::lock_guard lock(impl_->mutex_);
  impl_->Restore(loss);
  impl_->power_left_.reset();
  impl_->powered_ = true;
}

void FaultDisk::CheckpointEvery(int pages) { impl_->checkpoint_pages_ = pages; }

}  // namespace tower
