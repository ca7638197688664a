// Parses TOML. Only this unit includes toml++; only app/config_file.cpp and tests include this
// header.
#ifndef APP_TOML_H_
#define APP_TOML_H_

#include <exception>
#include <string>
#include <string_view>
#include <variant>

namespace tower::internal {

// Thrown for a failed assertion of toml++. An invalid text (`[.a]`) can cause one, which must not
// end the process. (With NDEBUG the behaviour would be undefined.)
struct TomlAssertion : std::exception {
  const char* what() const noexcept override { return "an assertion of toml++ failed"; }
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
  std::string what;                  // contains no value, which may be a secret
};

// Parses a whole file. Throws only std::bad_alloc.
std::variant<toml::table, TomlFault> ParseToml(std::string_view text);

}  // namespace tower

#endif  // APP_TOML_H_
