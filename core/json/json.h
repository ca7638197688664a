// A JSON parser (RFC 8259) with limits that works in place: one pass checks the whole text and
// records where its values begin and end. Values are not converted, so that every byte can be
// passed on unchanged.
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

// An error in an input.
struct Fault {
  // The place as a JSON pointer (RFC 6901) such as "/spec/0"; "" is the whole document. At most
  // kMaxPointerBytes; a longer pointer is shortened to that of an enclosing value.
  std::string pointer;
  std::string detail;      // what is wrong, and what is expected instead
  std::size_t offset = 0;  // of the faulty byte in the text, from which a line can be computed
};

using Faults = std::vector<Fault>;  // never empty when it is returned as an error

// At most this many faults of one text are listed; one more says that others were left out.
inline constexpr std::size_t kMaxFaults = 200;
inline constexpr std::size_t kMaxPointerBytes = 1024;
inline constexpr std::size_t kMaxJsonDepth = 64;  // nested arrays and objects

// Formats at most `limit` faults as `pointer: detail; pointer: detail`.
std::string Describe(const Faults& faults, std::size_t limit = 5);

// Appends a fault. After kMaxFaults it appends, once, a fault that says that others were left out.
void AddFault(Faults& faults, Fault fault);

// Appends "/" and `token` with "~" and "/" escaped (RFC 6901). Returns false and appends nothing if
// the pointer would be longer than kMaxPointerBytes.
bool AppendPointer(std::string& pointer, std::string_view token);

// Appends `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

// The offset of the first byte that is not part of well-formed UTF-8 (RFC 3629: no overlong form,
// no surrogate, nothing above U+10FFFF), or npos.
std::size_t FindInvalidUtf8(std::string_view text) noexcept;

// Whether `text` is well-formed UTF-8 (RFC 3629).
bool IsUtf8(std::string_view text) noexcept;

enum class JsonType : std::uint8_t { kNull, kFalse, kTrue, kNumber, kString, kArray, kObject };

// "null", "a boolean", "a number", "a string", "an array", "an object".
std::string_view ToString(JsonType type) noexcept;

class JsonTape;

// A value in a parsed text. It refers to its tape and is valid until the tape reads the next text.
class JsonValue {
 public:
  class Iterator;

  JsonType type() const noexcept;
  // The bytes of the value, including the quotes of a string, and their offset in the whole text.
  std::string_view text() const noexcept;
  std::size_t offset() const noexcept;

  // The content of a string, unescaped. REQUIRES: type() is kString.
  std::string String() const;

  // The recorded items of an array or members of an object, in order; empty for other types.
  Iterator begin() const noexcept;
  Iterator end() const noexcept;
  std::size_t size() const noexcept;  // the cost is linear
  // The member with this name, or nullopt.
  std::optional<JsonValue> Find(std::string_view name) const;

  // The unescaped name of a member of an object.
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
  std::size_t depth = kMaxJsonDepth;  // deeper nesting is refused; at most 1000
  // Values at a greater depth are checked but not recorded; the root has depth 0.
  std::size_t record = kMaxJsonDepth;
};

// Parses one text at a time. Reusing a tape saves allocations. Not thread-safe.
class JsonTape {
 public:
  JsonTape();
  ~JsonTape();
  JsonTape(const JsonTape&) = delete;
  JsonTape& operator=(const JsonTape&) = delete;

  // Returns the root of `text`, which must outlive the value. In addition to invalid JSON it
  // refuses a byte order mark, a zero byte, invalid UTF-8, a lone surrogate, two members with the
  // same name in one object, nesting beyond the limit, and texts of 4 GiB or more. The cost is
  // linear, except n log n in the members of one object. Throws only std::bad_alloc.
  tl::expected<JsonValue, Faults> Read(std::string_view text, const JsonLimits& limits = {});

  // Like Read, for an array of any length: passes each item of the root to `each` as soon as it is
  // parsed, and drops it afterwards. A fault can occur in a later part of the text. If `each`
  // returns false, parsing ends without a fault. A root that is not an array is recorded as by
  // Read.
  tl::expected<JsonValue, Faults> ReadItems(std::string_view text, const JsonLimits& limits,
                                            const std::function<bool(const JsonValue&)>& each);

  // Releases memory that only a large text needed, about 30 bytes for each recorded value.
  // Invalidates the values of the last text.
  void Trim();

 private:
  friend class JsonValue;
  class Handler;
  struct Scratch;

  // Nodes are in the order in which the values begin; the content of a container follows it. All
  // numbers are offsets into the text.
  struct Node {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    std::uint32_t name_begin = 0;  // behind the opening quote; 0 if there is no name
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
