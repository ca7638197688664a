// The container image without a container engine: an empty root with what the Dockerfile puts into
// the image, entered as the Dockerfile says, with the arguments of the `docker run` that README and
// Dockerfile show.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "test/support/tower_process.h"

namespace tower {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;
using Strings = std::vector<std::string>;

const std::string kSource = TOWER_SOURCE_DIR;

Strings Split(const std::string& text, const std::string& by) {
  Strings parts;
  std::size_t at = 0;
  for (auto end = text.find(by); end != std::string::npos; end = text.find(by, at)) {
    parts.push_back(text.substr(at, end - at));
    at = end + by.size();
  }
  parts.push_back(text.substr(at));
  return parts;
}

Strings Words(const std::string& text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

void Shell(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

// What the Dockerfile says of the image, the last stage.
struct Image {
  Strings fill;   // commands that fill /root-fs, which becomes the root
  Strings owned;  // folders that belong to the user
  std::string user, group, folder, entrypoint;
  TowerProcess::Variables variables;

  Image() {
    const auto text = Replaced(ReadFile(kSource + "/Dockerfile"), "\\\n", "");
    for (const auto& line : Split(text, "\n")) {
      const auto words = Words(line);
      if (words.empty()) continue;
      if (words[0] == "RUN") AddCommands(line.substr(4));
      if (words[0] == "COPY" && line.find("--chown=") != std::string::npos) {
        owned.push_back(words.back());
      }
      if (words[0] == "USER") {
        user = words[1].substr(0, words[1].find(':'));
        group = words[1].substr(words[1].find(':') + 1);
      }
      if (words[0] == "WORKDIR") folder = words[1];
      if (words[0] == "ENTRYPOINT") entrypoint = Split(words[1], "\"")[1];
      if (words[0] == "ENV") AddVariables({words.begin() + 1, words.end()});
    }
  }
  void AddCommands(const std::string& run) {
    for (const auto& command : Split(run, "&&")) {
      if (command.find("/root-fs") != std::string::npos) fill.push_back(command);
    }
  }
  void AddVariables(const Strings& assignments) {
    for (const auto& each : assignments) {
      const auto equals = each.find('=');
      variables.emplace_back(each.substr(0, equals), each.substr(equals + 1));
    }
  }
};

// The commands that README or Dockerfile shows to run the image.
std::string Shown(const std::string& file) {
  const auto text = ReadFile(kSource + "/" + file);
  std::string commands;
  if (file == "Dockerfile") {
    for (const auto& line : Split(text, "\n")) {
      if (line.starts_with("#   ")) commands += line.substr(4) + "\n";
    }
    return commands;
  }
  for (const auto& block : Split(text, "```sh\n")) {
    const auto code = block.substr(0, block.find("```"));
    if (code.find("docker run") != std::string::npos) commands += code;
  }
  return commands;
}

class Container {
 public:
  explicit Container(const std::string& shown) {
    fs::create_directories(root_);
    for (const auto& command : image_.fill) {
      Shell(Replaced(
          Replaced(command, "build/release/control-tower", RequiredVariable("TOWER_BINARY")),
          "/root-fs", root_));
    }
    Interpret(Ran(shown));
    for (const auto& path : image_.owned) {
      if (geteuid() == 0) Shell("chown " + image_.user + ":" + image_.group + " " + root_ + path);
    }
  }

  // Whether this machine lets us enter another root as another user.
  bool CanRun() const { return std::system((Enter("/") + " true 2>/dev/null").c_str()) == 0; }
  TowerProcess Start() const {
    // The first argument is the binary that tests run; here that of the image is run.
    return TowerProcess(
        folder_, arguments_, image_.variables,
        {"sh", "-c", "shift; exec " + Enter(root_) + " " + image_.entrypoint + " \"$@\"", "image"});
  }
  std::string Written(const std::string& name) const { return ReadFile(folder_ / name); }
  fs::path operator/(const std::string& path) const { return root_ + path; }

 private:
  // The arguments of `docker run`, when the commands are followed in a folder of ours.
  Strings Ran(const std::string& commands) const {
    folder_.Write("bin/docker",
                  "#!/bin/sh\n[ \"$1\" = run ] || exit 0\nshift\nprintf '%s\\n' \"$@\" >ran\n");
    folder_.Write("commands", "set -eu\n" + commands);
    Shell("cd " + folder_.path().string() +
          " && chmod +x bin/docker && PATH=$PWD/bin:$PATH sh commands");
    auto ran = Split(ReadFile(folder_ / "ran"), "\n");
    ran.pop_back();
    return ran;
  }
  void Interpret(const Strings& ran) {
    std::size_t at = 0;
    for (; at < ran.size() && ran[at].starts_with("--"); ++at) {
      if (ran[at] == "--rm") continue;
      if (ran[at] == "--publish") {
        published_ = ran[++at];
      } else if (ran[at] == "--volume") {
        Mount(Split(ran[++at], ":"));
      } else {
        FAIL("an option of docker run that this test does not know: " + ran[at]);
      }
    }
    REQUIRE(at < ran.size());
    CHECK(ran[at] == "control-tower");  // the image
    CHECK(published_ == "127.0.0.1:8000:8000");
    arguments_.assign(ran.begin() + static_cast<std::ptrdiff_t>(at) + 1, ran.end());
    arguments_.insert(arguments_.end(), {"--server.port", "0"});  // any that is free here
  }
  void Mount(const Strings& volume) {
    REQUIRE(volume.size() >= 2);
    const auto target = *this / volume[1];
    if (!volume[0].starts_with("/")) {  // one of the engine's, which begins as what the image has
      CHECK(fs::is_directory(target));
      return;
    }
    fs::create_directories(target.parent_path());
    fs::copy(volume[0], target);
  }
  std::string Enter(const std::string& root) const {
    const std::string identity = geteuid() == 0
                                     ? "--setuid=" + image_.user + " --setgid=" + image_.group
                                     : "--map-user=" + image_.user + " --map-group=" + image_.group;
    return "unshare " + identity + " --root=" + root +
           " --wd=" + (root == "/" ? "/" : image_.folder);
  }

  const TempDir folder_;
  const std::string root_ = folder_ / "root";
  const Image image_;
  Strings arguments_;
  std::string published_;
};

}  // namespace

TEST_CASE("the image runs with the commands that are shown", "[image]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  SKIP("this binary is not static");
#endif
  const std::string file = GENERATE("README.md", "Dockerfile");
  INFO(file);
  const auto shown = Shown(file);
  REQUIRE_THAT(shown, ContainsSubstring("docker run"));
  const Container container(shown);
  if (!container.CanRun()) SKIP("needs root or user namespaces");

  auto tower = container.Start();
  REQUIRE(tower.BecomesReady());
  const std::string trigger = R"({"apiVersion":"A/v1","protocol":"P","spec":{}})";
  CHECK(tower.Post(trigger).status == 401);
  auto token = container.Written("tokens");
  token = token.substr(token.find(':') + 1, token.find('\n') - token.find(':') - 1);
  CHECK(tower.Post(trigger, "Authorization: Bearer " + token + "\r\n").status == 202);
  CHECK(Eventually([&] { return tower.out().find(R"("protocol":"P")") != std::string::npos; }));
  CHECK(fs::exists(container / "/data/control-tower.db"));
  struct stat process {};
  REQUIRE(stat(("/proc/" + std::to_string(tower.pid())).c_str(), &process) == 0);
  if (geteuid() == 0) CHECK(process.st_uid == 65532);
  CHECK(tower.Stop() == 0);
}

}  // namespace tower
