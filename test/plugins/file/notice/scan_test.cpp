#include "plugins/file/notice/scan.h"

#include <catch2/catch_test_macros.hpp>
#include <filesystem>

#include "plugins/file/notice/polling.h"
#include "test/support/temp_dir.h"

namespace tower::file {
namespace {

TEST_CASE("file systems without inotify events are polled", "[file]") {
  for (const std::uint64_t type : {0x6969ULL, 0x517BULL, 0xFF534D42ULL, 0xFFFFFFFFFF534D42ULL,
                                   0xFE534D42ULL, 0x01021997ULL, 0x65735546ULL}) {
    CHECK(NeedsPolling(type));
  }
  // ext4, XFS, btrfs, tmpfs, overlayfs.
  for (const std::uint64_t type :
       {0xEF53ULL, 0x58465342ULL, 0x9123683EULL, 0x01021994ULL, 0x794C7630ULL}) {
    CHECK_FALSE(NeedsPolling(type));
  }
}

TEST_CASE("an empty folder on another device may be a share that is not mounted", "[file]") {
  TempDir dir;
  Settings settings;
  settings.recursive = true;
  const Source source(dir.path().string(), settings);
  std::filesystem::create_directory(dir / "share");
  dir.Write("used/a.json", "A");
  Scan scan(source, "",
            {.on_folder = [](int, const std::string&) {},
             .on_file = [](const std::string&, const Version&) { return true; },
             .on_fault = [](const std::string&, const Error&) {}});
  const auto root = OpenFolder(dir.path().string());
  std::vector<Found> found;
  CHECK_FALSE(scan.Next(root->get(), 10, {}, found));
  CHECK(found.size() == 1);
  CHECK(scan.clean());
  const auto device = Inspect(root->get())->device;
  CHECK(scan.MayBeUnmounted("share/x.json", device + 1));
  CHECK(scan.MayBeUnmounted("share/deep/x.json", device + 1));
  CHECK_FALSE(scan.MayBeUnmounted("share/x.json", device));
  CHECK_FALSE(scan.MayBeUnmounted("used/x.json", device + 1));
  CHECK_FALSE(scan.MayBeUnmounted("x.json", device + 1));
}

TEST_CASE("a look goes in steps", "[file]") {
  TempDir dir;
  for (int i = 0; i < 25; ++i)
    dir.Write(std::to_string(i % 3) + "/" + std::to_string(i) + ".json", "");
  Settings settings;
  settings.recursive = true;
  const Source source(dir.path().string(), settings);
  Scan scan(source, "",
            {.on_folder = [](int, const std::string&) {},
             .on_file = [](const std::string& name, const Version&) { return name != "0/0.json"; },
             .on_fault = [](const std::string&, const Error&) {}});
  const auto root = OpenFolder(dir.path().string());
  std::size_t all = 0;
  for (bool more = true; more;) {
    std::vector<Found> found;
    more = scan.Next(root->get(), 10, {}, found);
    CHECK(found.size() <= 10);
    all += found.size();
  }
  CHECK(all == 24);
}

}  // namespace
}  // namespace tower::file
