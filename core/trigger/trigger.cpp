#include "core/trigger/trigger.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "core/trigger/plate.h"

namespace tower {
namespace {

// The rules concern values up to this depth: the items of metadata.spec.
constexpr std::size_t kRuledDepth = 3;
constexpr std::string_view kWhiteSpace = " \t\r\n";

constexpr std::string_view kUuidMember = R"("uuid":"00000000-0000-0000-0000-000000000000",)";

// Inserts the uuid as the first member of an object that has other members.
void InsertUuid(std::string& json, const Uuid& uuid) {
  json.insert(1, kUuidMember);
  uuid.Write(json.data() + 1 + kUuidMember.find('0'));
}

// Uses the tape of this thread, and trims it afterwards.
class Tape {
 public:
  Tape() = default;
  ~Tape() { tape_.Trim(); }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  JsonTape* operator->() const noexcept { return &tape_; }

 private:
  static thread_local JsonTape tape_;
};

thread_local JsonTape Tape::tape_;

Fault TooMany(std::size_t offset) {
  return {"", "more than " + std::to_string(kMaxBatch) + " triggers in one batch", offset};
}

}  // namespace

// Checks one trigger of a text, and adds each fault.
class TriggerParser {
 public:
  // `index` is the index of the trigger in its batch, if there is one.
  TriggerParser(Faults& faults, std::optional<std::size_t> index)
      : faults_(faults), index_(index) {}

  Trigger Check(const JsonValue& root) {
    Trigger trigger;
    if (root.type() != JsonType::kObject) {
      Fail({}, "expected a trigger, a JSON object, found " + std::string(ToString(root.type())),
           root.offset());
      return trigger;
    }
    root_offset_ = root.offset();
    Sort(root);
    const bool named = CheckName("apiVersion", api_version_, trigger.api_version_);
    if (CheckName("protocol", protocol_, trigger.protocol_) && named) CheckRoutingKey(trigger);
    if (plate_) CheckPlate();
    if (spec_) {
      CheckSpec({"spec"}, *spec_);
    } else {
      Fail({"spec"}, "missing; every trigger has a spec", root_offset_);
    }
    if (metadata_) CheckMetadata();
    if (uuid_) CheckUuid(trigger);
    const auto text = root.text();
    trigger.json_.reserve(text.size() + (trigger.uuid_ ? 0 : kUuidMember.size()));
    trigger.json_ = text;
    return trigger;
  }

 private:
  using Path = std::initializer_list<std::string_view>;

  void Fail(Path path, std::string detail, std::size_t offset) {
    std::string pointer;
    if (index_) AppendPointer(pointer, std::to_string(*index_));
    for (const std::string_view token : path)
      if (!AppendPointer(pointer, token)) break;
    AddFault(faults_, {std::move(pointer), std::move(detail), offset});
  }

  bool HasType(Path path, const JsonValue& value, JsonType type) {
    if (value.type() == type) return true;
    std::string detail = "expected ";
    detail.append(ToString(type)).append(", found ").append(ToString(value.type()));
    Fail(path, std::move(detail), value.offset());
    return false;
  }

  void Sort(const JsonValue& root) {
    const std::pair<std::string_view, std::optional<JsonValue>*> known[] = {
        {"apiVersion", &api_version_},
        {"protocol", &protocol_},
        {"spec", &spec_},
        {"plate", &plate_},
        {"metadata", &metadata_},
        {"uuid", &uuid_}};
    for (const JsonValue& member : root) {
      const auto* const match =
          std::find_if(std::begin(known), std::end(known),
                       [&member](const auto& candidate) { return member.NameIs(candidate.first); });
      if (match != std::end(known)) {
        *match->second = member;
      } else {
        Fail({member.Name()},
             "unknown member; a trigger has apiVersion, protocol, spec, plate, metadata and uuid",
             member.name_offset());
      }
    }
  }

