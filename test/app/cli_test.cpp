#include "app/cli.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <chrono>
#include <sstream>
#include <thread>

#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using Strings = std::vector<std::string>;

// A plugin of the tests, not registered.
class Probe final : public Watcher {
 public:
  static void Declare(OptionSet& options, Probe& self) {
    options.Add("path", &self.paths, "Where to look.").Required();
    options.Add("every", &self.every, "Time between two looks.").Range(10, 60'000);
    options.Add("api-key", &self.key, "Credentials.").Secret();
    options.Check({"api-key"}, [&self]() -> Status {
      if (self.key == "expired") return Error{ErrorCode::kInvalid, "the key has expired"};
      return Ok();
    });
    options.CheckWorld({"path"}, [&self]() -> Status {
      if (self.paths.front() != "/nowhere") return Ok();
      return Error{ErrorCode::kInvalid, "open /nowhere: none"};
    });
  }
  Status Run(WatcherContext&, std::stop_token) override { return Ok(); }

  Strings paths;
  std::chrono::milliseconds every{1000};
  std::string key;
};

// `key` has the variable of Probe's api-key when the watchers are x and x-api.
class Other final : public Watcher {
 public:
  static void Declare(OptionSet& options, Other& self) {
    options.Add("key", &self.key, "Key.");
    options.Add("key-file", &self.key_file, "File with a key.");
  }
  Status Run(WatcherContext&, std::stop_token) override { return Ok(); }
  std::string key;
  std::string key_file;
};

constinit WatcherKind probe_kind{"probe", "Looks at things.", &internal::NewWatcherOf<Probe>};
constinit WatcherKind other_kind{"other", "Is another one.", &internal::NewWatcherOf<Other>};

struct Ran {
  int exit_code = 0;
  std::unique_ptr<Setup> setup;
  std::string out;
  std::string err;

  const Settings& settings() const { return setup->settings; }
  const Probe& probe(std::size_t i = 0) const {
    return dynamic_cast<const Probe&>(*setup->watchers[i].watcher);
  }
};

struct World {
  Environment environment = {};
  Status connected = Ok();
};

Ran Run(const Strings& arguments, const World& world = {}) {
  static const WatcherKind* const kKinds[] = {&other_kind, &probe_kind};
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  auto result = RunCli(
      arguments, world.environment, kKinds, [&](const Settings&) { return world.connected; }, in,
      out, err);
  return {result.exit_code, std::move(result.run), out.str(), err.str()};
}

// A refused configuration: exit code 2, nothing on standard output.
std::string Refused(const Strings& arguments, const Environment& environment = {}) {
  const auto ran = Run(arguments, {environment});
  CHECK(ran.exit_code == 2);
  CHECK(ran.setup == nullptr);
  CHECK(ran.out.empty());
  return ran.err;
}

class TempFile {
 public:
  explicit TempFile(std::string_view content) : path_(folder_.Write("tower.toml", content)) {}
  const std::string& path() const { return path_; }

