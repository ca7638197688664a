#include "plugins/file/notice/source.h"

#include <catch2/catch_test_macros.hpp>
#include <filesystem>

#include "test/support/temp_dir.h"

namespace tower::file {
namespace {

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
