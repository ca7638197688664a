#include "core/base/metrics.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <limits>
#include <thread>

namespace tower {
namespace {

using Catch::Matchers::ContainsSubstring;

TEST_CASE("metrics are rendered as Prometheus text, families by name", "[metrics]") {
  Metrics metrics;
  metrics.GetCounter("triggers_total", "Triggers.", {{"source", "inbox"}}).Add(3);
  metrics.GetCounter("triggers_total", "Triggers.", {{"source", "http"}}).Add();
  metrics.GetGauge("connected", "Whether.").Set(1);
  CHECK(metrics.Render() ==
        "# HELP control_tower_connected Whether.\n"
        "# TYPE control_tower_connected gauge\n"
        "control_tower_connected 1\n"
        "# HELP control_tower_triggers_total Triggers.\n"
        "# TYPE control_tower_triggers_total counter\n"
        "control_tower_triggers_total{source=\"http\"} 1\n"
        "control_tower_triggers_total{source=\"inbox\"} 3\n");
}

TEST_CASE("the same name and labels are the same metric", "[metrics]") {
  Metrics metrics;
  auto& one = metrics.GetCounter("n_total", "", {{"a", "1"}, {"b", "2"}});
  CHECK(&one == &metrics.GetCounter("n_total", "", {{"b", "2"}, {"a", "1"}}));
  CHECK(&one != &metrics.GetCounter("n_total", "", {{"a", "2"}, {"b", "1"}}));
  CHECK_THROWS(metrics.GetGauge("n_total", ""));
}

TEST_CASE("label values and help are escaped", "[metrics]") {
  Metrics metrics;
  metrics.GetGauge("g", "a\\b\nc \"d\"", {{"path", "C:\\x\n\"y\""}}).Set(0.5);
  CHECK(metrics.Render() ==
        "# HELP control_tower_g a\\\\b\\nc \"d\"\n"
        "# TYPE control_tower_g gauge\n"
        "control_tower_g{path=\"C:\\\\x\\n\\\"y\\\"\"} 0.5\n");
}

TEST_CASE("a histogram's buckets add up", "[metrics]") {
  Metrics metrics;
  auto& histogram = metrics.GetHistogram("seconds", "Time.", {{"route", "/"}});
  histogram.Observe(0.0001);  // a bound belongs to its bucket
  histogram.Observe(0.003);
  histogram.Observe(100);
  histogram.Observe(-1);
  histogram.Observe(std::numeric_limits<double>::quiet_NaN());
  const auto text = metrics.Render();
  CHECK_THAT(text, ContainsSubstring("# TYPE control_tower_seconds histogram\n"));
  CHECK_THAT(text, ContainsSubstring("_bucket{route=\"/\",le=\"0.0001\"} 3\n"));
  CHECK_THAT(text, ContainsSubstring("_bucket{route=\"/\",le=\"0.0025\"} 3\n"));
  CHECK_THAT(text, ContainsSubstring("_bucket{route=\"/\",le=\"0.005\"} 4\n"));
  CHECK_THAT(text, ContainsSubstring("_bucket{route=\"/\",le=\"10\"} 4\n"));
  CHECK_THAT(text, ContainsSubstring("_bucket{route=\"/\",le=\"+Inf\"} 5\n"));
  CHECK_THAT(text, ContainsSubstring("_sum{route=\"/\"} 100.0031\n"));
  CHECK_THAT(text, ContainsSubstring("_count{route=\"/\"} 5\n"));
}

TEST_CASE("an asked gauge is read at each render until it is taken away", "[metrics]") {
  Metrics metrics;
  double value = 1;
  metrics.SetGauge("depth", "Depth.", [&] {
    metrics.GetCounter("reads_total", "").Add();  // no lock is held that this would need
    return value;
  });
  CHECK_THAT(metrics.Render(), ContainsSubstring("control_tower_depth 1\n"));
  value = 2.5;
  CHECK_THAT(metrics.Render(), ContainsSubstring("control_tower_depth 2.5\n"));
  metrics.SetGauge("depth", "Depth.", nullptr);
  CHECK_THAT(metrics.Render(), !ContainsSubstring("depth"));
}

TEST_CASE("values that are not finite are written as Prometheus reads them", "[metrics]") {
  Metrics metrics;
  metrics.GetGauge("a", "").Set(std::numeric_limits<double>::infinity());
  metrics.GetGauge("b", "").Set(-std::numeric_limits<double>::infinity());
  metrics.GetGauge("c", "").Set(std::numeric_limits<double>::quiet_NaN());
  const auto text = metrics.Render();
  CHECK_THAT(text, ContainsSubstring("_a +Inf\n"));
  CHECK_THAT(text, ContainsSubstring("_b -Inf\n"));
  CHECK_THAT(text, ContainsSubstring("_c NaN\n"));
}

TEST_CASE("metrics may be made, counted and rendered by many threads", "[metrics]") {
  Metrics metrics;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&metrics] {
        for (int n = 0; n < 1000; ++n) {
          metrics.GetCounter("n_total", "", {{"k", std::to_string(n % 10)}}).Add();
          metrics.GetHistogram("s", "").Observe(0.001);
          if (n % 100 == 0) metrics.Render();
        }
      });
    }
  }
  CHECK(metrics.GetCounter("n_total", "", {{"k", "3"}}).value() == 400);
  CHECK_THAT(metrics.Render(), ContainsSubstring("control_tower_s_count 4000\n"));
}

TEST_CASE("a metric that was forgotten is left out until it is asked for again", "[metrics]") {
  Metrics metrics;
  auto& gone = metrics.GetGauge("up", "Up.", {{"watcher", "gone"}});
  metrics.GetGauge("up", "Up.", {{"watcher", "here"}}).Set(1);
  metrics.Forget("up", {{"watcher", "gone"}});
  metrics.Forget("up", {{"watcher", "nobody"}});
  metrics.Forget("nothing", {});
  gone.Set(1);  // by a thread that has yet to hear of it
  CHECK_THAT(metrics.Render(), !ContainsSubstring("gone"));
  CHECK_THAT(metrics.Render(), ContainsSubstring("up{watcher=\"here\"} 1\n"));
  metrics.Forget("up", {{"watcher", "here"}});
  CHECK(metrics.Render().empty());
  CHECK(&metrics.GetGauge("up", "Up.", {{"watcher", "gone"}}) == &gone);
  CHECK_THAT(metrics.Render(), ContainsSubstring("up{watcher=\"gone\"} 1\n"));
}

}  // namespace
}  // namespace tower
