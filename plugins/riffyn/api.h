// The calls of the API.
#ifndef PLUGINS_RIFFYN_API_H_
#define PLUGINS_RIFFYN_API_H_

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/log.h"
#include "core/base/result.h"
#include "core/http_client/client.h"
#include "plugins/riffyn/answers.h"
#include "plugins/riffyn/gate.h"
#include "plugins/riffyn/settings.h"

namespace tower::riffyn {

// All pages of a list. An item that was on two pages is in it once, as it was last.
template <typename Item>
struct List {
  std::vector<Item> items;
  bool whole = true;  // false: some items have no id
};

// Whether an error is one of what was asked for alone: the next thing can be asked. Of these,
// kUnavailable and kTimeout are the service's, and kNotFound is a definite answer that is of no
// use. Any other error ends the watch.
bool IsOfPlace(const Error& error) noexcept;

// One connection. Used by one thread.
//
// Waits at the gate before each request. A 429 closes it, for as long as Retry-After says, and is
// asked again. Errors: kStopped; kPermanent for 401 and 403; else as IsOfPlace says, and those of
// HttpClient.
class Api {
 public:
  // All must outlive the Api.
  static Result<std::unique_ptr<Api>> Make(const Settings& settings, Gate& gate, const Logger& log);

  Result<List<std::string>> Experiments(const std::stop_token& stop);
  Result<List<std::string>> Groups(const std::string& experiment, const std::stop_token& stop);
  Result<List<Run>> Runs(const std::string& experiment, const std::string& group,
                         const std::stop_token& stop);
  Result<Activity> ActivityOf(const std::string& experiment, const std::string& activity,
                              const std::stop_token& stop);
  // Of runs of one activity; several requests where there are many.
  Result<RawData> RawDataOf(const std::string& experiment, const std::string& activity,
                            const std::vector<const Run*>& runs, const std::stop_token& stop);

 private:
  Api(const Settings& settings, Gate& gate, const Logger& log, std::unique_ptr<HttpClient> client);

  // `target` begins with a slash and follows the base.
  Result<std::string> Get(const std::string& target, const std::stop_token& stop);
  template <typename Item, typename Read>
  Result<List<Item>> ReadList(const std::string& path, const std::stop_token& stop,
                              const Read& read);

  const std::string base_;
  const HttpHeaders headers_;
  const std::size_t page_size_;
  Gate& gate_;
  const Logger& log_;
  const std::unique_ptr<HttpClient> client_;
  std::size_t largest_page_ = 0;  // that ever came
};

}  // namespace tower::riffyn

#endif  // PLUGINS_RIFFYN_API_H_