 private:
  const TempDir folder_;
  const std::string path_;
};

TEST_CASE("without anything, the defaults run and no watcher is enabled", "[cli]") {
  const auto ran = Run({});
  CHECK(ran.exit_code == 0);
  REQUIRE(ran.setup);
  CHECK(ran.settings().http.port == 8000);
  CHECK(ran.settings().amqp.urls.size() == 1);
  CHECK(ran.setup->watchers.empty());
  CHECK(ran.out + ran.err == "");
}

TEST_CASE("flags beat environment beat file beat default", "[cli]") {
  const TempFile file("[server]\nport = 1\nhost = 'file'\nmax-body = '2KiB'\n");
  const auto ran =
      Run({"--config", file.path(), "--server.port", "3"},
          {{{"CONTROL_TOWER_SERVER_PORT", "2"}, {"CONTROL_TOWER_SERVER_HOST", "variable"}}});
  REQUIRE(ran.setup);
  CHECK(ran.settings().http.port == 3);
  CHECK(ran.settings().http.host == "variable");
  CHECK(ran.settings().http_max_body == ByteSize{2048});
  CHECK(ran.settings().http.max_connections == 1024);
}

TEST_CASE("the configuration file may be named by a variable", "[cli]") {
  const TempFile file("broker = 'stdout'\n");
  CHECK(Run({}, {{{"CONTROL_TOWER_CONFIG", file.path()}}}).settings().broker == "stdout");
  CHECK_THAT(Refused({}, {{"CONTROL_TOWER_CONFIG", "/no/such/file"}}),
             ContainsSubstring("config: read /no/such/file: no such file or directory"));
}

TEST_CASE("watchers are enabled by flag, variable or file, under a name of their own", "[cli]") {
  const auto check = [](const Ran& ran) {
    INFO(ran.err);
    REQUIRE(ran.setup);
    REQUIRE(ran.setup->watchers.size() == 2);
    CHECK(ran.setup->watchers[0].name == "in-box");
    CHECK(ran.setup->watchers[0].kind == &probe_kind);
    CHECK(ran.probe(0).paths == Strings{"a,b", "c"});
    CHECK(ran.setup->watchers[1].name == "probe");
    CHECK(ran.probe(1).paths == Strings{"d"});
    CHECK(ran.probe(1).every == std::chrono::milliseconds(50));
  };
  check(Run({"--plugin", "in-box=probe", "--plugin=probe", "--plugin.in-box.path", "a,b",
             "--plugin.in-box.path=c", "--plugin.probe.path", "d", "--plugin.probe.every=50ms"}));
  check(Run({"--plugin.in-box.path", "a,b", "--plugin.in-box.path", "c"},
            {{{"PLUGINS", "in-box=probe, probe"},
              {"PLUGIN_PROBE_PATH", "d"},
              {"PLUGIN_PROBE_EVERY", "50ms"}}}));
  const TempFile file(
      "plugins = ['in-box=probe', 'probe']\n[plugin.in-box]\npath = ['a,b', 'c']\n"
      "[plugin.probe]\npath = 'd'\nevery = '50ms'\n");
  check(Run({"--config", file.path()}));
}

TEST_CASE("a variable is split at commas for a list, a flag only for urls", "[cli]") {
  CHECK(Run({"--plugin=probe"}, {{{"PLUGIN_PROBE_PATH", "a, b,c"}}}).probe().paths ==
        Strings{"a", "b", "c"});
  const auto ran = Run({"--amqp.url", "amqp://a,amqp://u:p@b/v"});
  REQUIRE(ran.settings().amqp.urls.size() == 2);
  CHECK(ran.settings().amqp.urls[1] == "amqp://u:p@b/v");
}

TEST_CASE("a variable with _FILE reads a file, without its last newline", "[cli]") {
  const TempFile file("s3cret\n\n");
  const Strings arguments = {"--plugin=probe", "--plugin.probe.path=x"};
  CHECK(Run(arguments, {{{"PLUGIN_PROBE_API_KEY_FILE", file.path()}}}).probe().key == "s3cret\n");
  const auto both = Refused(
      arguments, {{"PLUGIN_PROBE_API_KEY_FILE", file.path()}, {"PLUGIN_PROBE_API_KEY", "other"}});
  CHECK_THAT(both, ContainsSubstring("plugin.probe.api-key: is set twice, by PLUGIN_PROBE_API_KEY "
                                     "and PLUGIN_PROBE_API_KEY_FILE"));
  CHECK_THAT(Refused(arguments, {{"PLUGIN_PROBE_API_KEY_FILE", "/no/such"}}),
             ContainsSubstring("plugin.probe.api-key: read /no/such: no such file"));
}

TEST_CASE("an option whose name ends in -file is not the file form of another", "[cli]") {
  const auto ran = Run({"--plugin=other"}, {{{"PLUGIN_OTHER_KEY_FILE", "/no/such/key"}}});
  REQUIRE(ran.setup);
  const auto& other = dynamic_cast<const Other&>(*ran.setup->watchers[0].watcher);
  CHECK(other.key_file == "/no/such/key");
  CHECK(other.key.empty());
}

TEST_CASE("all faults of all sources are named together", "[cli]") {
  const TempFile file("[log]\nlevel = 'loud'\n[sever]\nport = 1\n[server]\nmax_body = '1MiB'\n");
  const auto err =
      Refused({"--config", file.path(), "--server.prot", "9000", "--plugin=probe", "--plugin=flie",
               "--shutdown.grace=soon", "stray", "--plugin.probe.evry=1s"},
              {{"CONTROL_TOWER_QUEUE_MAX_BYTES", "many"},
               {"PLUGIN_PROBE_PAHT", "x"},
               {"CONTROL_TOWER_AMQP_DECLARE", "1"}});
  CHECK_THAT(err, StartsWith("control-tower: 12 faults in the configuration\n"));
  for (const std::string expected :
       {"--server.prot: unknown option; did you mean --server.port?",
        "--plugin.probe.evry: unknown option; did you mean --plugin.probe.every?",
        "\"stray\": unexpected argument",
        "plugin \"flie\": there is no plugin \"flie\" (linked in: other, probe)",
        "shutdown.grace: must be a duration such as 500ms, 10s, 5m or 7d, from 0s to 1h, but is "
        "\"soon\"\n      given by --shutdown.grace; set it by --shutdown.grace, "
        "CONTROL_TOWER_SHUTDOWN_GRACE, or "
        "grace in [shutdown] of the file",
        "queue.max-bytes: must be a size such as 512, 64KiB, 1MiB or 1GiB, from 0 to 16TiB, but is "
        "\"many\"\n      given by variable CONTROL_TOWER_QUEUE_MAX_BYTES",
        "amqp.declare: must be true or false, but is \"1\"",
        "PLUGIN_PROBE_PAHT: unknown variable; did you mean PLUGIN_PROBE_PATH?",
        "plugin.probe.path: is required, and must be text that is not empty, or several\n      set "
        "it by --plugin.probe.path, PLUGIN_PROBE_PATH, or path in [plugin.probe] of the file"}) {
    CHECK_THAT(err, ContainsSubstring(expected));
  }
  CHECK_THAT(err, ContainsSubstring("log.level: must be one of debug, info, warn, error, but is "
                                    "\"loud\"\n      given by " +
                                    file.path() + ":2"));
  CHECK_THAT(err, ContainsSubstring("sever.port: unknown key; did you mean server.port?\n      "
                                    "given by " +
                                    file.path() + ":4"));
  CHECK_THAT(err, ContainsSubstring("server.max_body: unknown key; did you mean server.max-body?"));
}

TEST_CASE("a TOML error names file, line and column", "[cli]") {
  const TempFile file("broker = 'stdout'\n[server\nport = 1\n");
  const auto err = Refused({"--config", file.path(), "--server.port", "x"});
  CHECK_THAT(err, ContainsSubstring(file.path() + ":2:"));
  CHECK_THAT(err, ContainsSubstring("server.port: must be a whole number"));
}

TEST_CASE("values of the file have the type that an option can take", "[cli]") {
  const TempFile file(
      "[server]\nport = [1, 2]\nhost = 2020-01-01\nmax-body = 4096\nallow-anonymous = true\n"
      "[queue]\nretention = 5\n[amqp]\nurl = ['amqp://a', 'amqp://b']\nwindow = 1.5\n");
  const auto err = Refused({"--config", file.path()});
  CHECK_THAT(err, StartsWith("control-tower: 4 faults"));
  CHECK_THAT(err, ContainsSubstring("server.port: takes one value, but is an array"));
  CHECK_THAT(err, ContainsSubstring("server.host: must be a text, a number, true or false"));
  CHECK_THAT(err, ContainsSubstring("queue.retention: must be a duration"));
  CHECK_THAT(err, ContainsSubstring("amqp.window: must be a whole number"));
}

TEST_CASE("secrets are shown neither in faults nor in help", "[cli]") {
  const Strings enabled = {"--plugin=probe", "--plugin.probe.path=x"};
  const auto err = Refused({"--plugin=probe", "--amqp.url", "http://user:hunter2@host",
                            "--plugin.probe.api-kee=hunter2", "--plugin.probe.api-kee", "hunter2"},
                           {{"PLUGIN_PROBE_API_KEYS", "hunter2"}});
  CHECK_THAT(err, ContainsSubstring("amqp.url: "));
  CHECK_THAT(err, !ContainsSubstring("hunter2"));
  const TempFile file("[amqp]\nurl = 'amqp://user:hunter2@host/%zz'\n[plugin.probe]\npath='x'\n");
  CHECK_THAT(Refused({"--plugin=probe", "--config", file.path()}), !ContainsSubstring("hunter2"));
  const auto help = Run({"--plugin=probe", "--help", "--plugin.probe.api-key=hunter2", "--amqp.url",
                         "amqp://user:hunter2@host"});
  CHECK_THAT(help.out, !ContainsSubstring("hunter2"));
}

TEST_CASE("a flag that takes true or false may stand alone", "[cli]") {
  CHECK(Run({"--server.allow-anonymous"}).settings().http.allow_anonymous);
  CHECK_FALSE(Run({"--amqp.declare=false"}).settings().amqp.declare);
  CHECK_FALSE(Run({"--amqp.declare", "false"}).settings().amqp.declare);
  const auto ran = Run({"--server.allow-anonymous", "--broker", "stdout"});
  CHECK(ran.settings().http.allow_anonymous);
  CHECK(ran.settings().broker == "stdout");
  CHECK_THAT(Refused({"--amqp.declare="}), ContainsSubstring("must be true or false"));
}

TEST_CASE("values that look like something else are values", "[cli]") {
  const auto ran = Run({"--amqp.queue=", "--broker", "stdout", "--amqp.exchange", "check",
                        "--queue.path", "[a]", "--log.level=warn"});
  REQUIRE(ran.setup);
  CHECK(ran.settings().amqp.queue.empty());
  CHECK(ran.settings().broker == "stdout");
  CHECK(ran.settings().amqp.exchange == "check");
  CHECK(ran.settings().queue.path == "[a]");
  CHECK_THAT(Refused({"--queue.max-history", "-5"}), ContainsSubstring("but is \"-5\""));
  CHECK_THAT(Refused({"--server.port=1", "--server.port=2"}),
             ContainsSubstring("server.port: was given more than once"));
  CHECK_THAT(Refused({"--broker=kafka", "--server.port"}),
             ContainsSubstring("--server.port: needs a value") && ContainsSubstring("kafka"));
}

TEST_CASE("an empty variable is an empty value, not a missing one", "[cli]") {
  CHECK_THAT(Refused({}, {{"CONTROL_TOWER_SERVER_PORT", ""}}), ContainsSubstring("but is \"\""));
  CHECK_THAT(Refused({}, {{"CONTROL_TOWER_AMQP_URL", ""}}), ContainsSubstring("amqp.url: must be"));
  CHECK(Run({}, {{{"PLUGINS", ""}}}).setup->watchers.empty());
}

TEST_CASE("an unknown variable of the core is refused with a suggestion", "[cli]") {
  const auto err = Refused({}, {{"CONTROL_TOWER_SERVER_PROT", "1"},
                                {"CONTROL_TOWER_PLUGINS", "probe"},
                                {"CONTROL_TOWER_HOME", "/opt"},
                                {"SERVER_PROT", "of something else"}});
  CHECK_THAT(
      err,
      StartsWith("control-tower: 3 faults") &&
          ContainsSubstring("CONTROL_TOWER_SERVER_PROT: unknown variable; did you mean "
                            "CONTROL_TOWER_SERVER_PORT?\n      CONTROL_TOWER_{GROUP}_") &&
          ContainsSubstring("CONTROL_TOWER_PLUGINS: unknown variable; did you mean PLUGINS?") &&
          ContainsSubstring("CONTROL_TOWER_HOME: unknown variable\n"));
}

TEST_CASE("what Kubernetes sets for its Services is nobody's option", "[cli]") {
  Environment pod;
  for (const std::string service :
       {"SERVER", "CONTROL_TOWER", "CONTROL_TOWER_SERVER", "PLUGIN_X"}) {
    pod[service + "_SERVICE_HOST"] = "10.0.0.1";
    pod[service + "_SERVICE_PORT"] = "80";
    pod[service + "_SERVICE_PORT_HTTP"] = "80";
    pod[service + "_PORT"] = "tcp://10.0.0.1:80";
    pod[service + "_PORT_80_TCP"] = "tcp://10.0.0.1:80";
    pod[service + "_PORT_80_TCP_PROTO"] = "tcp";
    pod[service + "_PORT_80_TCP_PORT"] = "80";
    pod[service + "_PORT_80_TCP_ADDR"] = "10.0.0.1";
  }
  const auto ran = Run({}, {pod});
  INFO(ran.err);
  REQUIRE(ran.setup);
  CHECK(ran.settings().http.port == 8000);
  pod["CONTROL_TOWER_SERVER_PORT"] = "9000";  // which a pod may set in spite of the Service
  CHECK(Run({}, {pod}).settings().http.port == 9000);
  pod["CONTROL_TOWER_PROT"] = "1";
  CHECK_THAT(Refused({}, pod), ContainsSubstring("CONTROL_TOWER_PROT: unknown variable"));
  CHECK_THAT(Refused({}, {{"CONTROL_TOWER_SERVER_PORT", "tcp://10.0.0.1:80"}}),
             ContainsSubstring("server.port: must be a whole number"));
}

TEST_CASE("names of watchers are checked", "[cli]") {
  CHECK_THAT(Refused({"--plugin", "Inbox=probe"}), ContainsSubstring("1 to 64 lower case"));
  CHECK_THAT(Refused({"--plugin", std::string(65, 'a') + "=probe"}), ContainsSubstring("1 to 64"));
  CHECK_THAT(Refused({"--plugin", "=probe"}), ContainsSubstring("1 to 64"));
  CHECK_THAT(Refused({"--plugin", "http=probe"}), ContainsSubstring("taken by the HTTP API"));
  CHECK_THAT(Refused({"--plugin", "probe,probe", "--plugin.probe.path=x"}),
             ContainsSubstring("two watchers are called probe"));
  CHECK_THAT(Refused({"--plugin", "prob"}), ContainsSubstring("did you mean probe?"));
}

TEST_CASE("two options with one variable are refused", "[cli]") {
  CHECK_THAT(Refused({"--plugin", "x=probe,x-api=other", "--plugin.x.path=y"}),
             ContainsSubstring("plugin.x-api.key: has the same variable as another option: "
                               "PLUGIN_X_API_KEY"));
}

TEST_CASE("rules over several options are checked", "[cli]") {
  CHECK_THAT(Refused({"--amqp.cert", "x.pem"}), ContainsSubstring("amqp.cert and amqp.key"));
  CHECK_THAT(Refused({"--server.max-body", "17MiB"}),
             ContainsSubstring("server.max-memory must be at least eight times server.max-body"));
  const auto ran =
      Run({"--server.max-body", "32MiB", "--server.max-memory", "256MiB",
           "--server.max-connections-per-address", "7", "--server.idle-timeout", "2m"});
  REQUIRE(ran.setup);
  CHECK(ran.settings().http.max_memory == 256U << 20U);
  CHECK(ran.settings().http.max_connections_per_address == 7);
  CHECK(ran.settings().http.idle_timeout == std::chrono::minutes(2));
  CHECK_THAT(Refused({"--plugin=probe", "--plugin.probe.path=x", "--plugin.probe.api-key=expired"}),
             ContainsSubstring("plugin.probe: the key has expired"));
}

TEST_CASE("help names every option, variable and default, and the plugins", "[cli]") {
  const auto ran = Run({"--help"});
  CHECK(ran.exit_code == 0);
  CHECK(ran.setup == nullptr);
  Setup setup;
  for (const auto* option : setup.AllOptions()) {
    CHECK_THAT(ran.out, ContainsSubstring("\n  " + option->Flag()));
    CHECK_THAT(ran.out, ContainsSubstring(VariableOf(*option) + "; default: "));
  }
  CHECK_THAT(ran.out, ContainsSubstring("  probe  Looks at things.\n"));
  CHECK_THAT(ran.out, !ContainsSubstring("--plugin.probe.path"));
  std::istringstream lines(ran.out);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 110);

