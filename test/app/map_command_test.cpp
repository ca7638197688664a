// `control-tower map`.
#include "app/map_command.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <sstream>

#include "app/cli.h"
#include "core/watch/mapping.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using Strings = std::vector<std::string>;

// Takes a map, and has options and rules beside it.
class Mapped final : public Watcher {
 public:
  static void Declare(OptionSet& options, Mapped& self) {
    options.Add("url", &self.url_, "Where to look.").Required();
    options.Add("every", &self.every_, "Time between two looks.");
    options.Check({"url"}, [&self]() -> Status {
      if (self.url_.empty()) return Error{ErrorCode::kInvalid, "the rule was applied"};
      return Ok();
    });
    options.CheckWorld({"url"}, []() -> Status {
      return Error{ErrorCode::kUnavailable, "the world was looked at"};
    });
    self.mapping_.Declare(options);
  }
  Status Run(WatcherContext&, std::stop_token) override { return Ok(); }
  Mapping* mapping() override { return &mapping_; }

 private:
  std::string url_;
  std::chrono::milliseconds every_{1000};
  Mapping mapping_;
};

class Plain final : public Watcher {
 public:
  static void Declare(OptionSet&, Plain&) {}
  Status Run(WatcherContext&, std::stop_token) override { return Ok(); }
};

constinit WatcherKind mapped_kind{"mapped", "Takes a map.", &internal::NewWatcherOf<Mapped>};
constinit WatcherKind plain_kind{"plain", "Takes none.", &internal::NewWatcherOf<Plain>};

struct Ran {
  int exit_code = 0;
  std::string out, err;
};

Ran Run(Strings arguments, const std::string& input, const Environment& environment = {}) {
  static const WatcherKind* const kKinds[] = {&mapped_kind, &plain_kind};
  std::istringstream in(input);
  std::ostringstream out, err;
  const auto connect = [](const Settings&) { return Ok(); };
  arguments.insert(arguments.begin(), "map");
  const auto result = RunCli(arguments, environment, kKinds, connect, in, out, err);
  CHECK(result.run == nullptr);
  return {result.exit_code, out.str(), err.str()};
}

const std::string kMap =
    "event.name and {apiVersion = 'T/v1', protocol = event.name, spec = {}} or nil";

TEST_CASE("map prints the trigger that an event becomes", "[cli][mapping]") {
  const auto trigger = R"({"apiVersion":"T/v1","protocol":"A","spec":{}})"
                       "\n";
  for (const auto& arguments :
       {Strings{"--plugin", "mapped", "--plugin.mapped.map", kMap},
        Strings{"--plugin", "in=mapped", "--plugin.in.map=" + kMap},
        Strings{"--plugin.mapped.map", kMap},
        Strings{"--plugin.mapped.map=" + kMap, "--plugin.mapped.every", "1s"}}) {
    const auto ran = Run(arguments, "{\n  \"name\": \"A\"\n}\n");
    CHECK(ran.out == trigger);
    CHECK(ran.err.empty());
    CHECK(ran.exit_code == 0);
  }
  CHECK(Run({"--plugin", "mapped"}, "x", {{"PLUGIN_MAPPED_MAP", "error('mine')"}}).exit_code == 1);
  const auto none = Run({"--plugin.mapped.map", kMap}, "{}");
  CHECK(none.out.empty());
  CHECK(none.err == "event ignored: the mapping returned nil (standard input)\n");
  CHECK(none.exit_code == 0);
}

TEST_CASE("without a map, map says whether an event is a trigger", "[cli][mapping]") {
  const auto ran = Run({"--plugin", "mapped"},
                       "[{\"apiVersion\": \"T/v1\",\r\n \"protocol\": \"A\",\n\"spec\": "
                       "{\"x\": 1.50}},{\"apiVersion\":\"T/v1\",\"protocol\":\"B\","
                       "\"spec\":{}}]");
  CHECK(ran.out ==
        "{\"apiVersion\": \"T/v1\",   \"protocol\": \"A\", \"spec\": {\"x\": 1.50}}\n"
        "{\"apiVersion\":\"T/v1\",\"protocol\":\"B\",\"spec\":{}}\n");
  const auto fault = Run({"--plugin", "mapped"}, "{}");
  CHECK(fault.exit_code == 1);
  CHECK_THAT(fault.err, StartsWith("control-tower: the event is no trigger: /apiVersion: missing"));
}

