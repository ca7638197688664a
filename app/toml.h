// TOML text: its values, or where and why it is none. The only room that includes toml++; only
// app/config_file.cpp and tests include this one.
#ifndef APP_TOML_H_
#define APP_TOML_H_

#include <exception>
#include <string>
#include <string_view>
#include <variant>

namespace tower::internal {

// Thrown where toml++ asserts: what it asserts may be the text's fault (`[.a]`), which must not end
// the process. (With NDEBUG it would go on, and its behaviour be undefined.)
struct TomlAssertion : std::exception {
  const char* what() const noexcept override { return "toml++ asserted something that is not so"; }
};
constexpr void AssertToml(bool holds) {
  if (!holds) throw TomlAssertion();
}

}  // namespace tower::internal

#define TOML_ASSERT(condition) ::tower::internal::AssertToml(static_cast<bool>(condition))
#include <toml++/toml.h>

namespace tower {

struct TomlFault {
  std::size_t line = 0, column = 0;  // from 1
  std::string what;                  // without what could be a secret
};

// Never throws but for want of memory. `text` is a whole file.
std::variant<toml::table, TomlFault> ParseToml(std::string_view text);

}  // namespace tower

#endif  // APP_TOML_H_
