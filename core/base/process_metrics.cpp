#include "core/base/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>

namespace tower {
namespace {

// Fields of /proc/self/stat (proc(5)) after the program's name, which may contain any character.
struct Stat {
  std::uint64_t start_ticks = 0;  // since boot
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_pages = 0;
};

std::optional<Stat> ReadStat() {
  constexpr int kFirst = 3, kStart = 22;  // field numbers in proc(5)
  std::ifstream file("/proc/self/stat");
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = kFirst; i < kStart; ++i) fields >> skipped;
  Stat stat;
  if (!(fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages)) {
    return std::nullopt;
  }
  return stat;
}

// The boot time in seconds since 1970.
std::optional<double> ReadBootTime() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

std::optional<double> CountOpenFiles() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), &closedir);
  if (!folder) return std::nullopt;
  double count = -1;  // excludes the descriptor of the folder itself
  while (const dirent* entry = readdir(folder.get())) {
    if (entry->d_name[0] != '.') ++count;
  }
  return count;
}

std::optional<double> CpuSeconds() {
  timespec time{};
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return std::nullopt;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::optional<double> MaxFiles() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) {
    return std::nullopt;
  }
  return static_cast<double>(files.rlim_cur);
}

// Cached, because it does not change during the life of the process.
std::optional<double> StartTime(const std::optional<Stat>& stat) {
  static const auto boot = ReadBootTime();
  if (!stat || !boot) return std::nullopt;
  return *boot + static_cast<double>(stat->start_ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void Append(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            const std::optional<double>& value, const char* format) {
  if (!value) return;
  std::array<char, 64> number{};
  std::snprintf(number.data(), number.size(), format, *value);
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
  out.append(" ").append(type).append("\n").append(name).append(" ").append(number.data()) += '\n';
}

}  // namespace

std::string RenderProcessMetrics() {
  const auto stat = ReadStat();
  const auto of_stat = [&stat](auto read) {
    return stat ? std::optional(static_cast<double>(read(*stat))) : std::nullopt;
  };
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  std::string out;
  Append(out, "process_cpu_seconds_total", "counter",
         "Total user and system CPU time spent in seconds.", CpuSeconds(), "%.6f");
  Append(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.", MaxFiles(),
         "%.0f");
  Append(out, "process_open_fds", "gauge", "Number of open file descriptors.", CountOpenFiles(),
         "%.0f");
  Append(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
         of_stat([page](const Stat& s) { return s.resident_pages * page; }), "%.0f");
  Append(out, "process_start_time_seconds", "gauge",
         "Start time of the process since unix epoch in seconds.", StartTime(stat), "%.2f");
  Append(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
         of_stat([](const Stat& s) { return s.virtual_bytes; }), "%.0f");
  return out;
}

}  // namespace tower
