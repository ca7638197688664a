// Moves and deletes files that are still what was read, without overwriting others.
//
// Errors as of files.h, and kConflict.
#ifndef PLUGINS_FILE_TAKE_MOVE_H_
#define PLUGINS_FILE_TAKE_MOVE_H_

#include <string>

#include "core/base/result.h"
#include "plugins/file/files.h"

namespace tower::file {

// Moves `name` of the open folder `from` into the open folder `to` as `wanted`, or with a suffix
// before the extension if that name is taken; nothing is overwritten. Returns the new name.
// kConflict: the file changed after `version`; it stays where it was, or is moved back.
Result<std::string> MoveInto(int from, const std::string& name, int to, const std::string& wanted,
                             const Version& version);

// Renames unless the new name is taken (EEXIST). Returns an errno value, 0 on success.
int RenameNew(int from, const std::string& name, int to, const std::string& new_name);
// The same for file systems on which renameat2(2) does not support that, such as NFS.
int RenameNewByPlaceholder(int from, const std::string& name, int to, const std::string& new_name);

// Deletes `name`, unless it changed after `version` (kConflict).
Status Delete(int folder, const std::string& name, const Version& version);

}  // namespace tower::file

#endif  // PLUGINS_FILE_TAKE_MOVE_H_
