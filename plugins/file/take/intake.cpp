#include "plugins/file/take/intake.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/digest.h"
#include "core/trigger/trigger.h"
#include "plugins/file/notice/marker.h"
#include "plugins/file/notice/source.h"
#include "plugins/file/take/error_note.h"

namespace tower::file {
namespace {

// ", line 3"
std::string ReasonPart(const LogField& field) {
  std::string text = ", " + field.key + " ";
  if (const auto* number = std::get_if<std::int64_t>(&field.value)) {
    text += std::to_string(*number);
  } else if (const auto* word = std::get_if<std::string>(&field.value)) {
    text += word->empty() ? "\"\"" : *word;
  }
  return text;
}

}  // namespace

Result<Intake::Verdict> Intake::Take(const Place& place, const std::optional<Version>& expected,
                                     const std::function<bool()>& undisturbed,
                                     const std::stop_token& stop) {
  auto fd = OpenBelow(place.root, place.relative);
  auto info = fd ? Inspect(fd->get()) : Result<FileInfo>(fd.error());
  if (!info) {
    if (info.error().code == ErrorCode::kNotFound) {
      ledger_.Forget(place.path);
      retry_log_.Clear(place.path);
    } else {
      retry_log_.Report(place.path, info.error());
    }
    return Verdict::kDone;
  }
  if (!S_ISREG(info->mode)) {
    retry_log_.Report(place.path, {ErrorCode::kInvalid, "not a regular file"});
    return Verdict::kDone;
  }
  if (expected && info->version != *expected) return Verdict::kUnstable;
  // After an event, even an unchanged version is read: time stamps of file systems are coarse.
  const Handled* known = ledger_.Find(place.path);
  const bool unchanged = known != nullptr && known->version == info->version;
  if (unchanged && (expected || known->digest.empty())) return Dispose(place, *known);
  if (info->version.size == 0 && !expected) return Verdict::kUnstable;
  Handled handled{.version = info->version, .device = info->device, .digest = {}};
  if (info->version.size > settings_.max_size.bytes) {
    return Refuse(place, handled, "the file is larger than max-size",
                  {{"bytes", info->version.size}, {"max_size", settings_.max_size.bytes}});
  }
  auto content = ReadAll(fd->get(), settings_.max_size.bytes);
  auto after = Inspect(fd->get());
  if (content && after && (after->version != info->version || !undisturbed())) {
    return Verdict::kUnstable;
  }
  if (!content || !after) {
    retry_log_.Report(place.path, content ? after.error() : content.error());
    return Verdict::kDone;
  }
  retry_log_.Clear(place.path);
  return TakeContent(place, std::move(handled), *content, stop);
}

Result<Intake::Verdict> Intake::TakeContent(const Place& place, Handled handled,
                                            const std::string& content,
                                            const std::stop_token& stop) {
  handled.digest = Sha256Hex(content);
  if (const auto* known = ledger_.Find(place.path);
      known != nullptr && known->digest == handled.digest) {
    handled.refused = known->refused;
    // Same content. But if files are moved away, a file that appears again is a new event.
    if (known->version == handled.version || known->refused || settings_.after == "keep") {
      if (known->version != handled.version) ledger_.Update(place.path, handled);
      return Dispose(place, handled);
    }
  }
  auto read = Interpret(place, content, stop);
  if (!read) {
    retry_log_.Report(place.path, read.error());
    return Verdict::kDone;
  }
  auto& triggers = *read;
  if (!triggers) {
    const auto& refusal = triggers.error();
    if (refusal.code != ErrorCode::kInvalid) return Error{refusal.code, refusal.why};
    return Refuse(place, std::move(handled), refusal);
  }
  const auto change = Ledger::ChangeFor(place.path, handled);
  auto put = tower_.queue.Put(*triggers, Event{.key = {}, .remember = std::span(&change, 1)});
  if (!put) {
    const auto& error = put.error();
    if (!error.of_event()) return error;
    return Refuse(place, std::move(handled), error.message);
  }
  DeleteReason(place);
  ledger_.Stored(place.path, handled);
  if (triggers->empty()) {
    tower_.log.Info("file ignored: the mapping returned nil", {{"path", place.path}});
  } else {
    tower_.log.Info("file taken", {{"path", place.path}, {"triggers", triggers->size()}});
  }
  return Dispose(place, handled);
}

// An error means that the folder cannot be read.
Result<Interpreter::Triggers> Intake::Interpret(const Place& place, const std::string& content,
                                                const std::stop_token& stop) {
  if (!settings_.FolderIsEvent()) return interpreter_.OfFile(place.path, content, stop);
  auto folder = OpenBelow(place.root, SplitPath(place.relative).first, O_DIRECTORY);
  if (!folder) return folder.error();
  const auto files = ListFiles(
      folder->get(), [this](std::string_view name) { return WantsName(settings_, name); });
  if (!files) return files.error();
  const auto [path, marker] = SplitPath(place.path);
  return interpreter_.OfEvent(MarkerEvent(path, marker, content, *files), "the folder", stop);
}

Result<Intake::Verdict> Intake::Refuse(const Place& place, Handled handled,
                                       const Refusal& refusal) {
  const auto line = refusal.line, column = refusal.column;
  if (refusal.pointer) {
    return Refuse(place, std::move(handled), refusal.why,
                  {{"line", line}, {"pointer", *refusal.pointer}, {"faults", refusal.faults}});
  }
  if (line == 0) return Refuse(place, std::move(handled), refusal.why);
  if (column == 0) return Refuse(place, std::move(handled), refusal.why, {{"line", line}});
  return Refuse(place, std::move(handled), refusal.why, {{"line", line}, {"column", column}});
}

Result<Intake::Verdict> Intake::Refuse(const Place& place, Handled handled, std::string_view why,
                                       std::initializer_list<LogField> where) {
  std::string reason(why);
  for (const auto& field : where) reason += ReasonPart(field);
  WriteReason(place, reason);
  handled.refused = true;
  ledger_.Update(place.path, handled);
  std::string now_at = place.path;
  const auto verdict = Dispose(place, handled, &now_at);
  const auto log = tower_.log.With({{"path", place.path}}).With(where);
  if (now_at == place.path) {
    log.Warn("file refused", {{"error", why}});
    tower_.notes.Reject(place.path + ": " + reason);
  } else {
    log.Warn("file refused", {{"error", why}, {"moved_to", now_at}});
    tower_.notes.Reject(place.path + ", now " + now_at + ": " + reason);
  }
  return verdict;
}

// Before the file is moved: if the process dies in between, the next start moves both.
void Intake::WriteReason(const Place& place, std::string_view why) {
  const auto [parent, name] = SplitPath(place.relative);
  auto folder = OpenBelow(place.root, parent, O_DIRECTORY);
  const auto written = folder ? WriteErrorNote(folder->get(), name, why) : Status(folder.error());
  if (!written) {
    tower_.log.Warn("cannot write the reason beside the refused file",
                    {{"path", place.path}, {"error", written.error()}});
  }
}

void Intake::DeleteReason(const Place& place) {
  const auto [parent, name] = SplitPath(place.relative);
  if (auto folder = OpenBelow(place.root, parent, O_DIRECTORY))
    DeleteErrorNote(folder->get(), name);
}

Intake::Verdict Intake::Dispose(const Place& place, const Handled& handled, std::string* now_at) {
  if (!disposal_.IsDue(handled)) return Verdict::kDone;
  auto moved_to = disposal_.Apply(place, handled);
  if (!moved_to && moved_to.error().code == ErrorCode::kConflict) return Verdict::kUnstable;
  if (!moved_to) {
    retry_log_.Report(place.path, moved_to.error());
    return Verdict::kDone;
  }
  retry_log_.Clear(place.path);
  if (now_at != nullptr) *now_at = std::move(*moved_to);
  ledger_.Forget(place.path);
  return Verdict::kDone;
}

Status Intake::Flush() {
  disposal_.Sync();
  return ledger_.Flush(tower_.queue);
}

}  // namespace tower::file
