// A whole file that a person wrote, a script or a list of tokens, whatever its path names by now.
#ifndef CORE_BASE_REGULAR_FILE_H_
#define CORE_BASE_REGULAR_FILE_H_

#include <string>

#include "core/base/result.h"

namespace tower {

struct RegularFile {
  std::string text;
  unsigned mode = 0;  // its permissions, as chmod(2) takes them
};

// Never waits: a FIFO, a device or a folder is refused unopened, and a file of more than 1 MiB
// unread. kInvalid; the message says why, without the path.
Result<RegularFile> ReadRegularFile(const std::string& path);

}  // namespace tower

#endif  // CORE_BASE_REGULAR_FILE_H_
