#ifndef CORE_QUEUE_SOURCE_TABLE_H_
#define CORE_QUEUE_SOURCE_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/queue/sqlite.h"

namespace tower {

// The table `sources`: names of watchers, which other tables refer to by number.
class SourceTable {
 public:
  Status Prepare(Database& database);
  // A new name gets a number.
  Result<std::int64_t> IdOf(std::string_view name);
  // The transaction was undone.
  void Undo() { ids_.clear(); }

 private:
  std::map<std::string, std::int64_t, std::less<>> ids_;
  Statement find_, add_;
};

}  // namespace tower

#endif  // CORE_QUEUE_SOURCE_TABLE_H_
