// A child process in a process group of its own.
#ifndef PLUGINS_EXEC_PROCESS_H_
#define PLUGINS_EXEC_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace tower::exec {

struct Program {
  std::vector<std::string> command;      // the first one is the absolute path of the program
  std::vector<std::string> environment;  // NAME=VALUE, all that it sees
  std::string working_dir;               // empty: that of this process
};

// Used by the thread that started it: the kernel kills the process when that thread ends.
class Process {
 public:
  // The program has default signal dispositions, the limit of open files that this process was
  // started with, and only the descriptors 0, 1 and 2. kPermanent: the program does not exist or
  // cannot be run.
  static Result<Process> Start(const Program& program);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();  // kills the whole group, and waits

  int out() const noexcept { return out_; }  // its standard output, non-blocking
  int err() const noexcept { return err_; }  // its standard error, the same
  int end() const noexcept { return end_; }  // readable once the process has ended
  void CloseOut() noexcept;
  void CloseErr() noexcept;

  // How it ended, as waitpid(2) reports it; nothing while it runs. Not to be called after Stop.
  std::optional<int> Ended() noexcept;
  // Sends SIGTERM to the group, and SIGKILL after `grace` if it still exists.
  void Stop(std::chrono::milliseconds grace) noexcept;

 private:
  Process(pid_t pid, int out, int err) : pid_(pid), out_(out), err_(err) {}
  pid_t pid_;
  int end_ = -1;  // a pidfd
  int out_, err_;
  std::optional<int> status_;
};

// "exit code 3", "signal 11 (Segmentation fault)".
std::string DescribeEnd(int status);

}  // namespace tower::exec

#endif  // PLUGINS_EXEC_PROCESS_H_
