// Writes JSON, including the punctuation between names and values.
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

// Appends compact JSON to a string that outlives the writer. The caller is responsible for the
// order: in an object each value follows its Key, and every Begin has its End. Values outside of
// any object or array are allowed. The cost is that of appending the text.
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

  // Writes a string; invalid UTF-8 becomes U+FFFD.
  JsonWriter& Value(std::string_view text) {
    Separate();
    AppendJsonString(out_, text);
    return Written();
  }
  JsonWriter& Value(const char* text) { return Value(std::string_view(text)); }
  template <std::same_as<bool> Boolean>  // no other type converts to bool
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

  // Writes a value that is JSON already and is not checked.
  JsonWriter& Raw(std::string_view json) {
    Separate();
    out_ += json;
    return Written();
  }

  // Writes a member of an object.
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
  bool separate_ = false;  // a comma is needed before the next name or value
};

}  // namespace tower

#endif  // CORE_JSON_WRITER_H_
