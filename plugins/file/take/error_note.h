// NAME.error, the file beside a refused file that says why it was refused.
#ifndef PLUGINS_FILE_TAKE_ERROR_NOTE_H_
#define PLUGINS_FILE_TAKE_ERROR_NOTE_H_

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace tower::file {

// Writes why `name` was refused to `name`.error in the open folder, over an earlier one of its
// kind. kConflict: there is another file of that name, which is not changed.
Status WriteErrorNote(int folder, const std::string& name, std::string_view why);
// Moves `name`.error, if it exists, to `new_name`.error in the folder `to`.
Status MoveErrorNote(int from, const std::string& name, int to, const std::string& new_name);
// Deletes `name`.error, if it exists.
void DeleteErrorNote(int folder, const std::string& name);

}  // namespace tower::file

#endif  // PLUGINS_FILE_TAKE_ERROR_NOTE_H_
