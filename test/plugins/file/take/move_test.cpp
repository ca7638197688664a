#include "plugins/file/take/move.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <filesystem>
#include <set>

#include "test/plugins/file/inbox.h"

namespace tower::file {
namespace {

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

}  // namespace
}  // namespace tower::file