  bool CheckName(std::string_view member, const std::optional<JsonValue>& value,
                 std::string& name) {
    if (!value) {
      Fail({member}, "missing; every trigger has this string", root_offset_);
      return false;
    }
    if (!HasType({member}, *value, JsonType::kString)) return false;
    name = value->String();
    const std::size_t faults_before = faults_.size();
    if (name.empty()) Fail({member}, "must not be empty", value->offset());
    if (name.size() > kMaxNameBytes) {
      Fail({member},
           std::to_string(name.size()) + " bytes; at most " + std::to_string(kMaxNameBytes),
           value->offset());
    }
    if (!std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c <= '~'; }))
      Fail({member}, "only printable ASCII without spaces is allowed", value->offset());
    return faults_.size() == faults_before;
  }

  void CheckRoutingKey(const Trigger& trigger) {
    const std::size_t size = trigger.api_version_.size() + 1 + trigger.protocol_.size();
    if (size <= kMaxRoutingKeyBytes) return;
    Fail({"protocol"},
         "makes a routing key of " + std::to_string(size) + " bytes with apiVersion; at most " +
             std::to_string(kMaxRoutingKeyBytes),
         protocol_->offset());
  }

  void CheckPlate() {
    if (!HasType({"plate"}, *plate_, JsonType::kObject)) return;
    std::optional<std::size_t> rows, columns;
    for (const JsonValue& member : *plate_) {
      const bool is_rows = member.NameIs("rows");
      if (!is_rows && !member.NameIs("columns")) {
        Fail({"plate", member.Name()}, "unknown member; a plate has rows and columns",
             member.name_offset());
        continue;
      }
      auto& side = is_rows ? rows : columns;
      // A fraction or an exponent is a fault, even if the number is whole.
      if (member.type() == JsonType::kNumber) side = ParsePlateSide(member.text());
      if (!side) {
        Fail({"plate", is_rows ? "rows" : "columns"},
             "expected an integer from 1 to " + std::to_string(kMaxPlateSide), member.offset());
      }
    }
    for (const std::string_view side : {"rows", "columns"})
      if (!plate_->Find(side)) Fail({"plate", side}, "missing", plate_->offset());
    if (rows && columns) wells_ = *rows * *columns;
  }

  // The spec of the trigger, or that of its metadata.
  void CheckSpec(Path path, const JsonValue& spec) {
    if (!plate_) {
      if (spec.type() == JsonType::kArray) {
        Fail(path, "expected an object; it is an array only together with plate", spec.offset());
      } else {
        HasType(path, spec, JsonType::kObject);
      }
      return;
    }
    if (spec.type() != JsonType::kArray) {
      Fail(path,
           "expected an array with an item for each well of plate, found " +
               std::string(ToString(spec.type())),
           spec.offset());
      return;
    }
    std::size_t count = 0;
    for (const JsonValue& item : spec) {
      if (item.type() != JsonType::kObject && item.type() != JsonType::kNull) {
        const std::string index = std::to_string(count);
        std::string detail = "expected an object, or null to leave the well alone, found ";
        detail.append(ToString(item.type()));
        if (path.size() == 1) {
          Fail({*path.begin(), index}, std::move(detail), item.offset());
        } else {
          Fail({*path.begin(), path.begin()[1], index}, std::move(detail), item.offset());
        }
      }
      ++count;
    }
    if (wells_ && count != *wells_) {
      Fail(path,
           "has " + std::to_string(count) + " items; the plate has " + std::to_string(*wells_) +
               " wells",
           spec.offset());
    }
  }

  void CheckMetadata() {
    if (!HasType({"metadata"}, *metadata_, JsonType::kObject)) return;
    for (const JsonValue& member : *metadata_) {
      if (member.NameIs("source")) HasType({"metadata", "source"}, member, JsonType::kString);
      if (member.NameIs("spec")) CheckSpec({"metadata", "spec"}, member);
    }
  }

  void CheckUuid(Trigger& trigger) {
    if (!HasType({"uuid"}, *uuid_, JsonType::kString)) return;
    trigger.uuid_ = Uuid::Parse(uuid_->String());
    if (!trigger.uuid_)
      Fail({"uuid"}, "expected a UUID such as 017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
           uuid_->offset());
  }

  Faults& faults_;
  const std::optional<std::size_t> index_;
  std::size_t root_offset_ = 0;
  std::optional<JsonValue> api_version_, protocol_, spec_, plate_, metadata_, uuid_;
  std::optional<std::size_t> wells_;  // rows × columns, if plate is valid
};

tl::expected<Trigger, Faults> Trigger::Parse(std::string_view json) {
  const Tape tape;
  const auto root = tape->Read(json, {.record = kRuledDepth});
  if (!root) return tl::unexpected(root.error());
  Faults faults;
  Trigger trigger = TriggerParser(faults, std::nullopt).Check(*root);
  if (!faults.empty()) return tl::unexpected(std::move(faults));
  return trigger;
}

