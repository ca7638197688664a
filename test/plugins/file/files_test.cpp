#include "plugins/file/files.h"

#include <fcntl.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <filesystem>

#include "test/support/temp_dir.h"

namespace tower::file {
namespace {

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

}  // namespace
}  // namespace tower::file
