// A client of control-tower: waits for it, reads its metrics, and posts batches.
//
//   bench-client PORT ready SECONDS                    waits until /readyz says 200
//   bench-client PORT metric NAME                      prints the sum over all labels
//   bench-client PORT await NAME VALUE SECONDS         waits until it is at least that
//   bench-client PORT batches COUNT SIZE CONNECTIONS   posts COUNT triggers and waits until they
//   are
//                                                      published; prints seconds=, accept_seconds=
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

// Asks `there` every few milliseconds.
template <typename There>
void Await(const char* what, double seconds, There there) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
  while (!there()) {
    if (Clock::now() > deadline)
      throw std::runtime_error(std::string("waited in vain for ") + what);
    ::poll(nullptr, 0, 10);
  }
}

std::vector<std::string> MakeBatches(std::size_t count, std::size_t size) {
  std::vector<std::string> batches;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % size == 0) batches.emplace_back();
    batches.back() += (i % size == 0 ? '[' : ',') + TriggerText(i);
  }
  for (std::string& batch : batches) batch += ']';
  return batches;
}

void Post(int port, const std::vector<std::string>& batches, std::atomic<std::size_t>& following,
          std::atomic<bool>& failed) {
  httplib::Client client("127.0.0.1", port);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  client.set_read_timeout(30);
  for (std::size_t i = following++; i < batches.size() && !failed; i = following++) {
    const auto answer = client.Post("/triggers", batches[i], "application/json");
    if (answer && answer->status == 202) continue;
    std::fprintf(stderr, "bench-client: batch %zu: %s\n", i,
                 answer ? answer->body.c_str() : "no answer");
    failed = true;
  }
}

void PostBatches(int port, std::size_t count, std::size_t size, std::size_t connections) {
  const auto batches = MakeBatches(count, size);
  httplib::Client client("127.0.0.1", port);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  const double wanted = Metric(client, kPublished) + static_cast<double>(count);

  std::atomic<std::size_t> following{0};
  std::atomic<bool> failed{false};
  const auto began = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < connections; ++i) {
      threads.emplace_back([&] { Post(port, batches, following, failed); });
    }
  }
  if (failed) throw std::runtime_error("a batch was not accepted");
  const std::chrono::duration<double> accepted = Clock::now() - began;
  Await("the confirms", 120, [&] { return Metric(client, kPublished) >= wanted; });
  const std::chrono::duration<double> published = Clock::now() - began;
  std::printf("seconds=%.3f\naccept_seconds=%.3f\n", published.count(), accepted.count());
}

int Run(const std::vector<std::string>& args) {
  const int port = args.empty() ? 0 : std::stoi(args[0]);
  const std::string what = args.size() < 2 ? "" : args[1];
  httplib::Client client("127.0.0.1", port);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  if (what == "ready" && args.size() == 3) {
    Await("/readyz", std::stod(args[2]), [&] {
      const auto answer = client.Get("/readyz");
      return answer && answer->status == 200;
    });
  } else if (what == "metric" && args.size() == 3) {
    std::printf("%.0f\n", Metric(client, args[2]));
  } else if (what == "await" && args.size() == 5) {
    Await(args[2].c_str(), std::stod(args[4]),
          [&] { return Metric(client, args[2]) >= std::stod(args[3]); });
  } else if (what == "batches" && args.size() == 5) {
    PostBatches(port, std::stoul(args[2]), std::stoul(args[3]), std::stoul(args[4]));
  } else {
    std::fprintf(stderr, "usage: bench-client PORT ready|metric|await|batches ...\n");
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
