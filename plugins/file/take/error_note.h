// NAME.error, the file beside a refused file that says why it was refused.
#ifndef PLUGINS_FILE_TAKE_ERROR_NOTE_H_
#define PLUGINS_FILE_TAKE_ERROR_NOTE_H_

#include <string>
#include <string_view>

#include "core/base/result.h"

namespace tower::file {

// Writes why `name` was refused to `name`.error in the open folder, over an earlier one of its
// kind. kConflict: there is another file of that name, which is left alone.
Status WriteErrorNote(int folder, const std::string& name, std::string_view why);
// Moves it along when the file is moved: to `new_name`.error of the folder `to`, if it is there.
Status MoveErrorNote(int from, const std::string& name, int to, const std::string& new_name);
// Deletes it, if it is there.
void DeleteErrorNote(int folder, const std::string& name);

}  // namespace tower::file

#endif  // PLUGINS_FILE_TAKE_ERROR_NOTE_H_