std::string Trigger::BodyWith(const Uuid& uuid) const& {
  std::string body;
  body.reserve(json_.size() + kUuidMember.size());
  body = json_;
  if (!uuid_) InsertUuid(body, uuid);
  return body;
}

std::string Trigger::BodyWith(const Uuid& uuid) && {
  if (!uuid_) InsertUuid(json_, uuid);
  return std::move(json_);
}

tl::expected<std::vector<Trigger>, Faults> ParseTriggers(std::string_view json) {
  const auto first = json.find_first_not_of(kWhiteSpace);
  const bool batch = first != std::string_view::npos && json[first] == '[';
  if (!batch) {
    return Trigger::Parse(json).map([](Trigger&& trigger) {
      std::vector<Trigger> triggers;
      triggers.push_back(std::move(trigger));
      return triggers;
    });
  }
  std::vector<Trigger> triggers;
  Faults faults;
  bool too_many = false;
  const auto check = [&](const JsonValue& item) {
    too_many = triggers.size() == kMaxBatch;
    if (!too_many) triggers.push_back(TriggerParser(faults, triggers.size()).Check(item));
    return !too_many;
  };
  // The array itself does not count, so that the same depth limit applies to triggers with and
  // without a batch.
  const Tape tape;
  const auto root =
      tape->ReadItems(json, {.depth = kMaxJsonDepth + 1, .record = kRuledDepth + 1}, check);
  if (!root) return tl::unexpected(root.error());
  if (too_many) return tl::unexpected(Faults{TooMany(first)});
  if (triggers.empty()) return tl::unexpected(Faults{{"", "an array without a trigger", first}});
  if (!faults.empty()) return tl::unexpected(std::move(faults));
  return triggers;
}

tl::expected<std::vector<Trigger>, Faults> ParseTriggerLines(std::string_view ndjson) {
  std::vector<Trigger> triggers;
  triggers.reserve(std::min(
      kMaxBatch, static_cast<std::size_t>(std::count(ndjson.begin(), ndjson.end(), '\n')) + 1));
  Faults faults;
  const Tape tape;
  for (std::size_t begin = 0; begin < ndjson.size();) {
    const std::size_t end = std::min(ndjson.find('\n', begin), ndjson.size());
    const std::string_view line = ndjson.substr(begin, end - begin);
    const std::size_t line_begin = std::exchange(begin, end + 1);
    if (line.find_first_not_of(kWhiteSpace) == std::string_view::npos) continue;
    if (triggers.size() == kMaxBatch) return tl::unexpected(Faults{TooMany(line_begin)});

    Faults line_faults;
    const std::size_t index = triggers.size();
    if (const auto root = tape->Read(line, {.record = kRuledDepth})) {
      triggers.push_back(TriggerParser(line_faults, index).Check(*root));
    } else {
      triggers.emplace_back();
      line_faults = root.error();
      for (Fault& fault : line_faults) {
        std::string pointer = "/" + std::to_string(index);
        if (pointer.size() + fault.pointer.size() <= kMaxPointerBytes) pointer += fault.pointer;
        fault.pointer = std::move(pointer);
      }
    }
    for (Fault& fault : line_faults) {
      fault.offset += line_begin;
      AddFault(faults, std::move(fault));
    }
  }
  if (triggers.empty()) faults.push_back({"", "a text without a trigger", 0});
  if (!faults.empty()) return tl::unexpected(std::move(faults));
  return triggers;
}

std::string RoutingKey(std::string_view api_version, std::string_view protocol) {
  std::string key;
  AssignRoutingKey(key, api_version, protocol);
  return key;
}

void AssignRoutingKey(std::string& key, std::string_view api_version, std::string_view protocol) {
  key.reserve(api_version.size() + 1 + protocol.size());
  key = api_version;
  std::replace(key.begin(), key.end(), '/', '.');
  key.append(1, '.').append(protocol);
}

Result<Trigger> OptionCodec<Trigger>::Parse(std::string_view text) {
  auto trigger = Trigger::Parse(text);
  if (!trigger) return Error{ErrorCode::kInvalid, Describe(trigger.error())};
  return *std::move(trigger);
}

}  // namespace tower
