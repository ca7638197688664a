// JSON (RFC 8259) read with our limits, in place: one pass checks the whole text and notes where
// its values begin and end. Nothing is converted or written anew, so that every byte can be passed
// on as it came.
#ifndef CORE_JSON_JSON_H_
#define CORE_JSON_JSON_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace tower {

// One thing that is wrong with an input.
struct Fault {
  // Where: a JSON pointer (RFC 6901) such as "/spec/0"; "" is the whole document. At most
  // kMaxPointerBytes; a longer one is cut to the pointer of an enclosing value.
  std::string pointer;
  std::string detail;      // what, and what is expected instead
  std::size_t offset = 0;  // of the faulty byte in the text, for those who want a line number
};

using Faults = std::vector<Fault>;  // never empty where it stands for an error

inline constexpr std::size_t kMaxFaults = 200;  // listed of one text; then one that says so
inline constexpr std::size_t kMaxPointerBytes = 1024;
inline constexpr std::size_t kMaxJsonDepth = 64;  // arrays and objects around one another

// `pointer: detail; pointer: detail`, at most `limit` of them.
std::string Describe(const Faults& faults, std::size_t limit = 5);

// Appends a fault, or once that too many are listed are left out.
void AddFault(Faults& faults, Fault fault);

// Appends "/" and `token` with "~" and "/" escaped (RFC 6901), or nothing where the pointer would
// be longer than kMaxPointerBytes; then returns false.
bool AppendPointer(std::string& pointer, std::string_view token);

// Appends `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

// Where the first byte stands that is not part of well-formed UTF-8 (RFC 3629: no overlong form, no
// surrogate, nothing above U+10FFFF), or npos.
std::size_t FindInvalidUtf8(std::string_view text) noexcept;

// Whether `text` is well-formed UTF-8 (RFC 3629).
bool IsUtf8(std::string_view text) noexcept;

enum class JsonType : std::uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

// "null", "a boolean", "a number", "a string", "an array", "an object".
std::string_view ToString(JsonType type) noexcept;

class JsonTape;

// A value in a text that was read. Refers to its tape: valid until the tape reads the next text.
class JsonValue {
 public:
  class Iterator;

  JsonType type() const noexcept;
  // The bytes of the value, the quotes of a string included, and where they begin in the whole
  // text.
  std::string_view text() const noexcept;
  std::size_t offset() const noexcept;

  // A string without its quotes and escapes. REQUIRES: type() is kString.
  std::string String() const;

  // The items of an array or the members of an object that were recorded, in order; none of
  // anything else.
  Iterator begin() const noexcept;
  Iterator end() const noexcept;
  std::size_t size() const noexcept;  // counts them
  // The member of that name.
  std::optional<JsonValue> Find(std::string_view name) const;

  // Of a member of an object: its name, unescaped.
  std::string Name() const;
  bool NameIs(std::string_view name) const;
  std::size_t name_offset() const noexcept;

 private:
  friend class JsonTape;
  JsonValue(const JsonTape* tape, std::uint32_t index) noexcept : tape_(tape), index_(index) {}

  const JsonTape* tape_;
  std::uint32_t index_;
};

class JsonValue::Iterator {
 public:
  explicit Iterator(JsonValue at) noexcept : at_(at) {}
  const JsonValue& operator*() const noexcept { return at_; }
  const JsonValue* operator->() const noexcept { return &at_; }
  Iterator& operator++() noexcept;
  bool operator==(const Iterator& other) const noexcept { return at_.index_ == other.at_.index_; }

 private:
  JsonValue at_;
};

struct JsonLimits {
  std::size_t depth = kMaxJsonDepth;   // deeper nesting is refused; at most 1000
  std::size_t record = kMaxJsonDepth;  // deeper values are checked, not recorded; the root is at 0
};

// Reads one text at a time; reading many with one tape saves allocations. Not thread-safe.
class JsonTape {
 public:
  JsonTape();
  ~JsonTape();
  JsonTape(const JsonTape&) = delete;
  JsonTape& operator=(const JsonTape&) = delete;

  // The root of `text`, which must outlive the value. Refused, beyond what is not JSON: a byte
  // order mark, a zero byte, bytes that are not UTF-8, half of a surrogate pair, two members of the
  // same name in one object, nesting beyond the limit, 4 GiB and more. The cost is linear, or n log
  // n in the members of one object. Throws nothing but std::bad_alloc.
  tl::expected<JsonValue, Faults> Read(std::string_view text, const JsonLimits& limits = {});

  // The same, for an array of any length: hands each item of the root to `each` once it is read,
  // and forgets it when that returns. A text can turn out to be faulty after that. Where `each`
  // returns false, reading ends there without a fault. A root that is no array is recorded as
  // usual.
  tl::expected<JsonValue, Faults> ReadItems(std::string_view text, const JsonLimits& limits,
                                            const std::function<bool(const JsonValue&)>& each);

  // Gives back the memory that only a large text needed, about 30 bytes for each value recorded.
  // Ends the values of the last text.
  void Trim();

 private:
  friend class JsonValue;
  class Handler;
  struct Scratch;

  // Values in the order in which they begin; what a container holds follows it. All are offsets.
  struct Node {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t name_begin = 0;  // between the quotes; 0 where there is none
    std::uint32_t name_end = 0;
    std::uint32_t next = 0;  // index of the first node that is not inside this one
    JsonType type = JsonType::kNull;
    bool name_escaped = false;
    bool escaped = false;
  };

  std::string_view text_;
  std::vector<Node> nodes_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace tower

#endif  // CORE_JSON_JSON_H_