  const auto with = Run({"-h", "--plugin", "in=probe"});
  CHECK(with.exit_code == 0);
  CHECK_THAT(with.out, ContainsSubstring("[plugin.in]\n  --plugin.in.path text ...\n"));
  CHECK_THAT(with.out, ContainsSubstring("PLUGIN_IN_EVERY; default: 1s"));
}

TEST_CASE("check says whether the configuration is valid, and connects only when asked", "[cli]") {
  const Error down{ErrorCode::kUnavailable, "connect: refused"};
  auto ran = Run({"check"}, {{}, down});
  CHECK(ran.exit_code == 0);
  CHECK(ran.setup == nullptr);
  CHECK(ran.out == "the configuration is valid\n");
  ran = Run({"--server.port=1", "check", "--connect", "--log.level=warn"}, {{}, down});
  CHECK(ran.exit_code == 1);
  CHECK_THAT(ran.err, ContainsSubstring("connect: refused"));
  CHECK(Run({"check", "--connect"}).exit_code == 0);

  ran = Run({"check", "--amqp.url", "amqp://u:hunter2@rabbit.lab,amqp://u:hunter2@[::1]"});
  CHECK(ran.exit_code == 0);
  CHECK(ran.err ==
        "control-tower: warning: amqp.url: the password goes unencrypted to rabbit.lab; use "
        "amqps:// on networks that are not trusted\n");
  for (const auto* fine : {"amqps://u:p@rabbit.lab", "amqp://rabbit.lab", "amqp://u:p@localhost"}) {
    CHECK(Run({"check", "--amqp.url", fine}).err.empty());
  }
  CHECK(Run({"check", "--amqp.url=amqp://u:p@rabbit.lab", "--broker=stdout"}).err.empty());

  const TempDir dir;
  const auto tokens = dir.Write("tokens", "lab:0123456789abcdef\n");
  for (const auto mode : {0600, 0644}) {
    REQUIRE(chmod(tokens.c_str(), mode) == 0);
    ran = Run({"check", "--server.tokens-file", tokens});
    CHECK(ran.exit_code == 0);
    CHECK(ran.err == (mode == 0600 ? ""
                                   : "control-tower: warning: server.tokens-file " + tokens +
                                         ": everyone on this machine can read the tokens; "
                                         "chmod o-r\n"));
  }

  CHECK_THAT(Refused({"check", "--server.port=x"}), ContainsSubstring("server.port"));
  CHECK_THAT(Refused({"check", "--plugin=probe", "--plugin.probe.path=/nowhere"}),
             ContainsSubstring("plugin.probe: open /nowhere: none"));

  CHECK_THAT(Refused({"check", "--queue.path=/no/such/folder/q.db", "--plugin=probe",
                      "--plugin.probe.path=/nowhere"}),
             ContainsSubstring("queue.path") && ContainsSubstring("plugin.probe"));

  for (Strings arguments : {Strings{"check"}, Strings{}}) {
    arguments.insert(arguments.end(), {"--server.host=0.0.0.0", "--queue.path=/no/such/q.db"});
    CHECK_THAT(Refused(arguments),
               StartsWith("control-tower: 2 faults") &&
                   ContainsSubstring("  server.host: others could reach 0.0.0.0;") &&
                   ContainsSubstring("  queue.path: there is no folder /no/such\n"));
  }
}

