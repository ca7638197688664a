// Writes JSON: the punctuation between names and values is the writer's, so that no caller
// concatenates it.
#ifndef CORE_JSON_WRITER_H_
#define CORE_JSON_WRITER_H_

#include <charconv>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

#include "core/json/json.h"

namespace tower {

// Appends compact JSON to a string that outlives it. The caller keeps the order: in an object each
// value follows its Key, and every Begin has its End. A value outside of any object or array is
// allowed, one after another. Costs what appending the text costs.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) noexcept : out_(out) {}

  JsonWriter& BeginObject() { return Begin('{'); }
  JsonWriter& EndObject() { return End('}'); }
  JsonWriter& BeginArray() { return Begin('['); }
  JsonWriter& EndArray() { return End(']'); }

  JsonWriter& Key(std::string_view name) {
    Separate();
    AppendJsonString(out_, name);
    out_ += ':';
    separate_ = false;
    return *this;
  }

  // A string; what is not UTF-8 in it becomes U+FFFD.
  JsonWriter& Value(std::string_view text) {
    Separate();
    AppendJsonString(out_, text);
    return Written();
  }
  JsonWriter& Value(const char* text) { return Value(std::string_view(text)); }
  template <std::same_as<bool> Boolean>  // no other type becomes one
  JsonWriter& Value(Boolean value) {
    return Raw(value ? "true" : "false");
  }
  template <std::integral Number>
  requires(!std::same_as<Number, bool>) JsonWriter& Value(Number number) {
    char digits[24];
    const char* end = std::to_chars(digits, std::end(digits), number).ptr;
    return Raw(std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }
  JsonWriter& Null() { return Raw("null"); }

  // A value that is JSON already, and is not looked at.
  JsonWriter& Raw(std::string_view json) {
    Separate();
    out_ += json;
    return Written();
  }

  // A member of an object.
  template <typename T>
  JsonWriter& Member(std::string_view name, const T& value) {
    return Key(name).Value(value);
  }
  JsonWriter& RawMember(std::string_view name, std::string_view json) {
    return Key(name).Raw(json);
  }

 private:
  void Separate() {
    if (separate_) out_ += ',';
  }
  JsonWriter& Written() noexcept {
    separate_ = true;
    return *this;
  }
  JsonWriter& Begin(char bracket) {
    Separate();
    out_ += bracket;
    separate_ = false;
    return *this;
  }
  JsonWriter& End(char bracket) {
    out_ += bracket;
    return Written();
  }

  std::string& out_;
  bool separate_ = false;  // what was written last is a value that another one follows
};

}  // namespace tower

#endif  // CORE_JSON_WRITER_H_
