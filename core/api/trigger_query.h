// Parses the filters of requests: the query of `GET /triggers`, and the body of `POST
// /triggers/redeliver` and `POST /triggers/discard`. Unknown or invalid parts are refused and not
// ignored, because a filter with a missing condition matches more triggers than intended.
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

// Refuses parameters that are unknown, repeated or empty. kInvalid; the message names the parameter
// and says what is expected.
Result<ListQuery> ParseQuery(const HttpRequest& request);

// Checks that a request has no parameters.
Status CheckNoQuery(const HttpRequest& request);

// The value of a Link header (RFC 8288) for the page of triggers before `before`.
std::string NextLink(const ListQuery& query, std::int64_t before);

struct BulkQuery {
  TriggerFilter filter;
  BulkOptions options;
};

// `body` is an object with `status` and, optionally, `protocol`, `apiVersion`, `source`, `since`,
// `until`, `dryRun` and `confirm`. With `discard`, `status` must be undeliverable; otherwise it may
// be any status except queued.
tl::expected<BulkQuery, Faults> ParseBulk(std::string_view body, bool discard);

}  // namespace tower

#endif  // CORE_API_TRIGGER_QUERY_H_