TEST_CASE("plugins lists what is linked in, or one plugin's options", "[cli]") {
  CHECK(Run({"plugins"}).out == "  other  Is another one.\n  probe  Looks at things.\n");
  const auto one = Run({"plugins", "probe"});
  CHECK(one.exit_code == 0);
  CHECK_THAT(one.out, ContainsSubstring("--plugin.probe.path text ...") &&
                          ContainsSubstring("PLUGIN_PROBE_PATH; default: required"));
  CHECK(Run({"plugins", "probe", "--markdown"}).out ==
        "| option | variable | default | meaning |\n|---|---|---|---|\n"
        "| `--plugin.probe.path` | `PLUGIN_PROBE_PATH` | required | Where to look. |\n"
        "| `--plugin.probe.every` | `PLUGIN_PROBE_EVERY` | `1s` | Time between two looks. (a "
        "duration such as 500ms, 10s, 5m or 7d, from 10ms to 1m) |\n"
        "| `--plugin.probe.api-key` | `PLUGIN_PROBE_API_KEY` | none | Credentials. |\n");
  CHECK_THAT(Run({"plugins", "--json"}).out,
             ContainsSubstring(R"({"name":"plugin.probe.every","flag":"--plugin.probe.every",)"
                               R"("variable":"PLUGIN_PROBE_EVERY")"));
  const auto one_json = Run({"plugins", "probe", "--json"}).out;
  CHECK_THAT(one_json, ContainsSubstring(R"({"name":"probe")") && !ContainsSubstring("other"));
  CHECK_THAT(Refused({"plugins", "prbe"}), ContainsSubstring("did you mean probe?"));
  CHECK_THAT(Refused({"plugins", "--markdown"}), ContainsSubstring("needs the name"));
}

