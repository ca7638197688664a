// The trigger: the value that all parts of control-tower exchange. README.md ("The trigger")
// specifies its format.
#ifndef CORE_TRIGGER_TRIGGER_H_
#define CORE_TRIGGER_TRIGGER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/uuid.h"
#include "core/json/json.h"
#include "core/options/options.h"

namespace tower {

inline constexpr std::size_t kMaxNameBytes = 200;        // of apiVersion and of protocol
inline constexpr std::size_t kMaxRoutingKeyBytes = 255;  // AMQP 0-9-1, section 4.2.5.3: shortstr
inline constexpr std::size_t kMaxBatch = 10000;          // triggers in one array or NDJSON text

// A validated trigger together with its original bytes. Copyable; owns its text. A
// default-constructed trigger is empty, as the initial value of an option; it must not be put.
class Trigger {
 public:
  Trigger() = default;

  // Validates one JSON object. Returns all faults, not only the first, unless the text is not JSON.
  static tl::expected<Trigger, Faults> Parse(std::string_view json);

  bool empty() const noexcept { return json_.empty(); }
  std::string_view api_version() const noexcept { return api_version_; }
  std::string_view protocol() const noexcept { return protocol_; }
  // The uuid from the sender. Without one, the queue assigns a new uuid at each put.
  const std::optional<Uuid>& uuid() const noexcept { return uuid_; }
  // The original JSON object, without surrounding white space.
  std::string_view json() const noexcept { return json_; }

  // The message body: json(), with `"uuid":"…"` inserted as the first member if the sender gave no
  // uuid. All other bytes are unchanged.
  std::string BodyWith(const Uuid& uuid) const&;
  std::string BodyWith(const Uuid& uuid) &&;  // the same in place; leaves the trigger empty
  // Move the name out of the trigger.
  std::string TakeApiVersion() noexcept { return std::move(api_version_); }
  std::string TakeProtocol() noexcept { return std::move(protocol_); }

 private:
  friend class TriggerParser;
  std::string json_;
  std::string api_version_;
  std::string protocol_;
  std::optional<Uuid> uuid_;
};

// Parses one object or an array of objects; for an array the pointers of faults begin with the
// index, such as "/3". An empty array and more than kMaxBatch triggers are faults.
tl::expected<std::vector<Trigger>, Faults> ParseTriggers(std::string_view json);

// Parses NDJSON: one object per line, which ends with LF or CRLF; blank lines are skipped. The
// pointers of faults begin with the index of the object, counted from 0, such as "/3"; the line
// follows from `offset`. A text without an object is a fault.
tl::expected<std::vector<Trigger>, Faults> ParseTriggerLines(std::string_view ndjson);

// Returns apiVersion with each '/' replaced by '.', then '.', then protocol.
std::string RoutingKey(std::string_view api_version, std::string_view protocol);
// The same, assigned to `key` to reuse its memory.
void AssignRoutingKey(std::string& key, std::string_view api_version, std::string_view protocol);

template <>
struct OptionCodec<Trigger> {
  static constexpr std::string_view kType = "trigger (JSON)";
  static Result<Trigger> Parse(std::string_view text);
  static std::string Format(const Trigger& value) { return std::string(value.json()); }
};

}  // namespace tower

#endif  // CORE_TRIGGER_TRIGGER_H_
