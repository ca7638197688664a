// Holds the reader of the configuration file against https://github.com/toml-lang/toml-test: each
// file of valid/ is read and has the values that the JSON beside it tells, each of invalid/ is
// refused with line and column. `make conformance` runs it on the files of TOML 1.0.0.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <tuple>

#include "app/toml.h"
#include "core/json/json.h"

namespace tower {
namespace {

std::string ReadAll(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string Member(const JsonValue& value, std::string_view name) {
  const auto found = value.Find(name);
  return found && found->type() == JsonType::kString ? found->String() : "";
}

// "1987-07-05T17:45:56.6+08:00" as numbers, for a comparison that minds no spelling: fractions of
// any length, Z for +00:00.
using Moment = std::tuple<int, int, int, int, int, int, long long, int>;
Moment MomentOf(std::string text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offset = -1;
  if (text.size() >= 10 && text[4] == '-') {
    (void)std::sscanf(text.c_str(), "%d-%d-%d", &year, &month, &day);
    text.erase(0, std::min<std::size_t>(11, text.size()));
  }
  int length = 0;
  if (!text.empty()) {
    (void)std::sscanf(text.c_str(), "%d:%d:%d%n", &hour, &minute, &second, &length);
  }
  text.erase(0, static_cast<std::size_t>(length));
  std::string digits;
  if (text.starts_with('.')) {
    digits = text.substr(1, text.find_first_not_of("0123456789", 1) - 1);
    text.erase(0, digits.size() + 1);
  }
  digits.resize(9, '0');
  int hours = 0, minutes = 0;
  if (text == "Z" || text == "z") {
    offset = 0;
  } else if (std::sscanf(text.c_str(), "%*c%d:%d", &hours, &minutes) == 2) {
    offset = (text[0] == '-' ? -1 : 1) * (60 * hours + minutes);
    if (offset == -1) offset = -2;
  }
  return {year, month, day, hour, minute, second, std::stoll(digits), offset};
}

template <typename T>
std::string Printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

// What is not as it should be; "" where all is.
std::string Difference(const toml::node& node, const JsonValue& expected);

std::string DifferenceOfScalar(const toml::node& node, const JsonValue& expected) {
  const auto type = Member(expected, "type"), value = Member(expected, "value");
  const auto differs = [&](const std::string& is_type, const std::string& is, bool same) {
    return type == is_type && same ? "" : "expected " + type + " " + value + ", got " + is;
  };
  if (const auto* text = node.as_string())
    return differs("string", text->get(), text->get() == value);
  if (const auto* whole = node.as_integer()) {
    const auto is = std::to_string(whole->get());
    return differs("integer", is, is == value);
  }
  if (const auto* real = node.as_floating_point()) {
    const double is = real->get(), wanted = std::strtod(value.c_str(), nullptr);
    return differs("float", Printed(is), is == wanted || (std::isnan(is) && std::isnan(wanted)));
  }
  if (const auto* boolean = node.as_boolean()) {
    const std::string is = boolean->get() ? "true" : "false";
    return differs("bool", is, is == value);
  }
  const auto moment = [&](const char* is_type, const std::string& is) {
    return differs(is_type, is, MomentOf(is) == MomentOf(value));
  };
  if (const auto* date = node.as_date()) return moment("date-local", Printed(date->get()));
  if (const auto* time = node.as_time()) return moment("time-local", Printed(time->get()));
  const auto& both = node.as_date_time()->get();
  return moment(both.is_local() ? "datetime-local" : "datetime", Printed(both));
}

std::string Difference(const toml::node& node, const JsonValue& expected) {
  if (const auto* table = node.as_table()) {
    if (expected.type() != JsonType::kObject || expected.size() != table->size()) {
      return "expected another number of keys";
    }
    for (const auto& [key, inner] : *table) {
      const auto wanted = expected.Find(key.str());
      if (!wanted) return "unexpected key " + std::string(key.str());
      if (auto differs = Difference(inner, *wanted); !differs.empty()) {
        return std::string(key.str()) + ": " + differs;
      }
    }
    return "";
  }
  if (const auto* array = node.as_array()) {
    if (expected.type() != JsonType::kArray || expected.size() != array->size()) {
      return "expected another number of items";
    }
    auto wanted = expected.begin();
    for (const auto& item : *array) {
      if (auto differs = Difference(item, *wanted); !differs.empty()) return differs;
      ++wanted;
    }
    return "";
  }
  return DifferenceOfScalar(node, expected);
}

std::string Failure(const std::string& path, bool valid) {
  const auto read = ParseToml(ReadAll(path));
  const auto* fault = std::get_if<TomlFault>(&read);
  if (!valid) {
    if (fault == nullptr) return "is taken";
    return fault->line > 0 && fault->column > 0 ? "" : "the fault has no place";
  }
  if (fault != nullptr) return "is refused: " + fault->what;
  const auto json = ReadAll(path.substr(0, path.rfind('.')) + ".json");
  JsonTape tape;
  const auto expected = tape.Read(json);
  if (!expected) return "the JSON beside it can't be read: " + Describe(expected.error());
  return Difference(std::get<toml::table>(read), *expected);
}

int Run(const std::string& folder) {
  std::ifstream list(folder + "/files-toml-1.0.0");
  int right = 0, wrong = 0;
  for (std::string name; std::getline(list, name);) {
    if (!name.ends_with(".toml")) continue;
    const auto failure = Failure(folder + "/" + name, name.starts_with("valid/"));
    if (!failure.empty()) std::cout << name << ": " << failure << "\n";
    ++(failure.empty() ? right : wrong);
  }
  std::cout << "toml-test: " << right << " of " << right + wrong << " files are right\n";
  return right > 0 && wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tower

int main(int argc, char** argv) {
  if (argc == 2) return tower::Run(argv[1]);
  std::cerr << "usage: toml-conformance DIR, which holds files-toml-1.0.0, valid/ and invalid/\n";
  return 2;
}
