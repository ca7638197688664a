// What the tests of the plugin share: a folder to drop files into, and a watcher of it.
#ifndef TEST_PLUGINS_FILE_INBOX_H_
#define TEST_PLUGINS_FILE_INBOX_H_

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "test/support/temp_dir.h"
#include "test/support/watcher_harness.h"

namespace tower::file {

using Strings = std::vector<std::string>;

// A trigger whose protocol tells it apart.
inline std::string TriggerJson(std::string_view protocol) {
  return R"({"apiVersion":"OT-2/v1alpha1","protocol":")" + std::string(protocol) +
         R"(","spec":{}})";
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Moves the time of a file's last change by seconds.
inline void Age(const std::string& path, std::int64_t seconds) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  timespec times[2] = {status.st_atim, status.st_mtim};
  times[1].tv_sec -= seconds;
  REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

// Looks at everything happen only at the start and after an overflow, unless an option says
// otherwise.
class Inbox {
 public:
  Inbox() { std::filesystem::create_directory(path()); }

  std::string path() const { return dir / "inbox"; }
  std::string operator/(std::string_view name) const { return path() + "/" + std::string(name); }

  // Writes the file in place. TriggerJson(protocol) unless there is a content.
  void Write(std::string_view name, std::string_view protocol) const {
    WriteText(name, TriggerJson(protocol));
  }
  void WriteText(std::string_view name, std::string_view text) const {
    dir.Write("inbox/" + std::string(name), text);
  }
  // Writes it elsewhere and moves it in.
  void Drop(std::string_view name, std::string_view protocol) const {
    const auto elsewhere = dir.Write("elsewhere", TriggerJson(protocol));
    std::filesystem::rename(elsewhere, *this / name);
  }
  bool Has(std::string_view name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(*this / name));
  }
  bool Loses(std::string_view name) const {
    return Eventually([&] { return !Has(name); });
  }

  // A watcher of the inbox that runs.
  WatcherHarness& Watch(WatcherHarness::Options options = {}) {
    Make(std::move(options)).Start();
    return *watcher;
  }
  WatcherHarness& Make(WatcherHarness::Options options = {}) {
    WatcherHarness::Options all = {{"path", {path()}},
                                   {"settle", {"1ms"}},
                                   {"rescan-interval", {"1h"}},
                                   {"on-failure", {"keep"}}};
    for (auto& option : options) all.push_back(std::move(option));
    watcher.reset();
    watcher = std::make_unique<WatcherHarness>(queue, "file", all);
    return *watcher;
  }
  // A file that comes after all others, and whether it is the only one that is taken.
  bool NothingMore() {
    const std::string name = "sentinel" + std::to_string(++sentinels_);
    Drop(name + ".json", name);
    return queue.TakeProtocols(1) == Strings{name} && queue.Empty();
  }

  TempDir dir;
  TestQueue queue;
  CapturedLogs logs;
  std::unique_ptr<WatcherHarness> watcher;

 private:
  int sentinels_ = 0;
};

}  // namespace tower::file

#endif  // TEST_PLUGINS_FILE_INBOX_H_
