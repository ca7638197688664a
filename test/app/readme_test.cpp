// README.md names every option of the core as the program does.
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

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

}  // namespace tower
