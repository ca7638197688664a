// A client of control-tower and of what is measured beside it.
//
//   bench-client PORT up PATH SECONDS          waits until GET PATH says 200; prints at_us=, in
//                                              microseconds since 1970
//   bench-client PORT metric NAME              prints the sum over all labels
//   bench-client PORT await NAME VALUE SECONDS waits until it is at least that; prints at_us=, and
//                                              the value= found
//   bench-client PORT post COUNT SIZE CONNECTIONS [FORMAT]
//                                              posts COUNT triggers, SIZE in a request (1: as an
//                                              object), as array (default) or ndjson; prints
//                                              accept_seconds=
//   bench-client PORT deliver COUNT SIZE CONNECTIONS [FORMAT]
//                                              the same, then waits until they are published;
//                                              prints seconds= as well
#include <httplib.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "test/bench/triggers.h"

namespace tower::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kPublished = "control_tower_triggers_published_total";

double Sum(std::string_view metrics, std::string_view name) {
  double sum = 0;
  while (!metrics.empty()) {
    const std::string_view line = metrics.substr(0, metrics.find('\n'));
    metrics.remove_prefix(std::min(line.size() + 1, metrics.size()));
    if (!line.starts_with(name) || line.size() == name.size()) continue;
    if (line[name.size()] != ' ' && line[name.size()] != '{') continue;
    sum += std::stod(std::string(line.substr(line.rfind(' '))));
  }
  return sum;
}

double Metric(httplib::Client& client, const std::string& name) {
  const auto answer = client.Get("/metrics");
  if (!answer || answer->status != 200) throw std::runtime_error("no answer to /metrics");
  return Sum(answer->body, name);
}

long long MicrosecondsNow() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

// Asks `there` every `interval_ms`.
template <typename There>
void Await(const char* what, double seconds, int interval_ms, There there) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  while (!there()) {
    if (Clock::now() > deadline)
      throw std::runtime_error(std::string("waited in vain for ") + what);
    ::poll(nullptr, 0, interval_ms);
  }
}

struct Reached {
  long long at_us;
  double value;
};

// Waits until the metric is `wanted`. Each answer costs the server processor time, which counts as
// the load's, so it asks again after half the time that the rest will take at the rate so far.
Reached AwaitMetric(httplib::Client& client, const std::string& name, double wanted,
                    double seconds) {
  const auto began = Clock::now();
  double first = -1;
  while (true) {
    const double value = Metric(client, name);
    const std::chrono::duration<double> waited = Clock::now() - began;
    if (value >= wanted) return {MicrosecondsNow(), value};
    if (waited.count() > seconds) throw std::runtime_error("waited in vain for " + name);
    if (first < 0) first = value;
    const double rest_ms =
        value > first ? 1000 * waited.count() * (wanted - value) / (value - first) : 0;
    ::poll(nullptr, 0, static_cast<int>(std::clamp(rest_ms / 2, 10.0, 1000.0)));
  }
}

struct Load {
  std::size_t count = 0, size = 0, connections = 0;
  bool ndjson = false;

  std::size_t requests() const { return count / size; }
  const char* type() const { return ndjson ? "application/x-ndjson" : "application/json"; }
};

// Counts divide without remainder: so every body may be sent more than once.
Load ParseLoad(const std::vector<std::string>& args) {
  const std::string format = args.size() > 5 ? args[5] : "array";
  const Load load{.count = std::stoul(args[2]),
                  .size = std::stoul(args[3]),
                  .connections = std::stoul(args[4]),
                  .ndjson = format == "ndjson"};
  if (format != "array" && format != "ndjson") throw std::runtime_error("no format " + format);
  if (load.size == 0 || load.connections == 0 || load.count % load.size != 0) {
    throw std::runtime_error("COUNT must be a multiple of SIZE, and CONNECTIONS at least 1");
  }
  return load;
}

