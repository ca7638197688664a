// The control-tower binary (TOWER_BINARY) as a child process.
#ifndef TEST_SUPPORT_TOWER_PROCESS_H_
#define TEST_SUPPORT_TOWER_PROCESS_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "test/support/eventually.h"
#include "test/support/http_client.h"
#include "test/support/temp_dir.h"

namespace tower {

// An environment variable that `make test` sets; throws when it is missing.
inline std::string RequiredVariable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr)
    throw std::runtime_error(std::string(name) + " is not set: use `make test`");
  return value;
}

inline std::string ReadFile(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Killed at the end of the scope if it still runs.
class TowerProcess {
 public:
  using Variables = std::vector<std::pair<std::string, std::string>>;

  // Its standard output and error go to files in `folder`. Of this process's environment it sees
  // only what the sanitizers read. With a `wrapper`, a command that runs it is started.
  TowerProcess(const TempDir& folder, std::vector<std::string> arguments,
               const Variables& variables = {}, std::vector<std::string> wrapper = {})
      : out_(folder / "stdout"), err_(folder / "stderr") {
    arguments.insert(arguments.begin(), RequiredVariable("TOWER_BINARY"));
    arguments.insert(arguments.begin(), wrapper.begin(), wrapper.end());
    std::vector<std::string> environment;
    for (const auto& [name, value] : variables) environment.push_back(name + "=" + value);
    for (char** variable = environ; *variable != nullptr; ++variable) {
      if (std::strstr(*variable, "SAN_OPTIONS=") != nullptr) environment.emplace_back(*variable);
    }
    std::vector<char*> argv;
    std::vector<char*> envp;
    for (auto& argument : arguments) argv.push_back(argument.data());
    for (auto& variable : environment) envp.push_back(variable.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    std::remove(out_.c_str());  // of a process before this one
    std::remove(err_.c_str());
    pid_ = fork();
    if (pid_ != 0) return;
    Redirect(out_, STDOUT_FILENO);
    Redirect(err_, STDERR_FILENO);
    execvpe(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  ~TowerProcess() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Wait();
    }
  }
  TowerProcess(const TowerProcess&) = delete;
  TowerProcess& operator=(const TowerProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int signal) const {
    if (pid_ > 0) kill(pid_, signal);  // -1 would be everyone
  }
  std::string out() const { return ReadFile(out_); }
  std::string err() const { return ReadFile(err_); }

  // The port that it logged once HTTP listens; throws when the process ends or a minute passes
  // first.
  int Port() {
    if (port_ != 0) return port_;
    const std::string field = "\"port\":";
    const bool found = Eventually([&] {
      const auto log = err();
      const auto at = log.find(field);
      if (at != std::string::npos && log.find('\n', at) != std::string::npos) {
        port_ = std::atoi(log.c_str() + at + field.size());
      }
      return port_ != 0 || Ended();
    });
    if (!found || port_ == 0) throw std::runtime_error("control-tower did not start: " + err());
    return port_;
  }
  HttpAnswer Get(const std::string& path) {
    auto answer = RawHttpClient(Port()).Request("GET", path);
    if (!answer) throw std::runtime_error("no answer to GET " + path);
    return *answer;
  }
  HttpAnswer Post(const std::string& body, const std::string& headers = {}) {
    auto answer = RawHttpClient(Port()).PostJson("/triggers", body, headers);
    if (!answer) throw std::runtime_error("no answer to POST /triggers");
    return *answer;
  }
  bool BecomesReady() {
    return Eventually([&] { return Get("/readyz").status == 200; });
  }

  // Exit code; 128 + signal when one ended it. Nothing when it still runs after the deadline.
  std::optional<int> ExitCode(std::chrono::seconds deadline = std::chrono::seconds(60)) {
    if (!Eventually([&] { return Ended(); }, deadline)) return std::nullopt;
    return code_;
  }
  std::optional<int> Stop() {
    Signal(SIGTERM);
    return ExitCode();
  }

 private:
  static void Redirect(const std::string& path, int to) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, to);
    close(fd);
  }
  bool Ended() {
    if (pid_ <= 0) return true;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
    Note(status);
    return true;
  }
  void Wait() {
    int status = 0;
    if (waitpid(pid_, &status, 0) == pid_) Note(status);
  }
  void Note(int status) {
    pid_ = -1;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  const std::string out_, err_;
  pid_t pid_ = -1;
  int port_ = 0;
  int code_ = -1;
};

}  // namespace tower

#endif  // TEST_SUPPORT_TOWER_PROCESS_H_
