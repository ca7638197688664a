// Something to poll(2) on: lets one thread wait for a socket and for another thread at once.
#ifndef CORE_WAKEUP_H_
#define CORE_WAKEUP_H_

namespace tower {

// An eventfd(2). Signal is thread-safe and async-signal-safe; Clear belongs to the one thread that
// waits.
class Wakeup {
 public:
  Wakeup();  // throws std::system_error when the process is out of file descriptors
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  int fd() const noexcept { return fd_; }  // readable once signalled, until cleared
  void Signal() noexcept;
  void Clear() noexcept;

 private:
  int fd_;
};

}  // namespace tower

#endif  // CORE_WAKEUP_H_
