// README.md names every option of the core as the program does.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <sstream>

#include "app/cli.h"
#include "app/help.h"
#include "test/support/tower_process.h"

namespace tower {

TEST_CASE("README.md has the table of options that --help --markdown prints", "[app]") {
  const Setup setup;
  const auto readme = ReadFile(TOWER_SOURCE_DIR "/README.md");
  CHECK_THAT(readme, Catch::Matchers::ContainsSubstring(
                         "<!-- options: control-tower --help --markdown -->\n" +
                         OptionsMarkdown(setup.core) + "<!-- /options -->\n"));
}

TEST_CASE("the TOML file in README.md is a configuration that check takes", "[app]") {
  const auto readme = ReadFile(TOWER_SOURCE_DIR "/README.md");
  constexpr std::string_view kBegin = "```toml\n";
  const auto at = readme.find(kBegin);
  REQUIRE(at != std::string::npos);
  const auto begin = at + kBegin.size();
  auto toml = readme.substr(begin, readme.find("\n```", begin) + 1 - begin);
  const TempDir folder;
  constexpr std::string_view kPlace = "/srv/lab";
  for (auto place = toml.find(kPlace); place != std::string::npos; place = toml.find(kPlace)) {
    toml.replace(place, kPlace.size(), folder.path().string());
  }
  std::filesystem::create_directory(folder / "inbox");
  const auto kinds = WatcherKind::All();
  REQUIRE(kinds);
  std::istringstream in;
  std::ostringstream out, err;
  const auto checked = RunCli(
      {"check", "--config", folder.Write("tower.toml", toml)},
      {{"PLUGIN_ORDERS_SECRET", "0123456789abcdef"}}, *kinds, [](const Settings&) { return Ok(); },
      in, out, err);
  CHECK(err.str().empty());
  CHECK(checked.exit_code == 0);
}

}  // namespace tower
