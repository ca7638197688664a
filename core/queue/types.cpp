#include "core/queue/types.h"

namespace tower {

std::string_view ToString(TriggerState state) noexcept {
  switch (state) {
    case TriggerState::kQueued:
      return "queued";
    case TriggerState::kPublished:
      return "published";
    case TriggerState::kUndeliverable:
      return "undeliverable";
    case TriggerState::kDiscarded:
      return "discarded";
  }
  return "unknown";
}

std::optional<TriggerState> ParseTriggerState(std::string_view text) noexcept {
  for (const auto state : {TriggerState::kQueued, TriggerState::kPublished,
                           TriggerState::kUndeliverable, TriggerState::kDiscarded}) {
    if (ToString(state) == text) return state;
  }
  return std::nullopt;
}

}  // namespace tower
