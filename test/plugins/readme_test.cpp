// Every plugin's README has the same headings, and the table of options that the program prints.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <fstream>
#include <sstream>

#include "app/cli.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string ReadmeOf(const WatcherKind& kind) {
  std::ostringstream text;
  text << std::ifstream(std::string(TOWER_SOURCE_DIR) + "/plugins/" + std::string(kind.name()) +
                        "/README.md")
              .rdbuf();
  return text.str();
}

TEST_CASE("rules of each plugin name the options that they read", "[plugins]") {
  const auto kinds = WatcherKind::All();
  REQUIRE(kinds);
  for (const auto* kind : *kinds) {
    OptionSet options("plugin.x");
    const auto watcher = kind->New(options);
    for (const auto& rule : options.rules()) {
      CHECK_FALSE(rule.reads.empty());
      for (const auto& name : rule.reads) {
        INFO(kind->name() << ": " << name);
        CHECK(std::any_of(options.all().begin(), options.all().end(),
                          [&](const auto& option) { return option.name() == name; }));
      }
    }
  }
}

TEST_CASE("the README of each plugin says what the plugin is and which options it has",
          "[plugins]") {
  const auto kinds = WatcherKind::All();
  REQUIRE(kinds);
  for (const auto* kind : *kinds) {
    const std::string name(kind->name());
    INFO("plugins/" << name << "/README.md; control-tower plugins " << name << " --markdown");
    const auto readme = ReadmeOf(*kind);
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

TEST_CASE("the TOML in the README of each plugin is a configuration", "[plugins]") {
  const auto kinds = WatcherKind::All();
  REQUIRE(kinds);
  const TempDir folder;
  for (const auto* kind : *kinds) {
    const auto readme = ReadmeOf(*kind);
    constexpr std::string_view kBegin = "```toml\n";
    for (auto at = readme.find(kBegin); at != std::string::npos; at = readme.find(kBegin, at)) {
      at += kBegin.size();
      const auto example = readme.substr(at, readme.find("\n```", at) + 1 - at);
      INFO("plugins/" << kind->name() << "/README.md:\n" << example);
      const auto file = folder.Write("example.toml", example);
      for (const auto& error : Configure({"--config", file}, {}, *kinds).errors) {
        CAPTURE(error.about, error.message);
        CHECK(error.message.starts_with("is required"));  // a secret that is given elsewhere
      }
    }
  }
}

}  // namespace
}  // namespace tower
