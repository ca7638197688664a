// What a program that `exec` runs can learn of the real process.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>
#include <string>

#include "test/support/tower_process.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("a program finds no secret in the environment of control-tower, which still knows them",
          "[exec]") {
  const TempDir folder;
  const auto script = folder.Write("script",
                                   "tr '\\0' '\\n' < /proc/$PPID/environ > \"$1/parent\"\n"
                                   "env > \"$1/own\"; echo > \"$1/up\"; exec sleep 1000");
  TowerProcess tower(folder,
                     {"--broker", "stdout", "--server.port", "0", "--queue.path",
                      ":memory:", "--plugin", "prog=exec"},
                     {{"PLUGIN_PROG_COMMAND", "/bin/sh," + script + "," + (folder / "")},
                      {"PLUGIN_PROG_ENVIRONMENT", "PATH=/usr/bin:/bin,LANG"},
                      {"CONTROL_TOWER_AMQP_URL", "amqp://u:hunter2@localhost"},
                      {"LANG", "C.UTF-8"}});
  REQUIRE(Eventually([&] { return std::filesystem::exists(folder / "up"); }));
  const auto parent = ReadFile(folder / "parent");
  CHECK_THAT(parent, ContainsSubstring("LANG=C.UTF-8\n") && !ContainsSubstring("hunter2") &&
                         !ContainsSubstring("script"));
  CHECK_THAT(ReadFile(folder / "own"), ContainsSubstring("LANG=C.UTF-8\n") &&
                                           !ContainsSubstring("CONTROL_TOWER_") &&
                                           !ContainsSubstring("PLUGIN_"));
  tower.Signal(SIGHUP);  // reads the configuration anew
  const std::string reloads = "config_reloads_total{result=\"ok\"} 1\n";
  CHECK(Eventually([&] { return tower.Get("/metrics").body.find(reloads) != std::string::npos; }));
  CHECK_THAT(tower.err(), ContainsSubstring("\"untouched\":1"));
  CHECK(tower.Stop() == 0);
}

}  // namespace
}  // namespace tower
