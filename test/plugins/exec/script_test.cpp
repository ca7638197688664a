#include "plugins/exec/script.h"

#include <catch2/catch_test_macros.hpp>

namespace tower::exec {

TEST_CASE("interpreters are known by name and version", "[exec]") {
  for (const auto* program : {"/usr/bin/python3", "/opt/python3.11", "/bin/sh", "/bin/bash", "node",
                              "/usr/bin/perl5.36", "/usr/bin/Rscript"}) {
    CHECK(IsInterpreter(program));
  }
  for (const auto* program : {"/usr/bin/pythonic", "/bin/shred", "/usr/bin/tool", "/opt/nodes"}) {
    CHECK_FALSE(IsInterpreter(program));
  }
}

TEST_CASE("a script is named where its command says so plainly", "[exec]") {
  CHECK(ScriptOf({"python3", "/opt/x.py", "y.py"}) == "/opt/x.py");
  CHECK(ScriptOf({"python3", "-u", "-B", "x.py"}) == "x.py");
  CHECK(ScriptOf({"bash", "./run.sh"}) == "./run.sh");
  CHECK(ScriptOf({"python3", "-m", "tool.py"}).empty());
  CHECK(ScriptOf({"perl", "-ne", "print.x"}).empty());
  CHECK(ScriptOf({"bash", "tool"}).empty());
  CHECK(ScriptOf({"node", "./tool"}).empty());
  CHECK(ScriptOf({"python3", "-W", "a.b", "x.py"}).empty());
  CHECK(ScriptOf({"python3"}).empty());
}

}  // namespace tower::exec