std::string Body(const Load& load, std::size_t first) {
  if (load.size == 1) return TriggerText(first);
  std::string body;
  for (std::size_t i = first; i < first + load.size; ++i) {
    if (!load.ndjson) body += i == first ? '[' : ',';
    body += TriggerText(i);
    if (load.ndjson) body += '\n';
  }
  if (!load.ndjson) body += ']';
  return body;
}

// Made beforehand, so that making them costs nothing while the clock runs; of so many triggers at
// most, so that memory stays small for a load of any size.
std::vector<std::string> MakeBodies(const Load& load) {
  constexpr std::size_t kTriggers = 200'000;
  const std::size_t count = std::min(load.requests(), std::max(kTriggers / load.size, 1UL));
  std::vector<std::string> bodies;
  bodies.reserve(count);
  for (std::size_t i = 0; i < count; ++i) bodies.push_back(Body(load, i * load.size));
  return bodies;
}

class Poster {
 public:
  Poster(int port, const Load& load) : port_(port), load_(load), bodies_(MakeBodies(load)) {}

  // Returns once every request is answered.
  void Run() {
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < load_.connections; ++i) threads.emplace_back([this] { Post(); });
    }
    if (failed_) throw std::runtime_error("a request was not accepted");
  }

 private:
  void Post() {
    httplib::Client client("127.0.0.1", port_);
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);
    client.set_read_timeout(60);
    for (std::size_t i = following_++; i < load_.requests() && !failed_; i = following_++) {
      const auto answer = client.Post("/triggers", bodies_[i % bodies_.size()], load_.type());
      if (answer && answer->status == 202) continue;
      std::fprintf(stderr, "bench-client: request %zu: %s\n", i,
                   answer ? answer->body.c_str() : "no answer");
      failed_ = true;
    }
  }

  const int port_;
  const Load load_;
  const std::vector<std::string> bodies_;
  std::atomic<std::size_t> following_{0};
  std::atomic<bool> failed_{false};
};

void Post(httplib::Client& client, int port, const Load& load, bool until_published) {
  Poster poster(port, load);
  const double wanted =
      until_published ? Metric(client, kPublished) + static_cast<double>(load.count) : 0;
  const auto began = Clock::now();
  poster.Run();
  const std::chrono::duration<double> accepted = Clock::now() - began;
  if (until_published) {
    AwaitMetric(client, kPublished, wanted, 120);
    const std::chrono::duration<double> published = Clock::now() - began;
    std::printf("seconds=%.3f\n", published.count());
  }
  std::printf("accept_seconds=%.3f\n", accepted.count());
}

int Run(const std::vector<std::string>& args) {
  const int port = args.empty() ? 0 : std::stoi(args[0]);
  const std::string what = args.size() < 2 ? "" : args[1];
  httplib::Client client("127.0.0.1", port);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  if (what == "up" && args.size() == 4) {
    Await(args[2].c_str(), std::stod(args[3]), 1, [&] {
      const auto answer = client.Get(args[2]);
      return answer && answer->status == 200;
    });
    std::printf("at_us=%lld\n", MicrosecondsNow());
  } else if (what == "metric" && args.size() == 3) {
    std::printf("%.0f\n", Metric(client, args[2]));
  } else if (what == "await" && args.size() == 5) {
    const auto reached = AwaitMetric(client, args[2], std::stod(args[3]), std::stod(args[4]));
    std::printf("at_us=%lld\nvalue=%.0f\n", reached.at_us, reached.value);
  } else if ((what == "post" || what == "deliver") && (args.size() == 5 || args.size() == 6)) {
    Post(client, port, ParseLoad(args), what == "deliver");
  } else {
    std::fprintf(stderr, "usage: bench-client PORT up|metric|await|post|deliver ...\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace tower::bench

int main(int argc, char** argv) {
  try {
    return tower::bench::Run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench-client: %s\n", e.what());
    return 1;
  }
}