TEST_CASE("an answer that can't be written is a failure", "[cli]") {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  out.setstate(std::ios::badbit);
  CHECK(RunCli({"--version"}, {}, {}, {}, in, out, err).exit_code == 1);
  CHECK_THAT(err.str(), ContainsSubstring("standard output"));
}

TEST_CASE("version names the build and, when verbose, what is linked in", "[cli]") {
  CHECK_THAT(Run({"--version"}).out, StartsWith("control-tower "));
  CHECK_THAT(Run({"--version", "--verbose"}).out, ContainsSubstring("SQLite"));
}

TEST_CASE("check names the faults of options, rules and the world at once", "[cli]") {
  const TempFile file(
      "plugins = ['a=probe', 'b=probe', 'c=probe']\n[plugin.a]\nevery = 'soon'\npath = 'x'\n"
      "[plugin.b]\npath = 'x'\napi-key = 'expired'\n[plugin.c]\npath = '/nowhere'\n");
  const auto ran = Run({"check", "--config", file.path(), "--server.tokens-file", "/no/tokens"});
  CHECK(ran.exit_code == 2);
  CHECK_THAT(ran.err, StartsWith("control-tower: 4 faults") &&
                          ContainsSubstring("plugin.a.every: must be a duration") &&
                          ContainsSubstring("/no/tokens") &&
                          ContainsSubstring("plugin.b: the key has expired") &&
                          ContainsSubstring("plugin.c: open /nowhere: none"));
}

