#include "core/queue/key_table.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace tower {

Status KeyTable::Prepare(Database& database) {
  return database.PrepareAll({
      {find_, "SELECT fingerprint, uuids FROM keys WHERE source = ? AND key = ?"},
      {add_, "INSERT INTO keys VALUES (?, ?, ?, ?, ?)"},
      {trim_, "DELETE FROM keys WHERE seq <= ?"},
  });
}

Result<std::optional<KeyTable::Known>> KeyTable::Find(std::string_view source,
                                                      std::string_view key) {
  auto id = sources_.IdOf(source);
  if (!id) return id.error();
  StatementScope scope(find_);
  auto found = find_.Bind(*id, key).Step();
  if (!found) return found.error();
  if (!*found) return std::optional<Known>();
  Known known{std::string(find_.Bytes(0)), {}};
  const auto bytes = find_.Bytes(1);
  for (std::size_t at = 0; at + 16 <= bytes.size(); at += 16) {
    std::array<std::uint8_t, 16> uuid{};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, uuid.begin());
    known.uuids.emplace_back(uuid);
  }
  return std::optional(std::move(known));
}

Status KeyTable::Add(std::string_view source, std::string_view key, std::string_view fingerprint,
                     const std::vector<Uuid>& uuids) {
  auto id = sources_.IdOf(source);
  if (!id) return id.error();
  std::string bytes;
  bytes.reserve(uuids.size() * 16);
  for (const auto& uuid : uuids) bytes += BytesOf(uuid);
  return add_.Run(*id, key, Statement::Blob{fingerprint}, Statement::Blob{bytes}, ends_.last_seq);
}

}  // namespace tower
