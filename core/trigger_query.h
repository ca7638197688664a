// The query of `GET /triggers` and `POST /triggers/redeliver`.
#ifndef CORE_TRIGGER_QUERY_H_
#define CORE_TRIGGER_QUERY_H_

#include <cstdint>
#include <string>

#include "core/http.h"
#include "core/queue.h"
#include "core/result.h"

namespace tower {

struct ListQuery {
  TriggerFilter filter;
  std::int64_t limit = 100, before = 0;  // before: 0 for the newest
};

// kInvalid says what the client should write. Not `paged`: all that fit are meant, `limit` and
// `before` are refused.
Result<ListQuery> ParseQuery(const HttpRequest& request, bool paged);

// The value of a Link header (RFC 8288) to the page that begins before `before`.
std::string NextLink(const ListQuery& query, std::int64_t before);

}  // namespace tower

#endif  // CORE_TRIGGER_QUERY_H_
