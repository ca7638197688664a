// make new-plugin: what it refuses, and what it leaves alone. That what it writes builds and passes
// is shown by new-plugin-tests, which is built from it.
#include <stdlib.h>
#include <sys/wait.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

// A top folder without anything in it.
struct Top {
  TempDir folder;
  std::string said;

  Top() { std::filesystem::create_directories(folder / "test/plugins"); }
  void MakePlugins() const { std::filesystem::create_directory(folder / "plugins"); }

  // The exit code of plugins/new.sh with this argument.
  int New(const std::string& name) {
    const auto command = "cd '" + folder.path().string() +
                         "' && '" TOWER_SOURCE_DIR "/plugins/new.sh' '" + name + "' > said 2>&1";
    const int status = std::system(command.c_str());
    std::ostringstream text;
    text << std::ifstream(folder / "said").rdbuf();
    said = text.str();
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

TEST_CASE("a new plugin is a watcher, a README and a test, and is told what comes next",
          "[new-plugin]") {
  Top top;
  top.MakePlugins();
  REQUIRE(top.New("plate-reader2") == 0);
  for (const auto* file : {"plugins/plate-reader2/watcher.cpp", "plugins/plate-reader2/README.md",
                           "test/plugins/plate-reader2/plate_reader2_test.cpp"}) {
    CHECK(std::filesystem::file_size(top.folder / file) > 0);
    CHECK_THAT(top.said, ContainsSubstring(file));
  }
  std::ostringstream watcher;
  watcher << std::ifstream(top.folder / "plugins/plate-reader2/watcher.cpp").rdbuf();
  CHECK_THAT(watcher.str(), ContainsSubstring("class PlateReader2Watcher final") &&
                                ContainsSubstring("\"plate-reader2\"") && !ContainsSubstring("@"));
  CHECK_THAT(top.said, ContainsSubstring("make build-tests"));
}

TEST_CASE("a name that can't be a plugin's is refused, and nothing is written", "[new-plugin]") {
  Top top;
  top.MakePlugins();
  for (const auto* name : {"", "Reader", "plate_reader", "2reader", "-reader", "reader-", "a--b",
                           "../x", "a b", "http", "a-name-of-more-than-thirty-bytes"}) {
    CAPTURE(name);
    CHECK(top.New(name) == 2);
    CHECK_THAT(top.said, ContainsSubstring("new-plugin: ") && ContainsSubstring("name"));
  }
  CHECK(std::filesystem::is_empty(top.folder / "plugins"));
  CHECK(std::filesystem::is_empty(top.folder / "test/plugins"));
}

TEST_CASE("a folder that is there is left as it is", "[new-plugin]") {
  Top top;
  CHECK(top.New("reader") == 2);  // this is not the top folder
  CHECK_THAT(top.said, ContainsSubstring("top folder"));
  top.MakePlugins();
  const auto* taken = "plugins/reader";
  SECTION("the plugin's") {}
  SECTION("its tests'") { taken = "test/plugins/reader"; }
  std::filesystem::create_directory(top.folder / taken);
  CHECK(top.New("reader") == 2);
  CHECK_THAT(top.said, ContainsSubstring(std::string(taken) + " is already there"));
  CHECK(std::filesystem::is_empty(top.folder / taken));
}

}  // namespace
}  // namespace tower
