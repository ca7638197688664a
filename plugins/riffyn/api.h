// The API of Riffyn Nexus: what is requested, how the answers are read, and how the requests of
// several threads are held back when the service asks for it.
#ifndef PLUGINS_RIFFYN_API_H_
#define PLUGINS_RIFFYN_API_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/log.h"
#include "core/base/result.h"
#include "core/http_client/client.h"
#include "plugins/riffyn/settings.h"

namespace tower::riffyn {

// --- Answers -----------------------------------------------------------------------------------

// Member names are read in snake_case and in camelCase. Members that are not needed are ignored.

// A resource that a run uses as an input.
struct Resource {
  std::string name;
  std::string input;  // the id of that input of the activity
};

enum class RunState : std::uint8_t {
  kRunning,
  kIdle,  // new, stopped, completed
  kDeleted,
  kUnknown,  // an undocumented status, or a running run without activity or number
};

struct Run {
  std::string id;
  std::string name;
  std::string number;  // `num`
  std::string activity;
  std::string group;
  RunState state = RunState::kUnknown;
  std::string problem;              // why the state is unknown
  std::vector<Resource> resources;  // those whose name is an API version
};

// One page of a list.
template <typename Item>
struct Page {
  std::vector<Item> items;
  std::size_t size = 0;  // including items without an id, which are not in `items`
};

// kNotFound: the answer is not a list.
Result<Page<std::string>> ReadIds(std::string_view json);
// `group` is the run group of runs that name none.
Result<Page<Run>> ReadRuns(std::string_view json, const std::string& group);

struct Property {
  std::string id;
  std::string name;
};
struct ActivityInput {
  std::string id;
  std::vector<Property> properties;
};
struct Activity {
  std::string name;
  std::vector<ActivityInput> inputs;
};
// kNotFound: the answer is not an activity.
Result<Activity> ReadActivity(std::string_view json);

// The first row of a run's data table: column -> value as JSON, byte for byte, without nulls.
using Row = std::map<std::string, std::string, std::less<>>;
// The name of the column with the value of a property.
std::string ColumnOf(std::string_view activity, std::string_view input, std::string_view property);
// Run -> row, for runs that have a table. The row of an empty table is empty.
using RawData = std::map<std::string, Row, std::less<>>;
// kNotFound: the answer is not raw data.
Result<RawData> ReadRawData(std::string_view json);

// Whether the name of a resource is an API version: `Name/v1alpha1` or `Name/v1alpha1/device`. Name
// and device consist of ASCII letters, digits, `-`, `_` and `.`, and begin with a letter or digit.
// The version is `v` and a number, optionally followed by `alpha` or `beta` and a number. At most
// kMaxNameBytes.
bool IsApiVersion(std::string_view text);

// --- Requests ----------------------------------------------------------------------------------

// Percent-encodes a segment of a path: like PercentEncode, and `.` and `..` as well.
std::string Escape(std::string_view text);
// Nothing if Escape does not make the text.
std::optional<std::string> Unescape(std::string_view text);

// What the threads that send requests share: until when the service is left in peace, and whether
// it has failed. Thread-safe.
class Throttle {
 public:
  // Waits while requests are paused. False as soon as stop is requested.
  bool Wait(const std::stop_token& stop) const;
  // Pauses requests. True if this is the first pause since a poll without one, so that it is logged
  // once.
  bool Pause(std::chrono::milliseconds time);

  void BeginPoll();
  // The service answered.
  void RecordSuccess();
  // The service did not answer, or answered with 5xx.
  void RecordFailure(const Error& error);
  // The service still throttles a request after the last attempt: ends the poll.
  void Trip(const Error& error);
  // The last error, from the third failure in a row until the next poll begins: no more requests
  // are to be sent. Nothing: the service works.
  std::optional<Error> Outage() const;

 private:
  mutable std::mutex mutex_;
  std::chrono::steady_clock::time_point paused_until_{};
  bool paused_in_poll_ = false;
  bool paused_before_ = false;
  int failures_ = 0;  // in a row
  Error last_;
};

// All pages of a list. An item that is on several pages is in it once, in its last version.
template <typename Item>
struct List {
  std::vector<Item> items;
  bool whole = true;  // false: some items have no id
};

// Whether an error affects one resource only, so that the poll continues with the next one:
// kUnavailable and kTimeout (the service failed), kNotFound (the answer is of no use). Any other
// error ends the watcher's run.
bool IsSkippable(const Error& error) noexcept;

// The requests, over one connection. Used by one thread.
//
// Waits for the throttle before each request. A 429 pauses all requests for as long as Retry-After
// says, then the request is sent again. Errors: kStopped; kPermanent for 401 and 403; those that
// IsSkippable names; those of HttpClient.
class Api {
 public:
  // All must outlive the Api.
  static Result<std::unique_ptr<Api>> Make(const Settings& settings, Throttle& throttle,
                                           const Logger& log);

  Result<List<std::string>> Experiments(const std::stop_token& stop);
  Result<List<std::string>> Groups(const std::string& experiment, const std::stop_token& stop);
  Result<List<Run>> Runs(const std::string& experiment, const std::string& group,
                         const std::stop_token& stop);
  Result<Activity> ActivityOf(const std::string& experiment, const std::string& activity,
                              const std::stop_token& stop);
  // `runs` are of one activity. Sends several requests if there are many.
  Result<RawData> RawDataOf(const std::string& experiment, const std::string& activity,
                            const std::vector<const Run*>& runs, const std::stop_token& stop);

 private:
  Api(const Settings& settings, Throttle& throttle, const Logger& log,
      std::unique_ptr<HttpClient> client);

  // `target` begins with a slash and is appended to the base URL.
  Result<std::string> Get(const std::string& target, const std::stop_token& stop);
  template <typename Item, typename Read>
  Result<List<Item>> ReadList(const std::string& path, const std::stop_token& stop,
                              const Read& read);

  const std::string base_;
  const HttpHeaders headers_;
  const std::size_t page_size_;
  Throttle& throttle_;
  const Logger& log_;
  const std::unique_ptr<HttpClient> client_;
  std::size_t largest_page_ = 0;  // received so far
};

// Sends several requests at a time, each thread over a connection of its own.
class ApiPool {
 public:
  // `settings.concurrency` of them. All must outlive the pool.
  static Result<ApiPool> Make(const Settings& settings, Throttle& throttle, const Logger& log);

  Api& first() noexcept { return *apis_[0]; }
  std::size_t size() const noexcept { return apis_.size(); }

  // Calls `request` once for each number below `count`, and returns when all calls have returned. A
  // pool of one calls from this thread. Throws what a call threw.
  void ForEach(std::size_t count, const std::function<void(Api&, std::size_t)>& request);

 private:
  std::vector<std::unique_ptr<Api>> apis_;
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_API_H_
