// The options of a `poll` watcher.
#ifndef PLUGINS_POLL_SETTINGS_H_
#define PLUGINS_POLL_SETTINGS_H_

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/http_client/client.h"
#include "core/options/options.h"
#include "core/watch/mapping.h"

namespace tower::poll {

// Stands for the whole document in an option, where an empty value means that it is not set.
inline constexpr std::string_view kWholeDocument = "#";

struct Settings {
  std::string url;
  std::vector<std::string> header;
  std::string token;
  std::chrono::milliseconds interval{60'000};
  std::string items, id;
  std::string fire_on = "new";
  std::string initial = "fire";
  std::string cursor, cursor_param;
  std::string next, next_param;
  std::int64_t max_pages = 100;
  std::chrono::milliseconds forget_after{86'400'000};
  std::chrono::milliseconds timeout{30'000};
  ByteSize max_body{16ULL << 20U};

  void Declare(OptionSet& options);
  void DeclareRules(OptionSet& options);

  // `interval`, varied by up to a tenth, so that many watchers of one service do not poll it at
  // once.
  std::chrono::milliseconds NextInterval(std::minstd_rand& random) const;
  bool NextIsLink() const { return next == "link"; }
  // The headers of every request. REQUIRES: the rules of Declare hold.
  HttpHeaders Headers() const;
};

}  // namespace tower::poll

#endif  // PLUGINS_POLL_SETTINGS_H_
