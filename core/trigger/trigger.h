// The trigger: the one value that flows through the house. What a trigger must be stands in
// README.md ("The trigger").
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

// A checked trigger and the bytes it came as. Copyable; holds no reference to the text it was
// parsed from. The default-constructed one is empty, for options to be bound to; it must not be
// put.
class Trigger {
 public:
  Trigger() = default;

  // Checks one JSON object. Every fault is named, not just the first, unless the text is not JSON
  // at all.
  static tl::expected<Trigger, Faults> Parse(std::string_view json);

  bool empty() const noexcept { return json_.empty(); }
  std::string_view api_version() const noexcept { return api_version_; }
  std::string_view protocol() const noexcept { return protocol_; }
  // The uuid that the sender gave; without one, the queue assigns a new one at each put.
  const std::optional<Uuid>& uuid() const noexcept { return uuid_; }
  // The JSON object as it came, without white space around it.
  std::string_view json() const noexcept { return json_; }

  // The body of the message: json() with `"uuid":"…"` spliced in as the first member when the
  // sender gave none; every other byte is the sender's.
  std::string BodyWith(const Uuid& uuid) const&;
  std::string BodyWith(const Uuid& uuid) &&;  // the same in place; leaves the trigger empty
  // Leave the trigger without that name.
  std::string TakeApiVersion() noexcept { return std::move(api_version_); }
  std::string TakeProtocol() noexcept { return std::move(protocol_); }

 private:
  friend class TriggerParser;
  std::string json_;
  std::string api_version_;
  std::string protocol_;
  std::optional<Uuid> uuid_;
};

// A text with any number of triggers: one object, or an array of objects (pointers of faults begin
// with "/3"). An empty array is a fault, and so are more than kMaxBatch.
tl::expected<std::vector<Trigger>, Faults> ParseTriggers(std::string_view json);

// NDJSON: one object a line, LF or CRLF; blank lines are skipped. Pointers begin with "/3", counted
// over the objects from 0; `offset` tells the line. A text without an object is a fault.
tl::expected<std::vector<Trigger>, Faults> ParseTriggerLines(std::string_view ndjson);

// apiVersion with '/' turned into '.', then '.', then protocol.
std::string RoutingKey(std::string_view api_version, std::string_view protocol);
// The same into `key`, whose memory is used again.
void AssignRoutingKey(std::string& key, std::string_view api_version, std::string_view protocol);

template <>
struct OptionCodec<Trigger> {
  static constexpr std::string_view kType = "trigger (JSON)";
  static Result<Trigger> Parse(std::string_view text);
  static std::string Format(const Trigger& value) { return std::string(value.json()); }
};

}  // namespace tower

#endif  // CORE_TRIGGER_TRIGGER_H_
