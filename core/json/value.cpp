#include "core/json/json.h"
#include "core/json/text.h"

namespace tower {

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
