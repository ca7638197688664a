#include "plugins/file/settings.h"

#include "core/json/writer.h"
#include "core/trigger/trigger.h"

namespace tower::file {
namespace {

constexpr std::int64_t kSecond = 1000, kDay = 86'400 * kSecond;  // in milliseconds

Error Invalid(std::string message) { return {ErrorCode::kInvalid, std::move(message)}; }

bool IsFileName(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
}

Status CheckFolder(const std::string& option, const std::string& folder) {
  if (IsFileName(folder) || (folder.size() > 1 && folder[0] == '/')) return Ok();
  return Invalid(option + " must be the name of a folder, or an absolute path: " + folder);
}

}  // namespace

const std::vector<std::string>& Settings::Patterns() const {
  // Programs on Windows often write suffixes in upper case.
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
           "Names of the files to take from a folder. Default: the suffixes of the format, "
           "`*.json,*.ndjson,*.jsonl`, `*.csv,*.CSV` or `*.txt,*.TXT`. Hidden files and files that "
           "end in `~`, `.tmp`, `.part`, `.swp` or `.error` are ignored.")
      .NotEmpty();
  options.Add("recursive", &recursive, "Watch all subfolders as well.");
  DeclareContent(options, mapping);
  DeclareDetection(options);
  DeclareDisposal(options);
}

void Settings::DeclareContent(OptionSet& options, Mapping& mapping) {
  options
      .Add("format", &format,
           "Format of the files: `json` (triggers or, with a map, any JSON), `csv` with a header "
           "row, or `text`, which needs a map.")
      .OneOf({"json", "csv", "text"});
  mapping.Declare(options);
  options
      .Add("csv-events", &csv_events,
           "What makes an event of a CSV file: each `row`, the whole `file`, or the `plate` that "
           "it is a map of.")
      .OneOf({"row", "file", "plate"});
  options.Add("delimiter", &delimiter, "Separator between the cells of a CSV file.");
  options
      .Add(
          "csv-numbers", &csv_numbers,
          "Which cells of a CSV file become numbers if they are valid numbers of JSON: `unquoted` "
          "cells, `all`, or `none`. Numbers keep their exact text; all other cells become strings.")
      .OneOf({"unquoted", "all", "none"});
  options.Add("csv-skip-lines", &csv_skip_lines, "Lines to skip above the header of a CSV file.")
      .Range(0, 100'000);
  options.Add(
      "plate", &plate,
      "Size of the plate of a plate map, as its number of wells or as rows x columns. `auto`: the "
      "smallest of 6, 12, 24, 48, 96, 384 and 1536 wells that has all wells of the file.");
  options.Add("api-version", &api_version,
              "`apiVersion` of the triggers made from a CSV file without a map. Default: the "
              "column `apiVersion` of each row.");
  options.Add("protocol", &protocol,
              "`protocol` of these triggers. Default: the column `protocol` of each row.");
  options.Add("marker", &marker,
              "Name of a file, such as `RTAComplete.txt`, whose appearance in a folder marks the "
              "folder as complete.");
  options
      .Add("marker-event", &marker_event,
           "What the marker makes an event: its `folder`, which needs a map, or the `files` in its "
           "folder, which are taken only once the marker is there.")
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

void Settings::DeclareDetection(OptionSet& options) {
  options
      .Add("mode", &mode,
           "How changes are detected: `inotify`; `poll`, a scan every `poll-interval`; or `auto`, "
           "which polls only file systems without inotify events, such as NFS, SMB, 9p and FUSE.")
      .OneOf({"auto", "inotify", "poll"});
  options.Add("poll-interval", &poll_interval, "Time between two scans when polling.")
      .Range(10, kDay);
  options.Add("rescan-interval", &rescan_interval, "Time between two scans in addition to inotify.")
      .Range(10, 7 * kDay);
  options
      .Add("settle", &settle,
           "How long the size and modification time of a file must be unchanged before it is read, "
           "unless inotify reports that it was closed or moved in.")
      .Range(0, kDay);
  options
      .Add("max-size", &max_size,
           "Maximum size of a file. Larger files are refused without being read.")
      .Range(1, 1LL << 30U);
}

void Settings::DeclareDisposal(OptionSet& options) {
  options
      .Add("after", &after,
           "What to do with a file once its triggers are in the queue: `keep`, `delete`, or `move` "
           "to `done-dir`.")
      .OneOf({"keep", "delete", "move"});
  options.Add("done-dir", &done_dir,
              "Folder for taken files: a name, created in the folder of each file, or an absolute "
              "path on the same file system. Never watched.");
  const auto& failure =
      options
          .Add("on-failure", &on_failure,
               "What to do with a refused file: `move` to `failed-dir`, or `keep`. A folder with a "
               "marker is always kept. The reason is written to NAME.error beside the file.")
          .OneOf({"move", "keep"});
  options.Add("failed-dir", &failed_dir, "Folder for refused files, specified like `done-dir`.");
  options.Check({"done-dir"}, [this] { return CheckFolder("done-dir", done_dir); });
  options.Check({"failed-dir"}, [this] { return CheckFolder("failed-dir", failed_dir); });
  options.Check({"after", "on-failure", "marker", "marker-event"}, [this, &failure]() -> Status {
    const bool moves = after != "keep" || (failure.was_set() && on_failure == "move");
    if (!FolderIsEvent() || !moves) return Ok();
    return Invalid(
        "folders are never moved or deleted: with marker, after and on-failure must be keep");
  });
}

Status Settings::CheckFormat(bool mapped) const {
  if (format == "text" && !mapped) return Invalid("format=text needs map or map-file");
  const bool csv_only = csv_events != "row" || delimiter.value != ',' ||
                        csv_numbers != "unquoted" || csv_skip_lines != 0 || plate.given() ||
                        !api_version.empty() || !protocol.empty();
  if (format == "csv" || !csv_only) return Ok();
  return Invalid(
      "csv-events, delimiter, csv-numbers, csv-skip-lines, plate, api-version and protocol require "
      "format=csv");
}

Status Settings::CheckCsv(bool mapped) const {
  if (format != "csv") return Ok();
  if (csv_events == "plate" && !plate.given()) {
    return Invalid("csv-events=plate needs plate, such as 96 or auto");
  }
  if (csv_events != "plate" && plate.given()) return Invalid("plate requires csv-events=plate");
  if (csv_events == "file" && !mapped) return Invalid("csv-events=file needs map or map-file");
  if (csv_events == "plate" && !mapped && (api_version.empty() || protocol.empty())) {
    return Invalid("csv-events=plate needs api-version and protocol, or a map");
  }
  return Ok();
}

Status Settings::CheckNames(bool mapped) const {
  if (api_version.empty() && protocol.empty()) return Ok();
  if (mapped)
    return Invalid("api-version and protocol cannot be combined with a map, which sets them");
  std::string trial;
  JsonWriter(trial)
      .BeginObject()
      .Member("apiVersion", api_version.empty() ? "A" : api_version)
      .Member("protocol", protocol.empty() ? "P" : protocol)
      .RawMember("spec", "{}")
      .EndObject();
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
  if (!IsFileName(marker)) return Invalid("marker must be the name of a file: " + marker);
  if (marker_event == "files") return Ok();
  if (!mapped) return Invalid("a folder with a marker needs map or map-file");
  if (format != "json") return Invalid("format requires marker-event=files");
  return Ok();
}

}  // namespace tower::file