TEST_CASE("map with lines takes an event a line, and goes on after a fault", "[cli][mapping]") {
  const auto ran = Run({"--lines", "--plugin.mapped.map", kMap},
                       "{\"name\":\"A\"}\n\nnonsense\r\n{}\n{\"name\":\"B\"}");
  CHECK_THAT(ran.out, ContainsSubstring("\"protocol\":\"A\"") && ContainsSubstring("\"B\""));
  CHECK_THAT(ran.err,
             StartsWith("control-tower: the event is not JSON: ") &&
                 ContainsSubstring("(line 3)\nevent ignored: the mapping returned nil (line 4)\n"));
  CHECK(ran.exit_code == 1);
}

TEST_CASE("map shows what a script prints, and where it fails", "[cli][mapping]") {
  const TempDir folder;
  const auto file = folder.Write("map.lua", "print('seen', event.x)\nreturn event.x.y");
  const auto ran = Run({"--plugin.mapped.map-file", file}, "{\"x\":1}");
  CHECK(ran.out.empty());
  CHECK(ran.err ==
        "seen\t1\ncontrol-tower: map.lua:2: attempt to index a number value (field 'x') "
        "(standard input)\n");
  CHECK(ran.exit_code == 1);
}

TEST_CASE("map refuses what has to do with the mapping, and nothing else", "[cli][mapping]") {
  const auto refused = [](const Strings& arguments, const Environment& environment = {}) {
    const auto ran = Run(arguments, "{\"name\":\"A\"}", environment);
    CHECK(ran.exit_code == 2);
    CHECK(ran.out.empty());
    return ran.err;
  };
  CHECK_THAT(refused({"--plugin.mapped.map", "event +"}),
             ContainsSubstring("plugin.mapped: map:1: unexpected symbol"));
  CHECK_THAT(refused({"--plugin.mapped.map", " return {apiVersion = 'T/v1'}"}),
             ContainsSubstring("map is one expression, without return; a script with statements "
                               "goes into a file for map-file"));
  CHECK_THAT(refused({"--plugin.mapped.map", "event +"}), !ContainsSubstring("without"));
  CHECK_THAT(refused({"--plugin.mapped.map-file", "/nowhere.lua"}),
             ContainsSubstring("plugin.mapped: map-file /nowhere.lua: no such file"));
  CHECK_THAT(refused({"--plugin.mapped.map", kMap, "--plugin.mapped.map-file", "x"}),
             ContainsSubstring("set map or map-file, not both"));
  CHECK_THAT(refused({"--plugin.mapped.mapp", kMap}), ContainsSubstring("did you mean"));
  CHECK_THAT(
      refused({"--plugin=mapped", "--plugin.mapped.map", kMap}, {{"PLUGIN_MAPPED_MAPFILE", "x"}}),
      ContainsSubstring("PLUGIN_MAPPED_MAPFILE: unknown variable"));
  CHECK_THAT(refused({"--plugin", "mappd"}), ContainsSubstring("did you mean mapped?"));
  CHECK_THAT(refused({"--plugin", "plain"}), ContainsSubstring("plain has no mapping"));
  CHECK_THAT(refused({}), ContainsSubstring("enable the watcher"));
  CHECK_THAT(refused({"--plugin", "mapped,plain"}),
             ContainsSubstring("several watchers are enabled: mapped, plain"));
  CHECK_THAT(refused({"--plugin.mapped.map", kMap, "event.json"}),
             ContainsSubstring("\"event.json\": unexpected argument"));

  // Neither other options, nor other watchers.
  const TempDir folder;
  const auto file = folder.Write("tower.toml",
                                 "plugins = ['one=mapped', 'two=mapped']\n[server]\nport = 'x'\n"
                                 "[plugin.one]\nmap = \"" +
                                     kMap +
                                     "\"\nevery = 'soon'\n"
                                     "[plugin.two]\nmap = \"error('two')\"\nurl = 'x'\n");
  for (const auto& arguments : {Strings{"--config", file, "--plugin", "one=mapped"},
                                Strings{"--config", file, "--plugin", "one"},
                                Strings{"--config", file, "--plugin.one.map", kMap}}) {
    const auto ran = Run(arguments, "{\"name\":\"A\"}", {{"PLUGIN_THREE_MAP", "x"}});
    INFO(ran.err);
    CHECK(ran.exit_code == 0);
    CHECK_THAT(ran.out, ContainsSubstring("\"protocol\":\"A\""));
  }
}

}  // namespace
}  // namespace tower
