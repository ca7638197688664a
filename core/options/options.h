// One declaration per option gives its flag, its environment variable, its key in the configuration
// file, its default, its help and its row in a README. It knows no command line library;
// app/cli reads the sources and calls Set.
#ifndef CORE_OPTIONS_OPTIONS_H_
#define CORE_OPTIONS_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace tower {

// What the core's variables begin with. It keeps them apart from what Kubernetes sets for its
// Services: SERVER_PORT=tcp://… in every pod beside a Service named server.
inline constexpr std::string_view kVariablePrefix = "CONTROL_TOWER_";

// A size in bytes, written `512`, `64KiB`, `1MiB`, `1GiB`.
struct ByteSize {
  std::uint64_t bytes = 0;
  friend bool operator==(const ByteSize&, const ByteSize&) = default;
};

// How a type is read from text and written back. Parse errors say what is expected ("a duration
// such as 500ms, 10s, 5m or 7d"); they don't repeat the text, which may be a secret.
template <typename T>
struct OptionCodec;

template <>
struct OptionCodec<std::string> {
  static constexpr std::string_view kType = "text";
  static Result<std::string> Parse(std::string_view text) { return std::string(text); }
  static std::string Format(const std::string& value) { return value; }
};
template <>
struct OptionCodec<bool> {  // true, false
  static constexpr std::string_view kType = "true|false";
  static Result<bool> Parse(std::string_view text);
  static std::string Format(bool value) { return value ? "true" : "false"; }
};
template <>
struct OptionCodec<std::int64_t> {
  static constexpr std::string_view kType = "number";
  static Result<std::int64_t> Parse(std::string_view text);
  static std::string Format(std::int64_t value) { return std::to_string(value); }
};
template <>
struct OptionCodec<std::chrono::milliseconds> {  // 500ms, 10s, 5m, 2h, 7d
  static constexpr std::string_view kType = "duration";
  static Result<std::chrono::milliseconds> Parse(std::string_view text);
  static std::string Format(std::chrono::milliseconds value);
};
template <>
struct OptionCodec<ByteSize> {
  static constexpr std::string_view kType = "size";
  static Result<ByteSize> Parse(std::string_view text);
  static std::string Format(ByteSize value);
};

// One option. Made by OptionSet::Add; the calls below refine it and can be chained.
class Option {
 public:
  Option& Required();  // must be set to something that is not empty
  Option& Secret();    // its value is never shown; prefer the _FILE form
  Option& Range(std::int64_t lowest,
                std::int64_t highest);  // for numbers, milliseconds and bytes, both ends included
  Option& OneOf(std::vector<std::string> values);  // for text
  Option& NotEmpty();                              // for text and lists
  Option& Commas();  // no item of this list has a comma in it: a text with some is several items
  Option& File();    // its value names a file whose content belongs to the configuration: a reload
                     // (SIGHUP) takes a change of it for a change of the option

  // What the declaration says.
  const std::string& name() const noexcept { return name_; }  // "server.max-body"
  std::string Flag() const;                                   // "--server.max-body"
  // "CONTROL_TOWER_SERVER_MAX_BODY", or "PLUGIN_INBOX_PATH" for an option of a watcher.
  std::string Variable() const;
  const std::string& help() const noexcept { return help_; }
  std::string_view type() const noexcept { return type_; }  // "size"
  const std::string& default_text() const noexcept {
    return default_text_;
  }                          // "1MiB"; "" where there is none
  std::string Rule() const;  // "a size such as …, from 1KiB to 1GiB"
  bool required() const noexcept { return required_; }
  bool secret() const noexcept { return secret_; }
  bool list() const noexcept {
    return list_;
  }  // a repeated flag adds; variables are split at commas
  bool commas() const noexcept { return commas_; }
  bool boolean() const noexcept { return boolean_; }  // the flag may stand alone

