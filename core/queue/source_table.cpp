#include "core/queue/source_table.h"

namespace tower {

Status SourceTable::Prepare(Database& database) {
  return database.PrepareAll({
      {find_, "SELECT id FROM sources WHERE name = ?"},
      {add_, "INSERT INTO sources(name) VALUES (?) RETURNING id"},
  });
}

Result<std::int64_t> SourceTable::IdOf(std::string_view name) {
  if (auto known = ids_.find(name); known != ids_.end()) return known->second;
  std::int64_t id = 0;
  {
    StatementScope scope(find_);
    auto found = find_.Bind(name).Step();
    if (!found) return found.error();
    if (*found) id = find_.Int(0);
  }
  if (id == 0) {
    StatementScope scope(add_);
    auto added = add_.Bind(name).Step();
    if (!added) return added.error();
    id = add_.Int(0);
  }
  ids_.emplace(name, id);
  return id;
}

}  // namespace tower
