// Every plugin's README has the same headings, and the table of options that the program prints.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>
#include <sstream>

#include "app/help.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("the README of each plugin says what the plugin is and which options it has",
          "[plugins]") {
  const auto kinds = WatcherKind::All();
  REQUIRE(kinds);
  for (const auto* kind : *kinds) {
    const std::string name(kind->name());
    INFO("plugins/" << name << "/README.md; control-tower plugins " << name << " --markdown");
    std::ifstream file(std::string(TOWER_SOURCE_DIR) + "/plugins/" + name + "/README.md");
    std::ostringstream text;
    text << file.rdbuf();
    const auto readme = text.str();
    CHECK(readme.starts_with("# `" + name + "`\n"));
    std::size_t at = 0;
    for (const auto* heading :
         {"\n## What it does\n", "\n## An event and the trigger it becomes\n", "\n## Options\n",
          "\n## Example\n", "\n## What happens when it fails\n"}) {
      INFO(heading);
      at = readme.find(heading, at);
      REQUIRE(at != std::string::npos);
    }
    CHECK_THAT(readme, ContainsSubstring("\n" + PluginMarkdown(*kind)));
  }
}

}  // namespace
}  // namespace tower
