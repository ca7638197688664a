// W3C Trace Context, level 1: https://www.w3.org/TR/trace-context-1/, sections 3.2 and 3.3.
#ifndef CORE_TRIGGER_TRACE_CONTEXT_H_
#define CORE_TRIGGER_TRACE_CONTEXT_H_

#include <string_view>

namespace tower {

// Whether a value is a valid traceparent: version 00, or a later version with the same fields at
// its start.
bool IsTraceparent(std::string_view value) noexcept;

// Whether a value is a valid tracestate: at most 32 members `key=value` and 512 bytes.
bool IsTracestate(std::string_view value) noexcept;

}  // namespace tower

#endif  // CORE_TRIGGER_TRACE_CONTEXT_H_
