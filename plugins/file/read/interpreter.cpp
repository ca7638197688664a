#include "plugins/file/read/interpreter.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "core/base/encode.h"
#include "plugins/file/files.h"
#include "plugins/file/read/plate_map.h"
#include "plugins/file/read/table.h"

namespace tower::file {

// Gathers the triggers of one file, and stops at the first fault.
class Collector {
 public:
  Collector(Mapping& mapping, const std::stop_token& stop) : mapping_(mapping), stop_(stop) {}

  bool mapped() const noexcept { return mapping_.given(); }

  // An event for the map, or, without one, a trigger. `line` is where it stands in its file; 0: it
  // is the whole file.
  std::optional<Refusal> Add(std::string_view json, std::size_t line, std::string_view id) {
    if (auto fault = Tick(json.size())) return fault;
    if (mapped()) return AddMapped(json, line, id);
    auto trigger = Trigger::Parse(json);
    if (!trigger) {
      const auto& faults = trigger.error();
      return Refusal{.why = Describe(faults),
                     .line = line,
                     .pointer = faults.front().pointer,
                     .faults = faults.size()};
    }
    triggers_.push_back(std::move(*trigger));
    return CheckSize(line, json.size());
  }
  std::optional<Refusal> Add(std::string_view json, std::size_t line) {
    return Add(json, line, "line " + std::to_string(line));
  }

  // To be asked while an event is made that has `bytes` so far.
  std::optional<Refusal> Tick(std::size_t bytes) const {
    if (stop_.stop_requested()) {
      return Refusal{.why = "stop was requested", .code = ErrorCode::kStopped};
    }
    if (bytes <= Interpreter::kMaxBytes) return std::nullopt;
    return Refusal{.why = "it makes an event of more than " + Limit()};
  }

  std::vector<Trigger> Take() { return std::move(triggers_); }

 private:
  std::optional<Refusal> AddMapped(std::string_view json, std::size_t line, std::string_view id) {
    auto made = mapping_.Apply(json, id);
    if (!made) {
      return Refusal{
          .why = std::move(made.error().message), .line = line, .code = made.error().code};
    }
    std::size_t bytes = 0;
    for (const auto& trigger : *made) bytes += trigger.json().size();
    triggers_.insert(triggers_.end(), std::make_move_iterator(made->begin()),
                     std::make_move_iterator(made->end()));
    return CheckSize(line, bytes);
  }

  std::optional<Refusal> CheckSize(std::size_t line, std::size_t more) {
    bytes_ += more;
    if (triggers_.size() > kMaxBatch) {
      return Refusal{.why = "it makes more than " + std::to_string(kMaxBatch) + " triggers",
                     .line = line};
    }
    if (bytes_ <= Interpreter::kMaxBytes) return std::nullopt;
    return Refusal{.why = "its triggers have more than " + Limit(), .line = line};
  }

  static std::string Limit() {
    return OptionCodec<ByteSize>::Format({Interpreter::kMaxBytes}) + " together";
  }