TEST_CASE("a bad value hides only the rules that look at it", "[cli]") {
  const auto refused = Refused({"check", "--plugin=probe", "--plugin.probe.path=/nowhere",
                                "--plugin.probe.every=soon", "--plugin.probe.api-key=expired"});
  CHECK_THAT(refused, StartsWith("control-tower: 3 faults") &&
                          ContainsSubstring("plugin.probe.every: must be a duration") &&
                          ContainsSubstring("plugin.probe: the key has expired") &&
                          ContainsSubstring("plugin.probe: open /nowhere: none"));
  CHECK_THAT(Refused({"check", "--plugin=probe", "--plugin.probe.path="}),
             !ContainsSubstring("plugin.probe:"));
}

TEST_CASE("what only lists something refuses what it does not know, too", "[cli]") {
  CHECK_THAT(Refused({"plugins", "--jsno"}), ContainsSubstring("did you mean --json?"));
  CHECK_THAT(Refused({"--version", "--verbos"}), ContainsSubstring("did you mean --verbose?"));
  CHECK(Run({"plugins", "--server.port=x"}).exit_code == 0);  // of no concern here
}

TEST_CASE("a file that can't be read is the fault, not what may stand in it", "[cli]") {
  const TempFile file("[plugin.in]\npath = \n");
  const auto err = Refused({"--config", file.path(), "--plugin", "in=probe", "--plugin.out.path",
                            "x", "--server.port", "y"},
                           {{"PLUGIN_OUT_EVERY", "1s"}});
  CHECK_THAT(err, StartsWith("control-tower: 2 faults") && ContainsSubstring(file.path() + ":2:") &&
                      ContainsSubstring("server.port"));
}

TEST_CASE("a configuration may come through a pipe that takes its time", "[cli]") {
  std::array<int, 2> pipe{};
  REQUIRE(pipe2(pipe.data(), O_CLOEXEC) == 0);
  ssize_t written = 0;
  std::thread writer([&written, out = pipe[1]] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // so that the reader has to wait
    written = write(out, "server.port = 1234\n", 19);
    close(out);
  });
  const auto ran = Run({"--config", "/dev/fd/" + std::to_string(pipe[0])});
  writer.join();
  close(pipe[0]);
  CHECK(written == 19);
  REQUIRE(ran.setup);
  CHECK(ran.setup->settings.http.port == 1234);
}

