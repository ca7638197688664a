#include "core/watch/watcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <optional>

#include "core/base/wakeup.h"
#include "core/watch/mapping.h"
#include "plugins/exec/lines.h"
#include "plugins/exec/process.h"
#include "plugins/exec/script.h"

namespace tower {
namespace {

using exec::Line;
using exec::Lines;
using exec::Process;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxLogLine = 4096;
constexpr milliseconds kDrainTime{200};  // for output that others of the group still hold open

// One run of the program.
class Session {
 public:
  Session(WatcherContext& tower, Mapping& mapping, Process process, std::size_t max_line)
      : tower_(tower),
        mapping_(mapping),
        process_(std::move(process)),
        out_(max_line),
        err_(kMaxLogLine) {}

  // Returns how the program ended, as waitpid(2) reports it, or nothing if stop was requested
  // first.
  Result<std::optional<int>> Run(const std::stop_token& stop) {
    const StopEvent stopped(stop);
    while (!process_.Ended() || MoreToRead()) {
      std::array<pollfd, 4> ready{{{process_.out(), POLLIN, 0},
                                   {process_.err(), POLLIN, 0},
                                   {stopped.fd(), POLLIN, 0},
                                   {drain_ ? -1 : process_.end(), POLLIN, 0}}};
      const int found = poll(ready.data(), ready.size(), drain_ ? drain_->Left() : -1);
      if (stop.stop_requested()) return std::optional<int>();
      if (found == 0) break;
      if (ready[1].revents != 0) ReadErr();
      if (ready[0].revents != 0) {
        if (auto read = ReadOut(); !read) return read.error();
      }
    }
    if (!out_.rest().empty()) {
      tower_.log.Warn("last line ignored: it has no line feed", {{"bytes", out_.rest().size()}});
      tower_.notes.Reject("the last line has no line feed");
    }
    return process_.Ended();
  }
  void Stop(milliseconds grace) { process_.Stop(grace); }
  const std::string& last_stderr_line() const noexcept { return last_stderr_line_; }

 private:
  // What is read of a program that has ended: its own remaining output, at most what a pipe holds,
  // and for a moment the output of processes that still have the pipe open.
  struct Drain {
    Clock::time_point give_up;
    std::size_t own;  // bytes
    int Left() const {
      const auto left = std::chrono::ceil<milliseconds>(give_up - Clock::now());
      return static_cast<int>(std::max(left, milliseconds(0)).count());
    }
  };

  // Whether there is output to read of a program that has ended.
  bool MoreToRead() {
    if (process_.out() < 0 && process_.err() < 0) return false;
    if (!drain_) {
      const int pipe = fcntl(process_.out(), F_GETPIPE_SZ);
      drain_ = Drain{Clock::now() + kDrainTime, static_cast<std::size_t>(std::max(pipe, 0))};
    }
    return drain_->own > 0 || drain_->Left() > 0;
  }

