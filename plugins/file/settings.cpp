#include "plugins/file/settings.h"

namespace tower::file {
namespace {

Status CheckFolder(const std::string& option, const std::string& folder) {
  const bool absolute = !folder.empty() && folder[0] == '/';
  if (absolute && folder.size() > 1) return Ok();
  const bool name = !folder.empty() && folder.find('/') == std::string::npos;
  if (name && folder != "." && folder != "..") return Ok();
  return Error{ErrorCode::kInvalid,
               option + " must be the name of a folder, or an absolute path: " + folder};
}

}  // namespace

void Settings::Declare(OptionSet& options) {
  constexpr std::int64_t kSecond = 1000, kDay = 86'400 * kSecond;
  options
      .Add("path", &path,
           "Files, folders and globs (`*`, `?`, `[a-z]` in any part of the path) to watch.")
      .Required();
  options
      .Add("pattern", &pattern,
           "Names of the files that are taken from a folder. Hidden files and those that end in "
           "`~`, `.tmp`, `.part` or `.swp` are left alone.")
      .NotEmpty();
  options.Add("recursive", &recursive, "Whether folders are watched with all folders below them.");
  options
      .Add("mode", &mode,
           "How changes are noticed: `inotify`; `poll`, looking every `poll-interval`; or `auto`, "
           "polling only on file systems without inotify events, such as NFS, SMB, 9p and FUSE.")
      .OneOf({"auto", "inotify", "poll"});
  options.Add("poll-interval", &poll_interval, "Time between two looks when polling.")
      .Range(10, kDay);
  options
      .Add("rescan-interval", &rescan_interval,
           "Time between two looks at everything, whatever inotify says.")
      .Range(10, 7 * kDay);
  options
      .Add("settle", &settle,
           "How long size and modification time must have been unchanged before a file is read "
           "that was not seen to be closed or moved in.")
      .Range(0, kDay);
  options.Add("max-size", &max_size, "Larger files are refused unread.").Range(1, 1LL << 30U);
  options
      .Add("after", &after,
           "What becomes of a file once its triggers are in the queue: `keep`, `delete`, or `move` "
           "to `done-dir`.")
      .OneOf({"keep", "delete", "move"});
  options.Add("done-dir", &done_dir,
              "Where files are moved to: a name, made in the folder of each file, or an absolute "
              "path on the same file system. Never watched.");
  options
      .Add("on-failure", &on_failure,
           "What becomes of a file that was refused: `move` to `failed-dir`, or `keep`.")
      .OneOf({"move", "keep"});
  options.Add("failed-dir", &failed_dir, "Where refused files are moved to, like `done-dir`.");
  options.Check([this] { return CheckFolder("done-dir", done_dir); });
  options.Check([this] { return CheckFolder("failed-dir", failed_dir); });
}

}  // namespace tower::file
