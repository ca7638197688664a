// third_party/fetch.sh: the same files whatever way they come, and no others.
#include <sys/wait.h>

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "test/support/http_service.h"
#include "test/support/temp_dir.h"

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string Read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// A mirror, an upstream repository and a snapshot service with version 1 of a library, and the
// script as it is in a checkout, with a pin for that library.
class Sources {
 public:
  Sources() {
    Shell("mkdir -p src/lib-1 third_party && cp '" TOWER_SOURCE_DIR
          "/third_party/fetch.sh' third_party/");
    folder_.Write("src/lib-1/lib.h", "// the library\n");
    folder_.Write("src/lib-1/parts/a b.c", "int a;\n");
    folder_.Write("src/lib-1/unused.txt", "nothing of it is needed\n");
    // Not by tar, which needs xz for that.
    Shell("cd src && cmake -E tar cJf ../lib.tar.xz lib-1");
    Shell(
        "cp -r src/lib-1 repository && cd repository && git init -q && git add . &&"
        " git -c user.name=a -c user.email=a@example.com commit -q -m 1 && git tag v1");
    folder_.Write("third_party/mirrors.sh", "#!/bin/sh\necho " + service_.Url("/debian") + "\n");
    folder_.Write("apt.conf", "Acquire::http::Proxy::127.0.0.1 \"DIRECT\";\n");
    Shell(
        "chmod +x third_party/mirrors.sh; echo \"version=1\nfiles='lib.h parts'\n"
        "sha256=$(cd src/lib-1 && find lib.h parts -type f | LC_ALL=C sort | xargs -d '\\n'"
        " sha256sum | sha256sum | cut -d ' ' -f 1)\n"
        "git=file://$PWD/repository\ntag=v1\npool=pool/main/l/lib/lib_1.orig.tar.xz\n"
        "archive_sha256=$(sha256sum <lib.tar.xz | cut -d ' ' -f 1)\nsnapshot=" +
        service_.Url("/file/1") + "\" >third_party/lib.pin");
  }

  int Shell(const std::string& command) {
    const int status = std::system(("cd '" + folder_.path().string() +
                                    "' && export no_proxy=127.0.0.1 APT_CONFIG=$PWD/apt.conf && (" +
                                    command + ") 2>said")
                                       .c_str());
    said = Read(folder_ / "said");
    return WEXITSTATUS(status);
  }
  int Fetch(const std::string& from = "") {
    return Shell("third_party/fetch.sh got lib" + (from.empty() ? "" : "=" + from));
  }
  // The files that are built, and no others, as they are upstream.
  bool Complete() {
    return Shell(
               "cd got/lib && diff lib.h ../../src/lib-1/lib.h &&"
               " diff -r parts ../../src/lib-1/parts && ! test -e unused.txt") == 0;
  }
  void Forget() { Shell("rm -rf got"); }
  std::size_t requests() const { return service_.requests().size(); }
  std::string target(std::size_t index) const { return service_.requests().at(index).target; }

  std::string said;  // on standard error
  std::atomic<bool> mirror_has_it = true, snapshot_has_it = true;

 private:
  ServedAnswer Serve(const ServedRequest& request) {
    const bool has_it = request.path.starts_with("/debian/pool/") ? mirror_has_it : snapshot_has_it;
    if (!has_it) return {.status = 404};
    return {.body = Read(folder_ / "lib.tar.xz")};
  }

  TempDir folder_;
  HttpService service_{[this](const ServedRequest& request) { return Serve(request); }};
};

TEST_CASE("pinned sources are the same whatever way they come", "[set-up]") {
  Sources f;
  const bool has_apt = std::filesystem::exists("/usr/lib/apt/apt-helper");
  if (has_apt) {
    REQUIRE(f.Fetch() == 0);
    CHECK_THAT(f.said, ContainsSubstring("lib_1.orig.tar.xz"));
    CHECK(f.Complete());
    // No list of a suite, whose dates and versions would matter.
    REQUIRE(f.requests() == 1);
    CHECK(f.target(0) == "/debian/pool/main/l/lib/lib_1.orig.tar.xz");
  }
  f.mirror_has_it = false;
  f.Forget();
  REQUIRE(f.Fetch() == 0);
  CHECK_THAT(f.said, ContainsSubstring("repository v1"));
  CHECK(f.Complete());

  f.Shell("mv repository moved");
  f.Forget();
  REQUIRE(f.Fetch() == 0);
  CHECK_THAT(f.said, ContainsSubstring("/file/1"));
  CHECK(f.Complete());
  const auto asked = f.requests();
  CHECK(f.Fetch() == 0);  // what is there is left as it is
  CHECK(f.said.empty());
  CHECK(f.requests() == asked);

  f.snapshot_has_it = false;
  f.Forget();
  for (const std::string given : {"src", "src/lib-1", "lib.tar.xz", "$PWD/lib.tar.xz"}) {
    INFO(given);
    CHECK(f.Fetch(given) == 0);
    CHECK(f.Complete());
  }
  CHECK(f.requests() == asked);

  f.Forget();
  CHECK(f.Fetch() == 1);
  CHECK_THAT(f.said, ContainsSubstring("cannot get the sources of lib 1"));
  if (has_apt)
    CHECK_THAT(f.said, ContainsSubstring("/debian/pool/main/l/lib/lib_1.orig.tar.xz:\n"));
  CHECK_THAT(f.said, ContainsSubstring("repository v1:\n"));
  CHECK_THAT(f.said, ContainsSubstring("/file/1:\n"));
}

TEST_CASE("sources that are not the pinned ones are not taken", "[set-up]") {
  Sources f;
  REQUIRE(f.Fetch("src") == 0);
  f.Shell("echo '// changed' >>got/lib/lib.h && echo 'int b;' >got/lib/parts/b.c");
  REQUIRE(f.Fetch() == 0);  // put right
  CHECK(f.Complete());

  f.Shell(
      "cp -r src other && echo 'int b;' >other/lib-1/parts/b.c && cd other && cmake -E tar cJf "
      "../lib.tar.xz lib-1");
  CHECK(f.Fetch("other") == 1);
  CHECK_THAT(f.said, ContainsSubstring("what was given for lib is not what"));
  CHECK(f.Fetch("lib.tar.xz") == 1);
  CHECK(f.Fetch("nowhere") == 1);
  CHECK(f.Complete());  // still

  f.Forget();
  f.Shell(
      "cd repository && cp -r ../other/lib-1/. . && git add . && git tag -d v1 &&"
      " git -c user.name=a -c user.email=a@example.com commit -q -m 2 && git tag v1");
  CHECK(f.Fetch() == 1);
  CHECK_THAT(f.said, ContainsSubstring("repository v1:\n    other sources than those of lib 1"));
  CHECK_THAT(f.said, ContainsSubstring("/file/1:\n    another SHA-256 than"));
  CHECK(f.Shell("test -e got/lib") == 1);
}

}  // namespace
}  // namespace tower