  // Checks the texts (exactly one unless list()) and stores the value in the bound variable. On an
  // error nothing is stored; the message names the rule and, unless secret(), the value.
  Status Set(const std::vector<std::string>& texts);
  bool was_set() const noexcept { return was_set_; }
  // The current value as text; "***" for a secret that is set.
  std::string Shown() const;
  // A digest of the current value and, for a File(), of that file's content at this moment: equal
  // for equal configurations, and silent about what they are.
  std::string Fingerprint() const;

 private:
  friend class OptionSet;
  std::string name_, help_, default_text_;
  std::string_view type_;
  bool required_ = false, secret_ = false, list_ = false, boolean_ = false, not_empty_ = false;
  bool file_ = false, commas_ = false, was_set_ = false;
  std::vector<std::string> one_of_;
  bool has_range_ = false;
  std::int64_t lowest_ = 0, highest_ = 0;
  std::function<Status(const std::vector<std::string>&, const Option&)> store_;
  std::function<std::vector<std::string>()> texts_;  // the current value; one unless list_
  Status CheckNumber(std::int64_t value) const;      // against Range
  Status CheckText(std::string_view value) const;    // against OneOf and NotEmpty
};

// Whether an environment variable of this name sets an option: it may hold a secret.
bool IsOurVariable(std::string_view name) noexcept;

// See OptionSet::Check.
struct OptionRule {
  std::vector<std::string> reads;  // "plugin.inbox.path"
  std::function<Status()> holds;
  bool world = false;
  bool warning = false;
};

// The options of one group: the core's ("") or one watcher's ("plugin.inbox"). Bound variables must
// outlive the set. Not thread-safe; used while a configuration is read.
class OptionSet {
 public:
  explicit OptionSet(std::string prefix = {}) : prefix_(std::move(prefix)) {}
  OptionSet(const OptionSet&) = delete;
  OptionSet& operator=(const OptionSet&) = delete;

  // The variable's value at this moment is the default. `name` is lower case with dashes, and dots
  // between groups. T: std::string, bool, std::int64_t, std::chrono::milliseconds, ByteSize, any
  // type with an OptionCodec, or a vector of one.
  template <typename T>
  Option& Add(std::string_view name, T* value, std::string_view help);

  // A rule over the options that `reads` names, as Add was told them ("cert needs key"). It is
  // asked once each of them has the value that it was given. Its error is reported like theirs.
  void Check(const std::vector<std::string_view>& reads, std::function<Status()> rule);
  // The same for what the world has to have (does the folder exist?): for `control-tower check` and
  // a reload, and only where the rules over these options hold. Changes nothing.
  void CheckWorld(const std::vector<std::string_view>& reads, std::function<Status()> rule);
  // A rule that may be broken: its error is a warning, which `control-tower check` tells, and the
  // log when these options come into force.
  void Warn(const std::vector<std::string_view>& reads, std::function<Status()> rule);

  const std::string& prefix() const noexcept { return prefix_; }
  std::deque<Option>& all() noexcept { return options_; }
  const std::deque<Option>& all() const noexcept { return options_; }
  const std::vector<OptionRule>& rules() const noexcept { return rules_; }
  // What all rules say, with `world` those over the world too; without those that read an option
  // whose name is in `refused`: it lacks the value that it was given.
  std::vector<Error> Faults(std::set<std::string> refused, bool world) const;
  // What the rules of Warn say, of options that have no fault.
  std::vector<Error> Warnings() const;
  // Of all its options together.
  std::string Fingerprint() const;

 private:
  std::string prefix_;
  std::deque<Option> options_;  // a deque: references stay valid
  std::string FullName(std::string_view name) const;
  OptionRule& AddRule(const std::vector<std::string_view>& reads, std::function<Status()> rule);
  std::vector<OptionRule> rules_;
};

}  // namespace tower

#include "core/options/options_inl.h"

#endif  // CORE_OPTIONS_OPTIONS_H_
