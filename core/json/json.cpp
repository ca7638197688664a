#include "core/json/json.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/json/text.h"

// A failed assertion in the library must not end the process; Read turns it into a fault.
#define RAPIDJSON_ASSERT(condition)                          \
  do {                                                       \
    if (!(condition)) throw std::logic_error("" #condition); \
  } while (false)
#include <rapidjson/reader.h>

namespace tower {
namespace {

constexpr std::size_t kKeptEntries = 1 << 14;  // Trim keeps up to this much in each list
constexpr std::size_t kFewNames = 12;          // up to this many names are compared pairwise

// The input stream for RapidJSON's in-situ mode. In this mode the parser writes unescaped strings
// over the text and returns the pointer from PutBegin. Here writing only counts bytes, so the text
// stays unchanged, and a string has escapes if its length differs from the count.
class Stream {
 public:
  using Ch = char;

  explicit Stream(std::string_view text) noexcept
      : begin_(text.data()), at_(begin_), end_(begin_ + text.size()) {}

  Ch Peek() const noexcept { return at_ == end_ ? '\0' : *at_; }
  // The parser uses the result of Take only to compute the value of a number. Always returning '0'
  // makes it check only the syntax: no number is too large, and the library's overflow on tiny
  // numbers (CVE-2024-38517) cannot happen.
  Ch Take() noexcept {
    ++at_;
    return '0';
  }
  std::size_t Tell() const noexcept { return static_cast<std::size_t>(at_ - begin_); }

  // Called at the start of a string, and at the end of a number. Skips the bytes of a string that
  // need no escape at once, as if the parser had copied them one by one.
  Ch* PutBegin() noexcept {
    const char* const first = at_;
    const bool string = at_ != begin_ && at_[-1] == '"';
    written_ = string ? PlainPrefix({at_, static_cast<std::size_t>(end_ - at_)}) : 0;
    at_ += written_;
    return const_cast<Ch*>(first);  // never used for writing
  }
  void Put(Ch) noexcept { ++written_; }
  std::size_t PutEnd(Ch*) const noexcept { return written_; }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
  std::size_t written_ = 0;
};

std::string_view Explain(rapidjson::ParseErrorCode code) {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "the text is empty";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "more text follows the value";
    case rapidjson::kParseErrorObjectMissName:
      return "expected a member name in quotes";
    case rapidjson::kParseErrorObjectMissColon:
      return "expected a colon after a member name";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "expected a comma or } after a member";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "expected a comma or ] after an item";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "expected four hexadecimal digits after \\u";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "a lone surrogate";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "an unknown escape, or a control character in a string";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "a string without its closing quote";
    case rapidjson::kParseErrorNumberMissFraction:
      return "expected a digit after the decimal point";
    case rapidjson::kParseErrorNumberMissExponent:
      return "expected a digit in the exponent";
    default:
      return "expected a value";
  }
}

Fault NotJson(std::string_view why, std::size_t offset) {
  std::string detail = "not valid JSON: ";
  detail.append(why).append(" (byte ").append(std::to_string(offset)).append(")");
  return {"", std::move(detail), offset};
}

// The faults that can be found without parsing.
std::optional<Fault> CheckBytes(std::string_view text) {
  if (text.size() >= UINT32_MAX) return Fault{"", "the text is larger than 4 GiB", 0};
  constexpr std::string_view kMarks[] = {"\xEF\xBB\xBF", "\xFE\xFF", "\xFF\xFE"};
  if (std::any_of(std::begin(kMarks), std::end(kMarks),
                  [text](std::string_view mark) { return text.starts_with(mark); }))
    return NotJson("it begins with a byte order mark; send UTF-8 without one", 0);
  if (const auto zero = text.find('\0'); zero != std::string_view::npos)
    return NotJson("a zero byte", zero);
  if (const auto bad = FindInvalidUtf8(text); bad != std::string_view::npos)
    return NotJson("not UTF-8", bad);
  return std::nullopt;
}

}  // namespace

struct JsonTape::Scratch {
  struct Name {            // the name of a member of an open object
    std::uint32_t offset;  // of the opening quote
    std::uint32_t begin;   // in the text, or in Scratch::unescaped
    std::uint32_t size;
    bool unescaped;
  };

  struct Frame {  // an open array or object
    std::uint32_t node;
    std::uint32_t first_name;       // index into Scratch::names
    std::uint32_t first_unescaped;  // offset in Scratch::unescaped
    std::uint32_t count;            // values so far
    bool object;
    bool recorded;
  };

  std::vector<Frame> frames;
  std::vector<Name> names;  // of all open objects
  std::string unescaped;    // unescaped text of names with escapes
  Faults faults;

  void Clear() {
    frames.clear();
    names.clear();
    unescaped.clear();
    faults.clear();
  }
};

class JsonTape::Handler {
  using Name = Scratch::Name;

 public:
  using Each = std::function<bool(const JsonValue&)>;

  Handler(JsonTape& tape, const Stream& stream, const JsonLimits& limits, const Each& each)
      : tape_(tape),
        text_(tape.text_),
        nodes_(tape.nodes_),
        scratch_(*tape.scratch_),
        stream_(stream),
        limits_(limits),
        each_(each),
        by_item_(each != nullptr) {}

  bool Null() { return Literal(JsonType::kNull, 4); }
  bool Bool(bool value) {
    return value ? Literal(JsonType::kTrue, 4) : Literal(JsonType::kFalse, 5);
  }
  bool RawNumber(const char*, rapidjson::SizeType size, bool) {
    return Literal(JsonType::kNumber, size);
  }
  // Not called: numbers are passed to RawNumber.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }

  bool String(const char* content, rapidjson::SizeType unescaped_size, bool) {
    const auto end = Here();
    const auto begin = static_cast<std::uint32_t>(content - text_.data()) - 1;
    const bool escaped = end - begin - 2 != unescaped_size;
    if (Node* const node = Begin(JsonType::kString, begin)) {
      node->end = end;
      node->escaped = escaped;
    }
    if (escaped) CheckSurrogates(begin + 1, end - 1);
    return Finish();
  }

  bool Key(const char* content, rapidjson::SizeType unescaped_size, bool) {
    const auto begin = static_cast<std::uint32_t>(content - text_.data());
    const auto size = Here() - 1 - begin;
    Name name{begin - 1, begin, size, size != unescaped_size};
    name_begin_ = begin;
    name_end_ = begin + size;
    name_escaped_ = name.unescaped;
    if (name.unescaped) {
      name.begin = static_cast<std::uint32_t>(scratch_.unescaped.size());
      AppendUnescaped(scratch_.unescaped, text_.substr(begin, size));
      name.size = static_cast<std::uint32_t>(scratch_.unescaped.size()) - name.begin;
    }
    scratch_.names.push_back(name);
    if (name_escaped_) CheckSurrogates(name_begin_, name_end_);
    return true;
  }

  bool StartObject() { return Open(JsonType::kObject); }
  bool EndObject(rapidjson::SizeType) {
    CheckNames();
    return Close();
  }
  bool StartArray() { return Open(JsonType::kArray); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

 private:
  std::uint32_t Here() const { return static_cast<std::uint32_t>(stream_.Tell()); }

  // Counts a value and records it. Returns nullptr if it is too deep to be recorded.
  Node* Begin(JsonType type, std::uint32_t begin) {
    auto& frames = scratch_.frames;
    if (!frames.empty()) ++frames.back().count;
    if (frames.size() > limits_.record) return nullptr;
    Node& node = nodes_.emplace_back();
    node.begin = begin;
    node.type = type;
    node.next = static_cast<std::uint32_t>(nodes_.size());
    if (!frames.empty() && frames.back().object) {
      node.name_begin = name_begin_;
      node.name_end = name_end_;
      node.name_escaped = name_escaped_;
    }
    return &node;
  }

  bool Literal(JsonType type, std::uint32_t size) {
    if (Node* const node = Begin(type, Here() - size)) node->end = Here();
    return Finish();
  }

  bool Open(JsonType type) {
    const bool recorded = Begin(type, Here() - 1) != nullptr;
    auto& frames = scratch_.frames;
    if (frames.size() == limits_.depth) {
      AddFault(scratch_.faults,
               {Pointer(), "nested deeper than " + std::to_string(limits_.depth), Here() - 1});
      return false;
    }
    frames.push_back({static_cast<std::uint32_t>(nodes_.size()) - 1,
                      static_cast<std::uint32_t>(scratch_.names.size()),
                      static_cast<std::uint32_t>(scratch_.unescaped.size()), 0,
                      type == JsonType::kObject, recorded});
    return true;
  }

  bool Close() {
    const Scratch::Frame& frame = scratch_.frames.back();
    if (frame.recorded) {
      nodes_[frame.node].end = Here();
      nodes_[frame.node].next = static_cast<std::uint32_t>(nodes_.size());
    }
    scratch_.names.resize(frame.first_name);
    scratch_.unescaped.resize(frame.first_unescaped);
    scratch_.frames.pop_back();
    return Finish();
  }

  // Called at the end of each value. Returns false to end parsing.
  bool Finish() {
    if (!by_item_ || scratch_.frames.size() != 1 || scratch_.frames.front().object) return true;
    const bool more = each_(JsonValue(&tape_, 1));
    nodes_.resize(1);
    return more;
  }

  std::string_view Text(const Name& name) const {
    const std::string_view whole = name.unescaped ? std::string_view(scratch_.unescaped) : text_;
    return whole.substr(name.begin, name.size);
  }

  // The pointer of the innermost open container, or that of the `levels` outermost ones.
  std::string Pointer(std::size_t levels) const {
    std::string pointer;
    const auto& frames = scratch_.frames;
    for (std::size_t i = 0; i < levels; ++i) {
      const auto last = i + 1 < frames.size() ? frames[i + 1].first_name : scratch_.names.size();
      const bool fits = frames[i].object
                            ? AppendPointer(pointer, Text(scratch_.names[last - 1]))
                            : AppendPointer(pointer, std::to_string(frames[i].count - 1));
      if (!fits) break;
    }
    return pointer;
  }
  std::string Pointer() const { return Pointer(scratch_.frames.size()); }

  // The parser refuses a high surrogate without a low one; this finds the reverse.
  void CheckSurrogates(std::uint32_t begin, std::uint32_t end) {
    const auto half = FindLoneSurrogate(text_.substr(begin, end - begin));
    if (half == std::string_view::npos) return;
    AddFault(scratch_.faults, {Pointer(), "a lone surrogate", begin + half});
  }

  // Reports each repeated name of an object. Sorting bounds the cost for any names, unlike a hash
  // table.
  void CheckNames() {
    auto& names = scratch_.names;
    const auto first = names.begin() + scratch_.frames.back().first_name;
    if (static_cast<std::size_t>(names.end() - first) <= kFewNames) {
      for (auto later = first; later != names.end(); ++later) {
        for (auto name = first; name != later; ++name) {
          if (name->size == later->size && Text(*name) == Text(*later)) {
            ReportTwice(*later);
            break;
          }
        }
      }
      return;
    }
    std::sort(first, names.end(), [this](const Name& a, const Name& b) {
      if (a.size != b.size) return a.size < b.size;
      const int order = Text(a).compare(Text(b));
      return order != 0 ? order < 0 : a.offset < b.offset;
    });
    for (auto later = first + 1; later != names.end(); ++later)
      if (Text(later[-1]) == Text(*later)) ReportTwice(*later);
  }

  void ReportTwice(const Name& name) {
    std::string pointer = Pointer(scratch_.frames.size() - 1);
    AppendPointer(pointer, Text(name));
    AddFault(scratch_.faults, {std::move(pointer), "this member is there twice", name.offset});
  }

  const JsonTape& tape_;
  const std::string_view text_;
  std::vector<Node>& nodes_;
  Scratch& scratch_;
  const Stream& stream_;
  const JsonLimits limits_;
  const Each& each_;
  const bool by_item_;
  // The last name.
  std::uint32_t name_begin_ = 0;
  std::uint32_t name_end_ = 0;
  bool name_escaped_ = false;
};

JsonTape::JsonTape() : scratch_(std::make_unique<Scratch>()) {}
JsonTape::~JsonTape() = default;

void JsonTape::Trim() {
  if (nodes_.capacity() > kKeptEntries) std::vector<Node>().swap(nodes_);
  if (scratch_->names.capacity() > kKeptEntries) std::vector<Scratch::Name>().swap(scratch_->names);
  if (scratch_->unescaped.capacity() > kKeptEntries) std::string().swap(scratch_->unescaped);
}

tl::expected<JsonValue, Faults> JsonTape::Read(std::string_view text, const JsonLimits& limits) {
  return ReadItems(text, limits, nullptr);
}

tl::expected<JsonValue, Faults> JsonTape::ReadItems(
    std::string_view text, const JsonLimits& limits,
    const std::function<bool(const JsonValue&)>& each) {
  text_ = text;
  nodes_.clear();
  scratch_->Clear();
  if (auto fault = CheckBytes(text)) return tl::unexpected(Faults{*std::move(fault)});

  constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseNumbersAsStringsFlag;
  Faults& faults = scratch_->faults;
  try {
    Stream stream(text);
    Handler handler(*this, stream, limits, each);
    rapidjson::Reader reader;
    const auto parsed = reader.Parse<kFlags>(stream, handler);
    if (parsed.IsError() && parsed.Code() != rapidjson::kParseErrorTermination)
      AddFault(faults, NotJson(Explain(parsed.Code()), parsed.Offset()));
    if (!parsed.IsError() && stream.Tell() != text.size())
      AddFault(faults, NotJson("more text follows the value", stream.Tell()));
  } catch (const std::logic_error& error) {
    AddFault(faults, {"", std::string("the JSON parser failed: ") + error.what(), 0});
  }
  if (!faults.empty()) return tl::unexpected(std::exchange(faults, {}));
  return JsonValue(this, 0);
}

JsonType JsonValue::type() const noexcept { return tape_->nodes_[index_].type; }

std::size_t JsonValue::offset() const noexcept { return tape_->nodes_[index_].begin; }

std::string_view JsonValue::text() const noexcept {
  const auto& node = tape_->nodes_[index_];
  return {tape_->text_.data() + node.begin, node.end - node.begin};
}

std::string JsonValue::String() const {
  std::string_view content = text();
  content.remove_prefix(1);
  content.remove_suffix(1);
  if (!tape_->nodes_[index_].escaped) return std::string(content);
  std::string out;
  AppendUnescaped(out, content);
  return out;
}

JsonValue::Iterator JsonValue::begin() const noexcept {
  return Iterator(JsonValue(tape_, index_ + 1));
}

JsonValue::Iterator JsonValue::end() const noexcept {
  return Iterator(JsonValue(tape_, tape_->nodes_[index_].next));
}

JsonValue::Iterator& JsonValue::Iterator::operator++() noexcept {
  at_.index_ = at_.tape_->nodes_[at_.index_].next;
  return *this;
}

std::size_t JsonValue::size() const noexcept {
  std::size_t count = 0;
  for (auto it = begin(); it != end(); ++it) ++count;
  return count;
}

std::optional<JsonValue> JsonValue::Find(std::string_view name) const {
  if (type() != JsonType::kObject) return std::nullopt;
  for (const JsonValue& member : *this)
    if (member.NameIs(name)) return member;
  return std::nullopt;
}

std::string JsonValue::Name() const {
  const auto& node = tape_->nodes_[index_];
  std::string out;
  AppendUnescaped(out, tape_->text_.substr(node.name_begin, node.name_end - node.name_begin));
  return out;
}

bool JsonValue::NameIs(std::string_view name) const {
  const auto& node = tape_->nodes_[index_];
  if (node.name_escaped) return Name() == name;
  return std::string_view(tape_->text_.data() + node.name_begin, node.name_end - node.name_begin) ==
         name;
}

std::size_t JsonValue::name_offset() const noexcept { return tape_->nodes_[index_].name_begin - 1; }

}  // namespace tower
