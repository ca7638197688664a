// Counters, gauges and histograms, and their Prometheus text format (exposition format 0.0.4). No
// label may have values that a client can choose.
#ifndef CORE_BASE_METRICS_H_
#define CORE_BASE_METRICS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tower {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// A monotonic counter. Thread-safe; Add is one relaxed atomic addition.
class Counter {
 public:
  void Add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// A value that can go up and down. Thread-safe.
class Gauge {
 public:
  void Set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Durations in seconds, in fixed buckets from 100 µs to 10 s. Thread-safe; only relaxed atomic
// additions.
class Histogram {
 public:
  static constexpr std::array<double, 16> kBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                     0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                                     1.0,    2.5,     5.0,    10.0};
  void Observe(double seconds) noexcept;
  struct Snapshot {
    // One count per bucket, not cumulative; the last bucket is +Inf.
    std::array<std::uint64_t, kBounds.size() + 1> counts;
    double sum;
  };
  Snapshot Read() const noexcept;

 private:
  std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> counts_{};
  std::atomic<std::uint64_t> sum_nanoseconds_{0};
};

// All metrics of the process. Names are passed without the prefix "control_tower_". The same name
// and labels return the same object. References stay valid as long as the Metrics object.
// Thread-safe; each lookup takes a lock, so keep the reference where it is used often.
class Metrics {
 public:
  Counter& GetCounter(std::string_view name, std::string_view help,
                      const MetricLabels& labels = {});
  Gauge& GetGauge(std::string_view name, std::string_view help, const MetricLabels& labels = {});
  Histogram& GetHistogram(std::string_view name, std::string_view help,
                          const MetricLabels& labels = {});
  // A gauge whose value is read at each Render. `read` must stay callable from any thread as long
  // as the Metrics object exists, or until the gauge is set again with nullptr.
  void SetGauge(std::string_view name, std::string_view help, std::function<double()> read,
                const MetricLabels& labels = {});

  // Omits the metric from Render until it is looked up again, for example after a watcher was
  // removed. References to it stay valid.
  void Forget(std::string_view name, const MetricLabels& labels);

  // All metric families, sorted by name, with HELP and TYPE.
  std::string Render() const;

 private:
  struct Family;
  Family& FamilyOf(std::string_view name, std::string_view help, std::string_view type);
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;

 public:
  Metrics();
  ~Metrics();
};

// Counters that several packages use: triggers stored on disk, and events and requests that did not
// become triggers. `source` is the watcher's name, or "http".
Counter& AcceptedCounter(Metrics& metrics, std::string_view source);
Counter& RejectedCounter(Metrics& metrics, std::string_view source, std::string_view reason);

}  // namespace tower

#endif  // CORE_BASE_METRICS_H_