  Mapping& mapping_;
  const std::stop_token& stop_;
  std::vector<Trigger> triggers_;
  std::size_t bytes_ = 0;
};

namespace {

constexpr std::string_view kJsonBlanks = " \t\r\n";  // RFC 8259, section 2
// A document may be one level less deep than others, since its event is around it.
constexpr JsonLimits kInEvent{.depth = kMaxJsonDepth - 1, .record = 0};

std::string JsonString(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

bool IsJsonLines(const std::string& path) {
  return path.ends_with(".ndjson") || path.ends_with(".jsonl");
}

Refusal At(Refusal refusal, std::size_t line) {
  if (refusal.line == 0) refusal.line = line;
  return refusal;
}

CsvFormat FormatOf(const Settings& settings) {
  CsvFormat format{.delimiter = settings.delimiter,
                   .skip_lines = static_cast<std::size_t>(settings.csv_skip_lines)};
  if (settings.csv_numbers == "all") format.numbers = CsvNumbers::kAll;
  if (settings.csv_numbers == "none") format.numbers = CsvNumbers::kNone;
  return format;
}

// Which value apiVersion or protocol has: what the option says, or else the cell of a row in the
// column of that name.
class NameSource {
 public:
  NameSource(std::string_view member, const std::string& option, const Table& table)
      : key_("\"" + std::string(member) + "\":") {
    if (!option.empty()) {
      value_ = JsonString(option);
      return;
    }
    const auto& names = table.names();
    const auto found = std::find(names.begin(), names.end(), member);
    if (found != names.end()) column_ = static_cast<std::size_t>(found - names.begin());
  }
  bool known() const noexcept { return column_.has_value() || !value_.empty(); }
  const std::optional<std::size_t>& column() const noexcept { return column_; }

  // A row without the cell makes a trigger without the member, which is then refused.
  void Append(std::string& out, const CsvRow& row) const {
    if (!column_) {
      out.append(key_).append(value_) += ',';
    } else if (!row.cells[*column_].empty()) {
      out += key_;
      AppendJsonString(out, row.cells[*column_].text);
      out += ',';
    }
  }

 private:
  const std::string key_;
  std::string value_;  // JSON
  std::optional<std::size_t> column_;
};

// What metadata says of a row: {"path": …, "row": …}.
std::string Origin(const std::string& path, std::size_t row) {
  return "{\"path\":" + JsonString(path) + ",\"row\":" + std::to_string(row) + "}";
}

}  // namespace

Interpreter::Triggers Interpreter::OfFile(const std::string& path, std::string_view content,
                                          const std::stop_token& stop) {
  if (settings_.format == "json" && !mapping_.given()) {
    auto triggers = IsJsonLines(path) ? ParseTriggerLines(content) : ParseTriggers(content);
    if (!triggers) return tl::unexpected(RefusalOf(triggers.error(), content));
    return std::move(*triggers);
  }
  Collector out(mapping_, stop);
  const auto head =
      "{\"path\":" + JsonString(path) + ",\"name\":" + JsonString(SplitPath(path).second);
  Fault fault;
  if (settings_.format == "csv") {
    fault = Csv(path, head, content, out);
  } else if (settings_.format == "text") {
    fault = Text(head, content, out);
  } else {
    fault = IsJsonLines(path) ? JsonLines(head, content, out) : Json(head, content, out);
    tape_.Trim();
  }
  if (fault) return tl::unexpected(*std::move(fault));
  return out.Take();
}

Interpreter::Triggers Interpreter::OfEvent(std::string_view event, std::string_view id,
                                           const std::stop_token& stop) {
  Collector out(mapping_, stop);
  if (auto fault = out.Add(event, 0, id)) return tl::unexpected(*std::move(fault));
  return out.Take();
}

Interpreter::Fault Interpreter::Json(std::string_view head, std::string_view text, Collector& out) {
  if (auto root = tape_.Read(text, kInEvent); !root) return RefusalOf(root.error(), text);
  std::string event(head);
  event.append(",\"content\":").append(Trim(text, kJsonBlanks)) += '}';
  return out.Add(event, 0, "the whole file");
}

Interpreter::Fault Interpreter::JsonLines(std::string_view head, std::string_view text,
                                          Collector& out) {
  bool any = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = Trim(text.substr(0, end), kJsonBlanks);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    any = true;
    if (auto root = tape_.Read(line, kInEvent); !root) return RefusalOf(root.error(), line, number);
    std::string event(head);
    event.append(",\"line\":").append(std::to_string(number));
    event.append(",\"content\":").append(line) += '}';
    if (auto fault = out.Add(event, number)) return fault;
  }
  if (!any) return Refusal{.why = "no line with JSON in it"};
  return std::nullopt;
}

Interpreter::Fault Interpreter::Text(std::string_view head, std::string_view text, Collector& out) {
  if (auto why = WhyNotText(text)) {
    const auto offset = std::min(FindInvalidUtf8(text), text.find('\0'));
    return Refusal{.why = *std::move(why), .line = LineOf(text, offset)};
  }
  std::string event(head);
  event += ",\"text\":";
  AppendJsonString(event, WithoutByteOrderMark(text));
  event += '}';
  return out.Add(event, 0, "the whole file");
}

Interpreter::Fault Interpreter::Csv(const std::string& path, std::string_view head,
                                    std::string_view text, Collector& out) {
  auto table = Table::Open(text, FormatOf(settings_));
  if (!table) return std::move(table.error());
  if (settings_.csv_events == "plate") return Plate(path, head, *table, out);
  if (settings_.csv_events == "file") return WholeTable(head, *table, out);
  return Rows(path, head, *table, out);
}

Interpreter::Fault Interpreter::Rows(const std::string& path, std::string_view head, Table& table,
                                     Collector& out) {
  const NameSource api_version("apiVersion", settings_.api_version, table);
  const NameSource protocol("protocol", settings_.protocol, table);
  std::set<std::size_t> left_out;
  if (!out.mapped()) {
    for (const auto* name : {&api_version, &protocol}) {
      if (name->column()) left_out.insert(*name->column());
    }
    if (!api_version.known() || !protocol.known()) {
      return Refusal{.why = std::string("no column ") +
                            (api_version.known() ? "protocol" : "apiVersion") +
                            ", and no option that says it; the columns are " + table.QuotedNames(),
                     .line = table.header_line()};
    }
  }
  CsvRow row;
  for (std::size_t number = 1;; ++number) {
    auto more = table.Next(row);
    if (!more) return std::move(more.error());
    if (!*more && number == 1)
      return Refusal{.why = "no row below the header", .line = table.header_line()};
    if (!*more) return std::nullopt;
    std::string event;
    if (out.mapped()) {
      event.append(head).append(",\"row\":").append(std::to_string(number));
      event.append(",\"line\":").append(std::to_string(row.line)) += ",\"columns\":";
      table.AppendColumns(event, row);
      event += '}';
    } else {
      event += '{';
      api_version.Append(event, row);
      protocol.Append(event, row);
      event += "\"spec\":";
      table.AppendColumns(event, row, left_out);
      event.append(",\"metadata\":{\"source\":").append(JsonString(watcher_)) += ",\"spec\":";
      event.append(Origin(path, number)) += "}}";
    }
    if (auto fault = out.Add(event, row.line)) return fault;
  }
}

Interpreter::Fault Interpreter::WholeTable(std::string_view head, Table& table, Collector& out) {
  std::string event(head);
  event += ",\"rows\":[";
  CsvRow row;
  bool any = false;
  for (;;) {
    auto more = table.Next(row);
    if (!more) return std::move(more.error());
    if (!*more) break;
    if (any) event += ',';
    any = true;
    table.AppendColumns(event, row);
    if (auto fault = out.Tick(event.size())) return fault;
  }
  if (!any) return Refusal{.why = "no row below the header", .line = table.header_line()};
  event += "]}";
  return out.Add(event, 0, "the whole file");
}

Interpreter::Fault Interpreter::Plate(const std::string& path, std::string_view head, Table& table,
                                      Collector& out) {
  auto where = WellColumns::Find(table.names());
  if (!where) {
    where.error().why += "; the columns are " + table.QuotedNames();
    return At(std::move(where.error()), table.header_line());
  }
  // Where there is nothing else, the wells that are listed are those that are used.
  const bool only_wells = table.names().size() == where->all().size();
  PlateMap plate(settings_.plate);
  CsvRow row;
  for (std::size_t number = 1;; ++number) {
    auto more = table.Next(row);
    if (!more) return std::move(more.error());
    if (!*more) break;
    auto well = where->WellOf(row);
    if (!well) return std::move(well.error());
    PlateMap::Content content{.line = row.line, .spec = {}, .metadata = {}};
    const bool any = table.AppendColumns(content.spec, row, where->all());
    if (!any && !only_wells) content.spec.clear();
    if (!out.mapped()) content.metadata = Origin(path, number);
    if (auto fault = plate.Add(*well, std::move(content))) return fault;
    if (auto fault = out.Tick(0)) return fault;
  }
  if (plate.blank()) return Refusal{.why = "no well has anything in it"};
  std::string size;
  AppendJson(size, plate.size());
  std::string event;
  if (out.mapped()) {
    event.append(head).append(",\"plate\":").append(size) += ",\"wells\":";
    plate.AppendWells(event, &PlateMap::Content::spec);
    event += '}';
  } else {
    event.append("{\"apiVersion\":").append(JsonString(settings_.api_version));
    event.append(",\"protocol\":").append(JsonString(settings_.protocol));
    event.append(",\"plate\":").append(size) += ",\"spec\":";
    plate.AppendWells(event, &PlateMap::Content::spec);
    event.append(",\"metadata\":{\"source\":").append(JsonString(watcher_)) += ",\"spec\":";
    plate.AppendWells(event, &PlateMap::Content::metadata);
    event += "}}";
  }
  return out.Add(event, 0, "the whole file");
}

}  // namespace tower::file
