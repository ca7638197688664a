// The parts that the watcher is made of, where the watcher itself can't reach a case.
#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <set>

#include "plugins/file/files.h"
#include "plugins/file/ledger.h"
#include "plugins/file/source.h"
#include "test/plugins/file/inbox.h"

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

TEST_CASE("files below a folder are opened without following links, old kernels too", "[file]") {
  TempDir dir;
  dir.Write("secret.json", "secret");
  dir.Write("in/deep/a.json", "A");
  std::filesystem::create_symlink("a.json", dir / "in/deep/link.json");
  std::filesystem::create_symlink("../secret.json", dir / "in/out.json");
  std::filesystem::create_directory_symlink("deep", dir / "in/shortcut");
  const auto root = OpenFolder(dir / "in");
  REQUIRE(root);
  const auto open = GENERATE(&OpenBelow, &OpenBelowStepwise);
  auto file = open(root->get(), "deep/a.json", 0);
  REQUIRE(file);
  CHECK(ReadAll(file->get(), 10).value() == "A");
  CHECK(open(root->get(), "", O_DIRECTORY));
  CHECK(open(root->get(), "deep", O_DIRECTORY));
  CHECK(open(root->get(), "deep/link.json", 0).error().code == ErrorCode::kInvalid);
  CHECK(open(root->get(), "out.json", 0).error().code == ErrorCode::kInvalid);
  CHECK_FALSE(open(root->get(), "shortcut/a.json", 0));
  CHECK_FALSE(open(root->get(), "../secret.json", 0));
  CHECK_FALSE(open(root->get(), "deep/../../secret.json", 0));
  CHECK(open(root->get(), "missing.json", 0).error().code == ErrorCode::kNotFound);
}

