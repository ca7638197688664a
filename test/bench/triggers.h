// The triggers that the benchmarks send: about 300 bytes each, no two alike.
#ifndef TEST_BENCH_TRIGGERS_H_
#define TEST_BENCH_TRIGGERS_H_

#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace tower::bench {

// Number `i`, as a client would send it: without uuid. post.lua makes the same ones.
inline std::string TriggerText(std::size_t i) {
  char text[512];
  const int size = std::snprintf(
      text, sizeof text,
      R"({"apiVersion":"ChiBio/v1alpha1/Reactor%zu","protocol":"Bioreactor","spec":)"
      R"({"temperature":%zu.5,"opticalDensity":0.%03zu,"volume":{"value":%zu.25,"unit":"mL"},)"
      R"("stirring":0.6,)"
      R"("pumps":["media","waste"],"light":null},"metadata":{"source":"riffyn","spec":)"
      R"({"experiment":"EXP-%08zu","step":"dilute","run":%zu,"operator":"j.doe@example.org"}}})",
      i % 8 + 1, 30 + i % 10, i % 1000, 10 + i % 15, i, i / 96);
  if (size <= 0 || static_cast<std::size_t>(size) >= sizeof text) {
    throw std::length_error("a trigger does not fit");
  }
  return text;
}

}  // namespace tower::bench

#endif  // TEST_BENCH_TRIGGERS_H_