TEST_CASE("what stands in the file for a watcher that is not enabled is told as that", "[cli]") {
  const TempFile file("plugins = ['in=probe']\n[plugin.in]\npath = 'x'\nevrey = '1s'\n");
  CHECK_THAT(Refused({"--config", file.path()}), ContainsSubstring("did you mean plugin.in.every"));
  CHECK_THAT(Refused({"--config", file.path(), "--plugin", "out=probe", "--plugin.out.path", "y"}),
             ContainsSubstring("plugin.in.path: unknown key; no watcher in is enabled") &&
                 !ContainsSubstring("did you mean"));
}

TEST_CASE("a slip in the file is a fault with line and column, whatever it is", "[cli]") {
  const std::vector<std::pair<std::string, std::string>> slips = {
      {"[.plugin]\n", ":1:2:"},
      {"x = 1\n[\ny = 2\n", ":2:2:"},
      {"[[\n", ":1:3:"},
      {"[log]\nlevel='info'\n[*]", ":3:2:"},
      {"\n  [ *a]\n", ":2:5:"}};
  for (const auto& [text, place] : slips) {
    const TempFile file(text);
    for (const Strings& command : {Strings{"check"}, Strings{}}) {
      auto arguments = command;
      arguments.insert(arguments.end(), {"--config", file.path()});
      CHECK_THAT(Refused(arguments), StartsWith("control-tower: a fault in the configuration\n  " +
                                                file.path() + place + " this is not TOML"));
    }
  }
}

TEST_CASE("the file may say plugin or plugins, of the list and of the options", "[cli]") {
  for (const std::string list : {"plugin", "plugins"}) {
    for (const std::string table : {"plugin", "plugins"}) {
      const TempFile file(list + " = ['in=probe']\n[" + table + ".in]\npath = 'x'\n");
      if (list == table) {
        const std::string other = list == "plugin" ? "plugins" : "plugin";
        CHECK_THAT(Refused({"--config", file.path()}),
                   ContainsSubstring(file.path() + ":2:") &&
                       ContainsSubstring(list + " is the list of watchers already: call the list " +
                                         other + ", or this table [" + other + ".NAME]"));
        continue;
      }
      const auto ran = Run({"--config", file.path()});
      INFO(ran.err);
      REQUIRE(ran.setup);
      CHECK(ran.probe().paths == Strings{"x"});
    }
  }
}

TEST_CASE("a clash in the file names lines and keys as they stand there", "[cli]") {
  const TempFile twice("plugins = ['in=probe']\nplugin = 5\n[server]\nplugins = ['in=probe']\n");
  CHECK_THAT(
      Refused({"--config", twice.path()}),
      ContainsSubstring("plugins: is given twice, as plugin and as plugins\n      given by " +
                        twice.path() + ":2 and by " + twice.path() + ":1") &&
          ContainsSubstring("server.plugins: unknown key; put the list of watchers above "
                            "the first [table]\n      given by " +
                            twice.path() + ":4"));
  const TempFile options("[plugin.in]\npath = 'x'\n[plugins.in]\npath = 'y'\nevrey = '1s'\n");
  CHECK_THAT(Refused({"--config", options.path(), "--plugin", "in=probe"}),
             StartsWith("control-tower: 2 faults") &&
                 ContainsSubstring("plugin.in.path: is given twice, as plugin.in.path and as "
                                   "plugins.in.path\n      given by " +
                                   options.path() + ":2 and by " + options.path() + ":4") &&
                 ContainsSubstring("plugins.in.evrey: unknown key; did you mean plugin.in.every?"));
  const TempFile again("[server]\nport = 1\n[log]\nlevel = 'info'\n[server]\nhost = 'a'\n");
  CHECK_THAT(Refused({"--config", again.path()}), ContainsSubstring(again.path() + ":5:"));
}

TEST_CASE("a watcher that a weaker source lists can be named alone", "[cli]") {
  const TempFile file(
      "plugins = ['gh=probe', 'b=other']\n[plugin.gh]\npath = 'x'\n[plugin.b]\nkey = 'k'\n");
  CHECK_THAT(Refused({"--config", file.path(), "--plugin", "gh"}),
             StartsWith("control-tower: a fault") &&
                 ContainsSubstring("plugin.b.key: unknown key; no watcher b is enabled"));
  const auto ran = Run({"--plugin", "gh"}, {{{"PLUGINS", "gh=probe,b"}, {"PLUGIN_GH_PATH", "y"}}});
  REQUIRE(ran.setup);
  REQUIRE(ran.setup->watchers.size() == 1);
  CHECK(ran.setup->watchers[0].kind == &probe_kind);
  CHECK_THAT(Refused({"--config", file.path(), "--plugin", "hg"}),
             ContainsSubstring("there is no plugin \"hg\""));
}