TEST_CASE("a file is read up to the limit", "[file]") {
  TempDir dir;
  const std::string text(300'000, 'x');
  const Fd fd(open(dir.Write("a", text).c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(ReadAll(fd.get(), 300'000).value() == text);
  CHECK(ReadAll(fd.get(), 299'999).error().code == ErrorCode::kInvalid);
}

TEST_CASE("a move finds a free name, however long it is", "[file]") {
  TempDir dir;
  const std::string name = GENERATE(std::string("a.json"), std::string(250, 'n') + ".json",
                                    std::string("plain"), std::string(255, 'n'));
  std::filesystem::create_directory(dir / "done");
  const auto folder = OpenFolder(dir.path().string()), done = OpenFolder(dir / "done");
  std::set<std::string> names;
  for (int i = 0; i < 4; ++i) {
    dir.Write(name, "same");
    timespec times[2] = {};
    times[1].tv_sec = 1'700'000'000;
    REQUIRE(utimensat(folder->get(), name.c_str(), times, 0) == 0);
    const auto info = Inspect(folder->get(), name);
    REQUIRE(info);
    auto moved = MoveInto(folder->get(), name, done->get(), name, info->version);
    REQUIRE(moved);
    names.insert(*moved);
    CHECK(moved->ends_with(std::filesystem::path(name).extension().string()));
  }
  CHECK(names.size() == 4);
  CHECK(names.count(name) == 1);
}

TEST_CASE("a file that changed since is neither moved nor deleted", "[file]") {
  TempDir dir;
  dir.Write("a", "one");
  std::filesystem::create_directory(dir / "done");
  const auto folder = OpenFolder(dir.path().string()), done = OpenFolder(dir / "done");
  const auto info = Inspect(folder->get(), "a");
  dir.Write("a", "another");
  auto moved = MoveInto(folder->get(), "a", done->get(), "a", info->version);
  CHECK(moved.error().code == ErrorCode::kConflict);
  CHECK(Delete(folder->get(), "a", info->version).error().code == ErrorCode::kConflict);
  CHECK(ReadFile(dir / "a") == "another");
  CHECK(Delete(folder->get(), "a", Inspect(folder->get(), "a")->version));
  CHECK_FALSE(std::filesystem::exists(dir / "a"));
  CHECK(std::filesystem::is_empty(dir / "done"));
}

TEST_CASE("a rename never overwrites, where the kernel can't promise that too", "[file]") {
  TempDir dir;
  const auto folder = OpenFolder(dir.path().string());
  const auto rename_new = GENERATE(&RenameNew, &RenameNewByPlaceholder);
  dir.Write("a", "A");
  dir.Write("b", "B");
  CHECK(rename_new(folder->get(), "a", folder->get(), "b") == EEXIST);
  CHECK(rename_new(folder->get(), "missing", folder->get(), "c") == ENOENT);
  CHECK_FALSE(std::filesystem::exists(dir / "c"));
  CHECK(rename_new(folder->get(), "a", folder->get(), "c") == 0);
  CHECK(ReadFile(dir / "c") == "A");
  CHECK(ReadFile(dir / "b") == "B");
  CHECK_FALSE(std::filesystem::exists(dir / "a"));
}

TEST_CASE("what was handled is written and read back", "[file]") {
  const Handled handled{.version = {1, UINT64_MAX, -5},
                        .device = 7,
                        .digest = std::string(64, 'a'),
                        .refused = GENERATE(true, false)};
  const auto back = Decode(Encode(handled));
  REQUIRE(back);
  CHECK(back->version == handled.version);
  CHECK(back->device == 7);
  CHECK(back->digest == handled.digest);
  CHECK(back->refused == handled.refused);
  CHECK(Decode(Encode({.version = {}, .digest = {}}))->digest.empty());
  for (const auto* bad : {"", "1", "2 handled 1 2 3 4 -", "1 handled 1 2 3 x -",
                          "1 handled 1 2 3 4 - -", "1 other 1 2 3 4 -", "1 handled 1 2 3 4"}) {
    INFO(bad);
    CHECK_FALSE(Decode(bad));
  }
}

TEST_CASE("a checkpoint of something else ends the watcher for good", "[file]") {
  Inbox inbox;
  const std::vector<CheckpointChange> changes = {{"cursor", "42"}};
  REQUIRE(inbox.queue->Put({}, {.source = "test", .checkpoints = changes}));
  auto& watcher = inbox.Watch();
  CHECK(Eventually([&] { return watcher.ended(); }));
  CHECK(watcher.Stop().error().code == ErrorCode::kPermanent);
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

TEST_CASE("a path is split where its globs begin", "[file]") {
  TempDir dir;
  std::filesystem::create_directory(dir / "folder");
  Settings settings;
  const auto at = dir.path().string();
  const Source folder(at + "/folder/", settings), file(at + "/a.json", settings),
      glob(at + "/*/out/?.json", settings), escaped(at + "/a\\*.json", settings);
  CHECK(folder.root() == at + "/folder");
  CHECK(folder.OnlyName().empty());
  CHECK(folder.WantsFile("", "a.json"));
  CHECK_FALSE(folder.WantsFolder("", "deep"));
  CHECK(file.root() == at);
  CHECK(file.OnlyName() == "a.json");
  CHECK(file.WantsFile("", "a.json"));
  CHECK_FALSE(file.WantsFile("", "b.json"));
  CHECK(glob.root() == at);
  CHECK(glob.WantsFolder("", "x"));
  CHECK(glob.WantsFolder("x", "out"));
  CHECK_FALSE(glob.WantsFolder("x", "in"));
  CHECK(glob.WantsFile("x/out", "1.json"));
  CHECK_FALSE(glob.WantsFile("x/out", "10.json"));
  CHECK_FALSE(glob.WantsFile("x", "1.json"));
  CHECK(glob.Reaches("x/out/1.json"));
  CHECK_FALSE(glob.Reaches("x/in/1.json"));
  CHECK_FALSE(file.Reaches("a.json/b.json"));
  CHECK(escaped.OnlyName() == "a*.json");
  CHECK_FALSE(escaped.WantsFile("", "ab.json"));
  CHECK(Source("relative", settings).path() ==
        (std::filesystem::current_path() / "relative").string());
}

}  // namespace
}  // namespace tower::file
