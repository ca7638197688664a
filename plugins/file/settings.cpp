#include "plugins/file/settings.h"

#include "core/json/json.h"
#include "core/trigger/trigger.h"

namespace tower::file {
namespace {

constexpr std::int64_t kSecond = 1000, kDay = 86'400 * kSecond;  // in milliseconds

Error Invalid(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

bool IsName(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
}

Status CheckFolder(const std::string& option, const std::string& folder) {
  if (IsName(folder) || (folder.size() > 1 && folder[0] == '/')) return Ok();
  return Invalid(option + " must be the name of a folder, or an absolute path: " + folder);
}

}  // namespace

const std::vector<std::string>& Settings::Patterns() const {
  // Programs of Windows like to shout.
  static const std::vector<std::string> kJson = {"*.json", "*.ndjson", "*.jsonl"},
                                        kCsv = {"*.csv", "*.CSV"}, kText = {"*.txt", "*.TXT"},
                                        kAll = {"*"};
  if (!pattern.empty()) return pattern;
  if (FolderIsEvent()) return kAll;
  if (format == "csv") return kCsv;
  return format == "text" ? kText : kJson;
}

void Settings::Declare(OptionSet& options, Mapping& mapping) {
  options
      .Add("path", &path,
           "Files, folders and globs (`*`, `?`, `[a-z]` in any part of the path) to watch.")
      .Required();
  options
      .Add("pattern", &pattern,
           "Names of the files that are taken from a folder; unless set, what the format suggests: "
           "`*.json,*.ndjson,*.jsonl`, `*.csv,*.CSV` or `*.txt,*.TXT`. Hidden files and those that "
           "end in `~`, `.tmp`, `.part`, `.swp` or `.error` are left alone.")
      .NotEmpty();
  options.Add("recursive", &recursive, "Whether folders are watched with all folders below them.");
  DeclareContent(options, mapping);
  DeclareNotice(options);
  DeclareEnd(options);
}

void Settings::DeclareContent(OptionSet& options, Mapping& mapping) {
  options
      .Add(
          "format", &format,
          "What files are: `json`, triggers or, with a map, anything; `csv`, with a header row; or "
          "`text`, for a map.")
      .OneOf({"json", "csv", "text"});
  mapping.Declare(options);
  options
      .Add("csv-events", &csv_events,
           "What is one event of a CSV: each `row`, the whole `file`, or, of a plate map, the "
           "`plate`.")
      .OneOf({"row", "file", "plate"});
  options.Add("delimiter", &delimiter, "What stands between two cells of a CSV.");
  options
      .Add("csv-numbers", &csv_numbers,
           "Which cells of a CSV become numbers, byte for byte, where JSON could write them so: "
           "`unquoted` ones, `all`, or `none`. The others become text.")
      .OneOf({"unquoted", "all", "none"});
  options
      .Add("csv-skip-lines", &csv_skip_lines,
           "Lines above the header of a CSV that are not looked at.")
      .Range(0, 100'000);
  options.Add("plate", &plate,
              "The plate that a plate map is of, by its wells or as rows x columns; `auto`: the "
              "smallest of 6, 12, 24, 48, 96, 384 and 1536 wells that has all wells of the file.");
  options.Add("api-version", &api_version,
              "`apiVersion` of the triggers made of a CSV without a map; unless set, a column of "
              "that name says it in each row.");
  options.Add("protocol", &protocol, "`protocol` of them, in the same way.");
  options.Add(
      "marker", &marker,
      "Name of a file, such as `RTAComplete.txt`, that appears in a folder when the folder is "
      "complete.");
  options
      .Add("marker-event", &marker_event,
           "What the marker makes an event: its `folder`, for a map; or the `files` beside it, "
           "which "
           "are taken as without a marker, but wait for it.")
      .OneOf({"folder", "files"});
  options.Check({"format", "csv-events", "delimiter", "csv-numbers", "csv-skip-lines", "plate",
                 "api-version", "protocol", "map", "map-file"},
                [this, &mapping] { return CheckFormat(mapping.given()); });
  options.Check({"format", "csv-events", "plate", "api-version", "protocol", "map", "map-file"},
                [this, &mapping] { return CheckCsv(mapping.given()); });
  options.Check({"api-version", "protocol", "map", "map-file"},
                [this, &mapping] { return CheckNames(mapping.given()); });
  options.Check({"marker", "marker-event", "format", "map", "map-file"},
                [this, &mapping] { return CheckMarker(mapping.given()); });
}

void Settings::DeclareNotice(OptionSet& options) {
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
}

void Settings::DeclareEnd(OptionSet& options) {
  options
      .Add("after", &after,
           "What becomes of a file once its triggers are in the queue: `keep`, `delete`, or `move` "
           "to `done-dir`.")
      .OneOf({"keep", "delete", "move"});
  options.Add("done-dir", &done_dir,
              "Where files are moved to: a name, made in the folder of each file, or an absolute "
              "path on the same file system. Never watched.");
  const auto& failure = options
                            .Add("on-failure", &on_failure,
                                 "What becomes of a file that was refused: `move` to `failed-dir`, "
                                 "or `keep`. A folder with a marker is kept. Beside it, NAME.error "
                                 "says why.")
                            .OneOf({"move", "keep"});
  options.Add("failed-dir", &failed_dir, "Where refused files are moved to, like `done-dir`.");
  options.Check({"done-dir"}, [this] { return CheckFolder("done-dir", done_dir); });
  options.Check({"failed-dir"}, [this] { return CheckFolder("failed-dir", failed_dir); });
  options.Check({"after", "on-failure", "marker", "marker-event"}, [this, &failure]() -> Status {
    const bool moves = after != "keep" || (failure.was_set() && on_failure == "move");
    if (!FolderIsEvent() || !moves) return Ok();
    return Invalid(
        "folders are never moved or deleted: with marker, after and on-failure are keep");
  });
}

Status Settings::CheckFormat(bool mapped) const {
  if (format == "text" && !mapped) return Invalid("format=text needs map or map-file");
  const bool csv_only = csv_events != "row" || delimiter.value != ',' ||
                        csv_numbers != "unquoted" || csv_skip_lines != 0 || plate.given() ||
                        !api_version.empty() || !protocol.empty();
  if (format == "csv" || !csv_only) return Ok();
  return Invalid(
      "csv-events, delimiter, csv-numbers, csv-skip-lines, plate, api-version and protocol are for "
      "format=csv");
}

Status Settings::CheckCsv(bool mapped) const {
  if (format != "csv") return Ok();
  if (csv_events == "plate" && !plate.given()) {
    return Invalid("csv-events=plate needs plate: 96, say, or auto");
  }
  if (csv_events != "plate" && plate.given()) return Invalid("plate is for csv-events=plate");
  if (csv_events == "file" && !mapped) return Invalid("csv-events=file needs map or map-file");
  if (csv_events == "plate" && !mapped && (api_version.empty() || protocol.empty())) {
    return Invalid("csv-events=plate needs api-version and protocol, or a map");
  }
  return Ok();
}

Status Settings::CheckNames(bool mapped) const {
  if (api_version.empty() && protocol.empty()) return Ok();
  if (mapped) return Invalid("with a map, it is the map that says api-version and protocol");
  std::string trial = "{\"apiVersion\":";
  AppendJsonString(trial, api_version.empty() ? "A" : api_version);
  trial += ",\"protocol\":";
  AppendJsonString(trial, protocol.empty() ? "P" : protocol);
  trial += ",\"spec\":{}}";
  if (auto trigger = Trigger::Parse(trial); !trigger) {
    return Invalid("api-version or protocol: " + Describe(trigger.error()));
  }
  return Ok();
}

Status Settings::CheckMarker(bool mapped) const {
  if (marker.empty()) {
    if (marker_event == "folder") return Ok();
    return Invalid("marker-event needs marker");
  }
  if (!IsName(marker)) return Invalid("marker must be the name of a file: " + marker);
  if (marker_event == "files") return Ok();
  if (!mapped) return Invalid("a folder with a marker needs map or map-file");
  if (format != "json") return Invalid("format is for marker-event=files");
  return Ok();
}

}  // namespace tower::file
