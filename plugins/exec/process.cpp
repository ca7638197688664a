#include "plugins/exec/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tower::exec {
namespace {

// The limit of open files as the process was started with, read before main. HTTP raises it.
rlim_t FileLimit() noexcept {
  rlimit files{};
  return getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : RLIM_INFINITY;
}
const rlim_t file_limit_at_start = FileLimit();

struct Pipe {
  int read = -1, write = -1;
  bool Open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
  void Close() const {
    if (read >= 0) close(read);
    if (write >= 0) close(write);
  }
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// In the child, up to RunChild: async-signal-safe calls only. The program does not inherit the
// settings of this process.

void DefaultSignals() {
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &usual, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// A program may walk through all descriptors up to the limit, or use select(2).
void DefaultFileLimit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = std::min(file_limit_at_start, files.rlim_max);
  setrlimit(RLIMIT_NOFILE, &files);
}

// Including those that this process was started with.
void CloseFrom(int first) {
  if (close_range(static_cast<unsigned>(first), ~0U, 0) == 0) return;
  rlimit files{};  // Linux before 5.9
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  for (int fd = first; fd < static_cast<int>(files.rlim_cur); ++fd) close(fd);
}

// Writes the errno value to `failed` if the program cannot be started.
[[noreturn]] void RunChild(const Program& program, char* const* argv, char* const* envp,
                           const Pipe& out, const Pipe& err, int failed, pid_t parent) {
  constexpr int kFailed = STDERR_FILENO + 1;
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  DefaultSignals();
  const int null = open("/dev/null", O_RDONLY);
  if (null >= 0) dup2(null, STDIN_FILENO);
  dup2(out.write, STDOUT_FILENO);
  dup2(err.write, STDERR_FILENO);
  if (failed != kFailed) dup3(failed, kFailed, O_CLOEXEC);
  CloseFrom(kFailed + 1);
  DefaultFileLimit();
  const bool there = program.working_dir.empty() || chdir(program.working_dir.c_str()) == 0;
  if (there && getppid() == parent) execve(argv[0], argv, envp);
  const int error = errno;
  (void)!write(kFailed, &error, sizeof error);
  _exit(127);
}

void SetNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

Result<Process> Process::Start(const Program& program) {
  Pipe out, err, failed;
  if (!out.Open() || !err.Open() || !failed.Open()) {
    const Error error{ErrorCode::kUnavailable, "pipe: " + ErrnoText(errno)};
    for (const auto& each : {out, err, failed}) each.Close();
    return error;
  }
  const auto argv = Pointers(program.command);
  const auto envp = Pointers(program.environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) RunChild(program, argv.data(), envp.data(), out, err, failed.write, parent);
  const int fork_error = errno;
  for (const auto& each : {out, err, failed}) close(each.write);
  Process process(pid, out.read, err.read);
  if (pid < 0) {
    close(failed.read);
    return Error{ErrorCode::kUnavailable, "fork: " + ErrnoText(fork_error)};
  }
  // glibc's header declares it without C linkage.
  process.end_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  const int pidfd_error = errno;
  int error = 0;
  if (read(failed.read, &error, sizeof error) != sizeof error) error = 0;
  close(failed.read);
  if (process.end_ < 0) {
    return Error{ErrorCode::kUnavailable, "pidfd_open: " + ErrnoText(pidfd_error)};
  }
  if (error == 0) {
    setpgid(pid, pid);  // whoever comes first
    SetNonBlocking(out.read);
    SetNonBlocking(err.read);
    return process;
  }
  const bool lasting = error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR;
  return Error{lasting ? ErrorCode::kPermanent : ErrorCode::kUnavailable,
               "cannot run " + program.command[0] + ": " + ErrnoText(error)};
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      end_(std::exchange(other.end_, -1)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      status_(other.status_) {}

Process::~Process() {
  if (pid_ > 0) Stop(std::chrono::milliseconds(0));
  CloseOut();
  CloseErr();
  if (end_ >= 0) close(end_);
}

void Process::CloseOut() noexcept {
  if (out_ >= 0) close(std::exchange(out_, -1));
}

void Process::CloseErr() noexcept {
  if (err_ >= 0) close(std::exchange(err_, -1));
}

// Leaves a zombie, so that the id of its group is not reused before Stop.
std::optional<int> Process::Ended() noexcept {
  siginfo_t info{};
  if (status_ || waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid != pid_) {
    return status_;
  }
  status_ = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
  return status_;
}

void Process::Stop(std::chrono::milliseconds grace) noexcept {
  using std::chrono::steady_clock;
  if (pid_ <= 0) return;
  if (!Ended()) kill(-pid_, SIGTERM);
  const auto deadline = steady_clock::now() + grace;
  while (!Ended()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0 || end_ < 0) break;
    pollfd end{end_, POLLIN, 0};
    poll(&end, 1, static_cast<int>(left));
  }
  kill(-pid_, SIGKILL);  // including children that are left in the group
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::string DescribeEnd(int status) {
  if (WIFEXITED(status)) return "exit code " + std::to_string(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  const char* name = sigdescr_np(number);
  return "signal " + std::to_string(number) +
         (name != nullptr ? " (" + std::string(name) + ")" : "");
}

}  // namespace tower::exec