TEST_CASE("a value that is wrong hides no fault of another option", "[cli]") {
  CHECK_THAT(Refused({"check", "--log.level", "verbose", "--server.host", "0.0.0.0"}),
             StartsWith("control-tower: 2 faults") && ContainsSubstring("log.level: must be") &&
                 ContainsSubstring("server.host: others could reach"));
  CHECK_THAT(Refused({"check", "--queue.path", "/no/such/queue.db"}),
             StartsWith("control-tower: a fault") &&
                 ContainsSubstring("queue.path: there is no folder /no/such"));
  CHECK_THAT(Refused({"check", "--amqp.cert", "/no/such.pem"}),
             StartsWith("control-tower: a fault"));
}

TEST_CASE("help is of what stands beside it", "[cli]") {
  for (const Strings& asks : {Strings{"check", "--help"}, Strings{"--help", "check"}}) {
    const auto ran = Run(asks);
    CHECK(ran.exit_code == 0);
    CHECK_THAT(ran.out, StartsWith("usage: control-tower check [--connect]") &&
                            !ContainsSubstring("--server.port"));
  }
  CHECK_THAT(Run({"map", "-h"}).out, StartsWith("usage: control-tower map [--lines]"));
  CHECK_THAT(Run({"plugins", "--help"}).out, StartsWith("usage: control-tower plugins [NAME]"));
  for (const Strings& asks : {Strings{"--help", "probe"}, Strings{"plugins", "probe", "--help"}}) {
    CHECK(Run(asks).out == Run({"plugins", "probe"}).out);
  }
  const auto watcher = Run({"--help", "--plugin", "in=probe"});
  CHECK(watcher.exit_code == 0);
  CHECK_THAT(watcher.out, StartsWith("in, of the plugin probe: Looks at things.\n") &&
                              ContainsSubstring("--plugin.in.path") &&
                              !ContainsSubstring("--server.port"));
  CHECK_THAT(Refused({"--help", "--plugin", "nope"}),
             ContainsSubstring("there is no plugin \"nope\" (linked in: other, probe)"));
  CHECK_THAT(Refused({"--help", "prbe"}),
             ContainsSubstring("--help prbe: there is neither a command nor a plugin of this name; "
                               "did you mean probe?"));
  CHECK_THAT(Refused({"--help", "--server.prot", "1"}), ContainsSubstring("--server.port?"));
  CHECK(Run({"--help"}, {{{"CONTROL_TOWER_SERVER_PORT", "x"}}}).exit_code == 0);
}

TEST_CASE("an error of the file does not quote what could be a secret", "[cli]") {
  for (const std::string secret : {"tulips", "nightfall", "99999999999999999999", "1.5e99999"}) {
    const TempFile file("[plugin.probe]\npath = 'x'\napi-key = " + secret + "\n");
    const auto err = Refused({"--plugin=probe", "--config", file.path()});
    CHECK_THAT(err, ContainsSubstring(file.path() + ":3:"));
    CHECK_THAT(err, !ContainsSubstring(secret.substr(0, 3)));
  }
  const TempFile stray("[server]\nport = 1]\n");
  CHECK_THAT(Refused({"--config", stray.path()}), ContainsSubstring("saw ']'"));
  std::string endless = "a";
  for (int i = 0; i < 100'000; ++i) endless += ".a";
  for (const auto& text : {endless + " = 1", "[" + endless + "]", "b = [{" + endless + " = 1}]"}) {
    const TempFile deep("# one.two\nlog.level = '''\n'''\n" + text + "\n");
    CHECK_THAT(Refused({"--config", deep.path()}),
               ContainsSubstring(deep.path() + ":4:1: a key with too many parts"));
  }
  const TempFile dots("[log]\nlevel = \"" + endless + "\" # " + endless + "\n");
  CHECK_THAT(Refused({"--config", dots.path()}), !ContainsSubstring("too many parts"));
}

TEST_CASE("a configuration is made anew from what is there at the moment", "[cli]") {
  static const WatcherKind* const kKinds[] = {&other_kind, &probe_kind};
  const TempDir folder;
  const auto file = folder.Write("tower.toml", "plugins = ['probe']\n[plugin.probe]\npath = 'x'\n");
  const auto key = folder.Write("key", "one");
  const auto again = [&] {
    return Configure({"--config", file}, {{"PLUGIN_PROBE_API_KEY_FILE", key}}, kKinds);
  };
  const auto key_of = [](const Configured& configured) {
    return dynamic_cast<const Probe&>(*configured.setup->watchers.at(0).watcher).key;
  };
  CHECK(key_of(again()) == "one");
  folder.Write("key", "two");
  CHECK(key_of(again()) == "two");
  folder.Write("tower.toml", "broker = 'kafka'\n");
  const auto faulty = again();
  REQUIRE(faulty.errors.size() == 2);
  CHECK(faulty.errors[0].about == "PLUGIN_PROBE_API_KEY_FILE");
  CHECK(faulty.errors[1].about == "broker");
}

}  // namespace
}  // namespace tower
