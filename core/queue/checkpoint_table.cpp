#include "core/queue/checkpoint_table.h"

namespace tower {

Status CheckpointTable::Prepare(Database& database) {
  return database.PrepareAll({
      {set_, "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)"},
      {forget_, "DELETE FROM checkpoints WHERE source = ? AND key = ?"},
  });
}

Status CheckpointTable::Change(std::string_view source, const CheckpointChange& change) {
  auto id = sources_.IdOf(source);
  if (!id) return id.error();
  if (!change.value) return forget_.Run(*id, std::string_view(change.key));
  return set_.Run(*id, std::string_view(change.key), Statement::Blob{*change.value});
}

}  // namespace tower
