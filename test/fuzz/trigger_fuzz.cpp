// Feeds bytes to the trigger parser: it never crashes, and what it accepts comes through whole.
//
//   CXX=clang++ cmake -G Ninja -B build/fuzz -DTOWER_FUZZ=ON -DTOWER_SANITIZE=address,undefined
//   ninja -C build/fuzz trigger-fuzz && mkdir -p build/fuzz/corpus
//   build/fuzz/trigger-fuzz -max_total_time=600 build/fuzz/corpus test/fuzz/seeds
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/trigger/trigger.h"

namespace tower {
namespace {

void Expect(bool condition) {
  if (!condition) std::abort();
}

void CheckFaults(const Faults& faults, std::string_view text) {
  Expect(!faults.empty() && faults.size() <= kMaxFaults + 1);
  JsonTape tape;
  for (const Fault& fault : faults) {
    Expect(fault.offset <= text.size());
    Expect(fault.pointer.size() <= kMaxPointerBytes);
    std::string written;
    AppendJsonString(written, fault.pointer);
    Expect(tape.Read(written).has_value());
  }
}

void CheckTrigger(const Trigger& trigger, std::string_view text) {
  Expect(text.find(trigger.json()) != std::string_view::npos);
  Expect(RoutingKey(trigger.api_version(), trigger.protocol()).size() <= kMaxRoutingKeyBytes);
  const Uuid uuid = trigger.uuid().value_or(NewUuidV7());
  const auto again = Trigger::Parse(trigger.BodyWith(uuid));
  Expect(again.has_value() && again->uuid() == uuid);
  Expect(again->api_version() == trigger.api_version());
  Expect(again->protocol() == trigger.protocol());
  Expect(again->json().ends_with(trigger.json().substr(1)));
}

void Check(const tl::expected<std::vector<Trigger>, Faults>& triggers, std::string_view text) {
  if (!triggers) return CheckFaults(triggers.error(), text);
  Expect(!triggers->empty() && triggers->size() <= kMaxBatch);
  for (const Trigger& trigger : *triggers) CheckTrigger(trigger, text);
}

// Every value lies in its parent, and its text is a JSON text of the same type.
void CheckValue(const JsonValue& value, std::string_view text, std::size_t depth) {
  Expect(value.offset() + value.text().size() <= text.size());
  Expect(value.text().data() == text.data() + value.offset());
  if (value.type() == JsonType::kString) value.String();
  if (depth == 0) return;
  JsonTape tape;
  const auto alone = tape.Read(value.text());
  Expect(alone.has_value() && alone->type() == value.type() && alone->size() == value.size());
  for (const JsonValue& child : value) {
    if (value.type() == JsonType::kObject) Expect(value.Find(child.Name())->text() == child.text());
    CheckValue(child, text, depth - 1);
  }
}

}  // namespace
}  // namespace tower

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  tower::Check(tower::ParseTriggers(text), text);
  tower::Check(tower::ParseTriggerLines(text), text);
  tower::JsonTape tape;
  if (const auto root = tape.Read(text); root && size < 4096) tower::CheckValue(*root, text, 3);
  return 0;
}
