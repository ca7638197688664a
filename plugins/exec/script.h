// Which file an interpreter is to read, as far as its command line says so plainly.
#ifndef PLUGINS_EXEC_SCRIPT_H_
#define PLUGINS_EXEC_SCRIPT_H_

#include <string>
#include <string_view>
#include <vector>

namespace tower::exec {

// Whether a program of this name runs scripts: python3.11, bash, perl, ….
bool IsInterpreter(std::string_view program);

// The argument of an interpreter that names its script; empty where there is none, as with
// `python3 -m module`, or where it need not be a path, as with `bash tool`.
std::string ScriptOf(const std::vector<std::string>& command);

}  // namespace tower::exec

#endif  // PLUGINS_EXEC_SCRIPT_H_
