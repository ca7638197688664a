// Options. One declaration per option defines its flag, its environment variable, its key in the
// configuration file, its default, its help and its row in a README. This package does not depend
// on a command line library; app/cli reads the sources and calls Option::Set.
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

// Prefix of the core's environment variables. It avoids a clash with the variables that Kubernetes
// sets for Services: a Service named server sets SERVER_PORT=tcp://… in the pods of its namespace.
inline constexpr std::string_view kVariablePrefix = "CONTROL_TOWER_";

// A size in bytes, written `512`, `64KiB`, `1MiB`, `1GiB`.
struct ByteSize {
  std::uint64_t bytes = 0;
  friend bool operator==(const ByteSize&, const ByteSize&) = default;
};

// Parses and formats the values of a type. Parse errors say what is expected ("a duration such as
// 500ms, 10s, 5m or 7d") and do not contain the text, which may be a secret.
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

// One option, created by OptionSet::Add. The modifiers below can be chained.
class Option {
 public:
  Option& Required();  // must be set to a value that is not empty
  Option& Secret();    // the value is never shown; prefer the _FILE form
  // For numbers, durations in milliseconds and sizes in bytes; both bounds are included.
  Option& Range(std::int64_t lowest, std::int64_t highest);
  Option& OneOf(std::vector<std::string> values);  // for text
  Option& NotEmpty();                              // for text and lists
  // For lists whose items contain no comma: a text with commas is split into several items.
  Option& Commas();
  // The value is the path of a file that is part of the configuration: on a reload (SIGHUP) a
  // change of the file counts as a change of the option.
  Option& File();

  // Properties of the declaration.
  const std::string& name() const noexcept { return name_; }  // "server.max-body"
  std::string Flag() const;                                   // "--server.max-body"
  // "CONTROL_TOWER_SERVER_MAX_BODY", or "PLUGIN_INBOX_PATH" for an option of a watcher.
  std::string Variable() const;
  const std::string& help() const noexcept { return help_; }
  std::string_view type() const noexcept { return type_; }  // "size"
  // "1MiB"; "" if there is no default.
  const std::string& default_text() const noexcept { return default_text_; }
  std::string Rule() const;  // "a size such as …, from 1KiB to 1GiB"
  bool required() const noexcept { return required_; }
  bool secret() const noexcept { return secret_; }
  // A repeated flag adds items; variables are split at commas.
  bool list() const noexcept { return list_; }
  bool commas() const noexcept { return commas_; }
  bool boolean() const noexcept { return boolean_; }  // the flag needs no value

  // Checks the texts (exactly one unless list()) and stores the value in the bound variable. On an
  // error nothing is stored; the message contains the rule and, unless secret(), the value.
  Status Set(const std::vector<std::string>& texts);
  bool was_set() const noexcept { return was_set_; }
  // The current value as text; "***" if it is a secret and set.
  std::string Shown() const;
  // A digest of the current value and, with File(), of the current content of the file. Equal
  // configurations have equal fingerprints; the fingerprint does not reveal the value.
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

// Whether an environment variable of this name belongs to control-tower. Its value may be a secret.
bool IsOurVariable(std::string_view name) noexcept;

// A rule over several options: see OptionSet::Check, CheckWorld and Warn.
struct OptionRule {
  std::vector<std::string> reads;  // full names of the options, such as "plugin.inbox.path"
  std::function<Status()> holds;
  bool world = false;
  bool warning = false;
};

// The options of the core (prefix "") or of one watcher (prefix "plugin.inbox"). Bound variables
// must outlive the set. Not thread-safe; used while a configuration is read.
class OptionSet {
 public:
  explicit OptionSet(std::string prefix = {}) : prefix_(std::move(prefix)) {}
  OptionSet(const OptionSet&) = delete;
  OptionSet& operator=(const OptionSet&) = delete;

  // Declares an option that is bound to `value`; the current value is the default. `name` is lower
  // case with dashes, and with dots between groups. T is std::string, bool, std::int64_t,
  // std::chrono::milliseconds, ByteSize, any other type with an OptionCodec, or a vector of one of
  // these.
  template <typename T>
  Option& Add(std::string_view name, T* value, std::string_view help);

  // Adds a rule over several options, such as "cert needs key". `reads` contains their names as
  // passed to Add. The rule is evaluated once all of them have their values; its error is reported
  // like an error of an option.
  void Check(const std::vector<std::string_view>& reads, std::function<Status()> rule);
  // Like Check, for a rule about the environment (does the folder exist?). It is evaluated by
  // `control-tower check` and on a reload, and only if the other rules over these options hold. It
  // must not change anything.
  void CheckWorld(const std::vector<std::string_view>& reads, std::function<Status()> rule);
  // Like Check, for a rule whose error is only a warning. `control-tower check` reports it, and the
  // log when these options come into force.
  void Warn(const std::vector<std::string_view>& reads, std::function<Status()> rule);

  const std::string& prefix() const noexcept { return prefix_; }
  std::deque<Option>& all() noexcept { return options_; }
  const std::deque<Option>& all() const noexcept { return options_; }
  const std::vector<OptionRule>& rules() const noexcept { return rules_; }
  // The errors of all rules, including those of CheckWorld if `world` is set. Rules that read an
  // option in `refused` (options whose given value was invalid) are skipped.
  std::vector<Error> Faults(std::set<std::string> refused, bool world) const;
  // The errors of the rules added with Warn. REQUIRES: the options have no faults.
  std::vector<Error> Warnings() const;
  // The combined fingerprint of all options.
  std::string Fingerprint() const;

 private:
  std::string prefix_;
  std::deque<Option> options_;  // a deque, so that references stay valid
  std::string FullName(std::string_view name) const;
  OptionRule& AddRule(const std::vector<std::string_view>& reads, std::function<Status()> rule);
  std::vector<OptionRule> rules_;
};

}  // namespace tower

#include "core/options/options_inl.h"

#endif  // CORE_OPTIONS_OPTIONS_H_
