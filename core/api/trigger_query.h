// Which triggers a request means: the query of `GET /triggers`, the body of `POST
// /triggers/redeliver` and `POST /triggers/discard`. What is not understood is refused, never
// ignored: a filter that says less than was meant takes more triggers than were meant.
#ifndef CORE_API_TRIGGER_QUERY_H_
#define CORE_API_TRIGGER_QUERY_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/http/message.h"
#include "core/json/json.h"
#include "core/queue/queue.h"

namespace tower {

struct ListQuery {
  TriggerFilter filter;
  std::int64_t limit = 100, before = 0;  // before: 0 for the newest
};

// kInvalid names the parameter, and says what the client should write: unknown ones, those that
// stand there twice and those without a value are refused.
Result<ListQuery> ParseQuery(const HttpRequest& request);

// The same for a request that has no parameters.
Status CheckNoQuery(const HttpRequest& request);

// The value of a Link header (RFC 8288) to the page that begins before `before`.
std::string NextLink(const ListQuery& query, std::int64_t before);

struct BulkQuery {
  TriggerFilter filter;
  BulkOptions options;
};

// `body` is an object with `status` and, as they are wanted, `protocol`, `apiVersion`, `source`,
// `since`, `until`, `dryRun`, `confirm`. `discard`: `status` must be undeliverable; else it may be
// anything but queued.
tl::expected<BulkQuery, Faults> ParseBulk(std::string_view body, bool discard);

}  // namespace tower

#endif  // CORE_API_TRIGGER_QUERY_H_
