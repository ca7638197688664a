#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <iostream>
#include <stdexcept>

#include "app/cli.h"
#include "app/tower.h"

namespace tower {
namespace {

// If a standard stream is closed at the start, the next opened file would get its descriptor and
// receive the output. Opens a placeholder that can be neither read nor written.
void OccupyStandardStreams() {
  int fd = 0;
  do fd = open("/", O_PATH | O_DIRECTORY);
  while (fd >= STDIN_FILENO && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) close(fd);
}

// Waits for the next of `signals`. Until the tower is ready, checks its readiness regularly, to log
// when it becomes ready.
int NextSignal(const sigset_t& signals, Tower& tower) {
  int wait_ms = 10;
  while (!tower.RecordReadiness()) {
    const timespec time{wait_ms / 1000, wait_ms % 1000 * 1'000'000L};
    if (const int signal = sigtimedwait(&signals, nullptr, &time); signal > 0) return signal;
    wait_ms = std::min(2 * wait_ms, 1000);
  }
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

// Runs the tower until a signal, and stops it. SIGHUP reloads.
int Run(Setup& setup, const std::function<Configured()>& configure) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // inherited by every thread
  ConfigureLogs(setup.settings.level(), setup.settings.format());
  std::atomic<bool> failed = false;
  Tower tower(setup, [&failed] {
    if (!failed.exchange(true)) kill(getpid(), SIGTERM);
  });
  if (const auto started = tower.Start(); !started) {
    Logger().Error("could not start", {{"error", started.error()}});
    return started.error().code == ErrorCode::kInvalid ? kExitUsage : kExitFailed;
  }
  while (NextSignal(signals, tower) == SIGHUP) tower.Reload(configure);
  const bool gave_up = failed.exchange(true);  // from here on failures of watchers are ignored
  ::signal(SIGHUP, SIG_IGN);
  // A second signal ends the process immediately. It needs a handler, because process 1 of a
  // container has no default action.
  for (const int second : {SIGINT, SIGTERM}) ::signal(second, [](int) { _exit(kExitFailed); });
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  tower.Stop();
  return gave_up ? kExitFailed : kExitStopped;
}

}  // namespace
}  // namespace tower

int main(int argc, char** argv) try {
  tower::OccupyStandardStreams();
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::signal(signal, SIG_IGN);  // write reports the error
  mallopt(M_ARENA_MAX, 4);  // otherwise each of a hundred threads could have its own heap
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
  // Setting one threshold disables the dynamic adjustment of both. Without this value each batch
  // would be mapped again, with a page fault for each page.
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  const auto kinds = tower::WatcherKind::All();
  if (!kinds) throw std::runtime_error(kinds.error().message);
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const auto environment = tower::ReadEnvironment();
  tower::ForgetOurVariables();
  const auto todo = tower::RunCli(arguments, environment, *kinds, tower::TryBroker, std::cin,
                                  std::cout, std::cerr);
  const auto again = [&] { return tower::Configure(arguments, environment, *kinds); };
  return todo.run ? tower::Run(*todo.run, again) : todo.exit_code;
} catch (const std::exception& error) {
  std::cerr << "control-tower: " << error.what() << "\n";
  return tower::kExitFailed;
}
