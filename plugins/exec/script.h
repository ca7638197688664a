// Finds the script in the command line of an interpreter.
#ifndef PLUGINS_EXEC_SCRIPT_H_
#define PLUGINS_EXEC_SCRIPT_H_

#include <string>
#include <string_view>
#include <vector>

namespace tower::exec {

// Whether a program of this name runs scripts: python3.11, bash, perl, ….
bool IsInterpreter(std::string_view program);

// The argument of an interpreter that is the path of its script. Empty if there is none, as in
// `python3 -m module`, or if it may not be a path, as in `bash tool`.
std::string ScriptOf(const std::vector<std::string>& command);

}  // namespace tower::exec

#endif  // PLUGINS_EXEC_SCRIPT_H_
