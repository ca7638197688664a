#include "plugins/exec/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tower::exec {
namespace {

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

// In the child: async-signal-safe calls only. Says through `failed` why there is no program.
[[noreturn]] void RunChild(const Program& program, char* const* argv, char* const* envp,
                           const Pipe& out, const Pipe& err, int failed, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  const int null = open("/dev/null", O_RDONLY);
  if (null >= 0) dup2(null, STDIN_FILENO);
  dup2(out.write, STDOUT_FILENO);
  dup2(err.write, STDERR_FILENO);
  const bool there = program.working_dir.empty() || chdir(program.working_dir.c_str()) == 0;
  if (there && getppid() == parent) execve(argv[0], argv, envp);
  const int error = errno;
  (void)!write(failed, &error, sizeof error);
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
  int error = 0;
  if (pid > 0 && read(failed.read, &error, sizeof error) != sizeof error) error = 0;
  close(failed.read);
  if (pid > 0 && error == 0) {
    setpgid(pid, pid);  // whoever comes first
    SetNonBlocking(out.read);
    SetNonBlocking(err.read);
    return Process(pid, out.read, err.read);
  }
  close(out.read);
  close(err.read);
  if (pid < 0) return Error{ErrorCode::kUnavailable, "fork: " + ErrnoText(fork_error)};
  waitpid(pid, nullptr, 0);
  const bool lasting = error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR;
  return Error{lasting ? ErrorCode::kPermanent : ErrorCode::kUnavailable,
               "cannot run " + program.command[0] + ": " + ErrnoText(error)};
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      status_(other.status_) {}

Process::~Process() {
  if (pid_ > 0) Stop(std::chrono::milliseconds(0));
  CloseOut();
  CloseErr();
}

void Process::CloseOut() noexcept {
  if (out_ >= 0) close(std::exchange(out_, -1));
}

void Process::CloseErr() noexcept {
  if (err_ >= 0) close(std::exchange(err_, -1));
}

// Leaves it a zombie, so that its group's number stays its own until Stop.
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
  constexpr int kLook = 10;  // ms
  if (pid_ <= 0) return;
  if (!Ended()) kill(-pid_, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + grace;
  while (!Ended() && std::chrono::steady_clock::now() < deadline) poll(nullptr, 0, kLook);
  kill(-pid_, SIGKILL);  // also what it has left behind in its group
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