  // The bytes that are available now. Sets `ended` at the end of the stream.
  std::string_view Read(int fd, bool& ended) {
    const auto got = read(fd, buffer_.data(), buffer_.size());
    if (drain_ && got > 0 && fd == process_.out()) {
      drain_->own -= std::min(drain_->own, static_cast<std::size_t>(got));
    }
    ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    return {buffer_.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
  }

  void ReadErr() {
    bool ended = false;
    for (auto& line : err_.Take(Read(process_.err(), ended))) {
      tower_.log.Info("program output", {{"text", line.text}});
      last_stderr_line_ = std::move(line.text);
    }
    if (ended) process_.CloseErr();
  }

  Status ReadOut() {
    bool ended = false;
    std::vector<Trigger> batch;
    for (const auto& line : out_.Take(Read(process_.out(), ended))) {
      if (line.too_long) {
        Reject(line, "is longer than max-line");
      } else if (mapping_.given()) {
        Map(line, batch);
      } else if (auto trigger = Trigger::Parse(line.text)) {
        batch.push_back(std::move(*trigger));
      } else {
        Reject(line, Describe(trigger.error()));
      }
    }
    if (ended) process_.CloseOut();
    return Put(batch);
  }

  void Map(const Line& line, std::vector<Trigger>& batch) {
    auto triggers = mapping_.Apply(line.text, "line " + std::to_string(line.number));
    if (!triggers) return Reject(line, triggers.error().message);
    if (triggers->empty())
      tower_.log.Debug("line ignored: the mapping returned nil", {{"line", line.number}});
    std::move(triggers->begin(), triggers->end(), std::back_inserter(batch));
  }

  void Reject(const Line& line, const std::string& why) {
    tower_.log.Warn("line rejected", {{"line", line.number}, {"error", why}});
    tower_.notes.Reject("line " + std::to_string(line.number) + ": " + why);
  }

  // Lines that arrive together are put together; if one is rejected, each is put by itself.
  Status Put(std::span<const Trigger> batch) {
    if (batch.empty()) return Ok();
    auto put = tower_.queue.Put(batch);
    if (put || !put.error().of_event()) return put;
    if (batch.size() > 1) {
      for (const auto& trigger : batch) {
        if (auto one = Put(std::span(&trigger, 1)); !one) return one;
      }
      return Ok();
    }
    tower_.log.Warn("trigger rejected", {{"error", put.error()}});
    tower_.notes.Reject(put.error().message);
    return Ok();
  }

  WatcherContext& tower_;
  Mapping& mapping_;
  Process process_;
  Lines out_, err_;
  std::string last_stderr_line_;
  std::optional<Drain> drain_;  // once the program has ended
  std::array<char, 65536> buffer_{};
};

class ExecWatcher final : public Watcher {
 public:
  static void Declare(OptionSet& options, ExecWatcher& self) {
    options
        .Add("command", &self.command_,
             "Absolute path of the program, then its arguments, each as a separate value.")
        .Required();
    options.Add("shell", &self.shell_, "Run the command, a single value, with `/bin/sh -c`.");
    options.Add("environment", &self.environment_,
                "The whole environment of the program: `NAME=VALUE`, or `NAME` to pass on a "
                "variable of control-tower.");
    options.Add("working-dir", &self.working_dir_, "Working directory of the program.");
    options
        .Add("interval", &self.interval_,
             "Time from one start of the program to the next. 0s: the program runs permanently, "
             "and its end is an error.")
        .Range(0, 366LL * 86'400 * 1000);
    options
        .Add("grace", &self.grace_, "Time between SIGTERM and SIGKILL when the program is stopped.")
        .Range(0, 60'000);
    options.Add("max-line", &self.max_line_, "Maximum length of a line. Longer lines are refused.")
        .Range(1024, 64LL << 20U);
    self.mapping_.Declare(options);
    options.Check({"command", "shell"}, [&self] { return self.CheckCommand(); });
    options.Check({"environment"}, [&self] { return self.CheckEnvironment(); });
    options.CheckWorld({"command", "shell"}, [&self] { return self.FindProgram(); });
    options.CheckWorld({"command", "shell", "working-dir"}, [&self] { return self.FindScript(); });
    options.CheckWorld({"working-dir"}, [&self] { return self.FindFolder(); });
  }

  Status Run(WatcherContext& tower, std::stop_token stop) override {
    mapping_.OnPrint([log = tower.log](std::string_view line) {
      log.Info("map output", {{"text", line}});
    });
    if (auto loaded = mapping_.Load(); !loaded) return loaded.error();
    while (!stop.stop_requested()) {
      const auto began = Clock::now();
      auto process = Process::Start(MakeProgram());
      if (!process) {
        auto error = process.error();
        error.message += HintOf(command_[0]);
        return error;
      }
      Session session(tower, mapping_, std::move(*process), max_line_.bytes);
      auto ended = session.Run(stop);
      session.Stop(grace_);
      if (!ended) return ended.error();
      if (!*ended) return Ok();
      if (**ended != 0 || interval_.count() == 0)
        return EndError(**ended, session.last_stderr_line());
      tower.ReportSuccess();
      const auto left = std::chrono::ceil<milliseconds>(began + interval_ - Clock::now());
      if (left.count() > 0) WatcherContext::Sleep(left, stop);
    }
    return Ok();
  }

  Mapping* mapping() override { return &mapping_; }

 private:
  static bool IsFile(const std::string& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
  }

  // For a command line given as the name of the program.
  std::string HintOf(const std::string& program) const {
    const auto space = program.find(' ');
    if (shell_ || space == std::string::npos || IsFile(program)) return "";
    if (!IsFile(program.substr(0, space))) return "";
    return "; the program and each of its arguments must be separate values: \"" +
           program.substr(0, space) + "\", then \"" + program.substr(space + 1) +
           "\"; or set shell";
  }

  Status CheckCommand() const {
    const auto fault = [](std::string text) { return Error{ErrorCode::kInvalid, std::move(text)}; };
    if (shell_ && command_.size() != 1) return fault("with shell, command must be one text");
    if (!shell_ && !command_.empty() && !command_[0].starts_with('/')) {
      return fault("command must begin with the absolute path of a program: " + command_[0]);
    }
    return Ok();
  }

  Status CheckEnvironment() const {
    for (const auto& variable : environment_) {
      if (variable.empty() || variable[0] == '=') {
        return Error{ErrorCode::kInvalid, "environment must be NAME=VALUE or NAME"};
      }
      if (variable.find('=') == std::string::npos && IsOurVariable(variable)) {
        return Error{ErrorCode::kInvalid,
                     "environment must not hand on " + variable +
                         ", an option of control-tower, which may hold a "
                         "secret; give the program one of its own: NAME=VALUE"};
      }
    }
    return Ok();
  }

  Status FindProgram() const {
    const std::string program = MakeProgram().command[0];
    struct stat info {};
    std::string why;
    if (stat(program.c_str(), &info) != 0) {
      why = ErrnoText(errno);
    } else if (!S_ISREG(info.st_mode)) {
      why = "not a regular file";
    } else if (access(program.c_str(), X_OK) != 0) {
      why = ErrnoText(errno);
    } else {
      return Ok();
    }
    return Error{ErrorCode::kUnavailable, program + ": " + why + HintOf(program)};
  }

  // The script of an interpreter, if the command line names it plainly.
  Status FindScript() const {
    if (shell_ || !exec::IsInterpreter(command_[0])) return Ok();
    const auto script = exec::ScriptOf(command_);
    if (script.empty()) return Ok();
    const auto path =
        script[0] == '/' || working_dir_.empty() ? script : working_dir_ + "/" + script;
    if (access(path.c_str(), R_OK) == 0) return Ok();
    return Error{ErrorCode::kUnavailable, "command: " + path + ": " + ErrnoText(errno)};
  }

  Status FindFolder() const {
    struct stat info {};
    if (working_dir_.empty() || (stat(working_dir_.c_str(), &info) == 0 && S_ISDIR(info.st_mode))) {
      return Ok();
    }
    return Error{ErrorCode::kUnavailable, working_dir_ + ": not a folder"};
  }

  exec::Program MakeProgram() const {
    exec::Program program{command_, {}, working_dir_};
    if (shell_) program.command = {"/bin/sh", "-c", command_[0]};
    for (const auto& variable : environment_) {
      if (variable.find('=') != std::string::npos) {
        program.environment.push_back(variable);
      } else if (const char* value = std::getenv(variable.c_str())) {
        program.environment.push_back(variable + "=" + value);
      }
    }
    return program;
  }

  Error EndError(int status, const std::string& last_stderr_line) const {
    std::string text = "the program ended with " + exec::DescribeEnd(status);
    if (!last_stderr_line.empty()) text += ": " + last_stderr_line;
    if (status == 0) text += "; set interval if the program is meant to end";
    return {ErrorCode::kUnavailable, text};
  }

  std::vector<std::string> command_, environment_;
  bool shell_ = false;
  std::string working_dir_;
  milliseconds interval_{0};
  milliseconds grace_{1000};
  ByteSize max_line_{1U << 20U};
  Mapping mapping_;
};

REGISTER_WATCHER(ExecWatcher, "exec",
                 "Runs a program and takes each line that it prints as a trigger, or as an event.");

}  // namespace
}  // namespace tower
