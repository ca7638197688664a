#include "plugins/exec/script.h"

#include <algorithm>

namespace tower::exec {

bool IsInterpreter(std::string_view program) {
  program.remove_prefix(program.rfind('/') + 1);
  for (const std::string_view name : {"python", "sh", "bash", "dash", "zsh", "ksh", "perl", "ruby",
                                      "node", "lua", "Rscript", "php", "tclsh"}) {
    if (!program.starts_with(name)) continue;
    const auto version = program.substr(name.size());
    if (version.find_first_not_of("0123456789.") == std::string_view::npos) return true;
  }
  return false;
}

std::string ScriptOf(const std::vector<std::string>& command) {
  for (std::size_t i = 1; i < command.size(); ++i) {
    const auto& argument = command[i];
    if (!argument.starts_with('-')) {
      const auto name = argument.substr(argument.rfind('/') + 1);
      // `bash tool` looks in PATH too, and `node ./tool` for tool.js.
      return name.find('.') == std::string::npos ? "" : argument;
    }
    // -c, -e and -m are followed by code or a module; a lone dash is standard input; what takes a
    // value, this can't know.
    const bool harmless =
        argument.size() == 2 &&
        std::string_view("uBEIsSOqwx").find(argument[1]) != std::string_view::npos;
    if (!harmless) return "";
  }
  return "";
}

}  // namespace tower::exec
