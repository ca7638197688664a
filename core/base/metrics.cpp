#include "core/base/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <variant>

namespace tower {
namespace {

constexpr std::string_view kPrefix = "control_tower_";

std::string Escaped(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

// `name="value",…` without the braces, independent of the order of the labels.
std::string LabelText(MetricLabels labels) {
  std::sort(labels.begin(), labels.end());
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += name + "=\"" + Escaped(value, true) + '"';
  }
  return out;
}

std::string Number(double value) {
  constexpr double kReadable = 1e15;  // larger numbers are easier to read with an exponent
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == std::floor(value) && std::abs(value) < kReadable) {
    return std::to_string(static_cast<std::int64_t>(value));  // as below, but much faster
  }
  std::array<char, 64> text{};
  const bool fixed = value == 0 || (std::abs(value) >= 1e-6 && std::abs(value) < kReadable);
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific)
                       .ptr;
  return {text.data(), end};
}

void AppendSample(std::string& out, std::string_view name, std::string_view labels,
                  std::string_view value) {
  out.append(name);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.append(" ").append(value).append("\n");
}

// `le="0.001"` and so on, one for each bucket.
const std::vector<std::string>& BoundLabels() {
  static const auto labels = [] {
    std::vector<std::string> made;
    for (const double bound : Histogram::kBounds) made.push_back("le=\"" + Number(bound) + '"');
    made.emplace_back("le=\"+Inf\"");
    return made;
  }();
  return labels;
}

void AppendHistogram(std::string& out, const std::string& name, const std::string& labels,
                     const Histogram::Snapshot& read) {
  const std::string before = labels.empty() ? "" : labels + ",";
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < read.counts.size(); ++i) {
    total += read.counts[i];
    AppendSample(out, name + "_bucket", before + BoundLabels()[i], std::to_string(total));
  }
  AppendSample(out, name + "_sum", labels, Number(read.sum));
  AppendSample(out, name + "_count", labels, std::to_string(total));
}

// A gauge with a callback. It has its own lock, so that `read` may take locks that are held during
// metric lookups, and so that `read` is not called after it was removed.
struct AskedGauge {
  std::mutex mutex;
  std::function<double()> read;
};

using Metric = std::variant<std::monostate, std::unique_ptr<Counter>, std::unique_ptr<Gauge>,
                            std::unique_ptr<Histogram>, std::unique_ptr<AskedGauge>>;

}  // namespace

struct Metrics::Family {
  struct Entry {
    Metric metric;
    bool forgotten = false;
  };
  std::string help;
  std::string_view type;
  std::map<std::string, Entry> metrics;  // by label text

  template <typename T>
  T& Get(const MetricLabels& labels) {
    auto& [metric, forgotten] = metrics[LabelText(labels)];
    forgotten = false;
    if (std::holds_alternative<std::monostate>(metric)) metric = std::make_unique<T>();
    return *std::get<std::unique_ptr<T>>(metric);
  }
};

void Histogram::Observe(double seconds) noexcept {
  constexpr double kMost = 1e9;  // seconds; far from overflowing the sum
  if (!(seconds > 0)) seconds = 0;
  seconds = std::min(seconds, kMost);
  const auto bucket = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_nanoseconds_.fetch_add(static_cast<std::uint64_t>(seconds * 1e9), std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::Read() const noexcept {
  Snapshot out{};
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    out.counts[i] = counts_[i].load(std::memory_order_relaxed);
  }
  out.sum = static_cast<double>(sum_nanoseconds_.load(std::memory_order_relaxed)) / 1e9;
  return out;
}

Metrics::Metrics() = default;
Metrics::~Metrics() = default;

Metrics::Family& Metrics::FamilyOf(std::string_view name, std::string_view help,
                                   std::string_view type) {
  auto& family = families_[std::string(kPrefix).append(name)];
  if (!family) family = std::make_unique<Family>(Family{std::string(help), type, {}});
  if (family->type != type) throw std::logic_error("metric of two types: " + std::string(name));
  return *family;
}

Counter& Metrics::GetCounter(std::string_view name, std::string_view help,
                             const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  return FamilyOf(name, help, "counter").Get<Counter>(labels);
}

Gauge& Metrics::GetGauge(std::string_view name, std::string_view help, const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  return FamilyOf(name, help, "gauge").Get<Gauge>(labels);
}

Histogram& Metrics::GetHistogram(std::string_view name, std::string_view help,
                                 const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  return FamilyOf(name, help, "histogram").Get<Histogram>(labels);
}

void Metrics::SetGauge(std::string_view name, std::string_view help, std::function<double()> read,
                       const MetricLabels& labels) {
  AskedGauge* gauge = nullptr;
  {
    const std::lock_guard lock(mutex_);
    gauge = &FamilyOf(name, help, "gauge").Get<AskedGauge>(labels);
  }
  const std::lock_guard lock(gauge->mutex);
  gauge->read = std::move(read);
}

void Metrics::Forget(std::string_view name, const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  const auto family = families_.find(std::string(kPrefix).append(name));
  if (family == families_.end()) return;
  const auto entry = family->second->metrics.find(LabelText(labels));
  if (entry != family->second->metrics.end()) entry->second.forgotten = true;
}

std::string Metrics::Render() const {
  struct Sample {
    const std::string* labels;
    const Metric* metric;
  };
  struct Copy {
    const std::string* name;
    const Family* family;
    std::vector<Sample> samples;
  };
  // Entries are never erased, so copied pointers can be used without the lock.
  std::vector<Copy> copies;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, family] : families_) {
      auto& copy = copies.emplace_back(Copy{&name, family.get(), {}});
      for (const auto& [labels, entry] : family->metrics) {
        if (!entry.forgotten) copy.samples.push_back({&labels, &entry.metric});
      }
    }
  }
  std::string out;
  for (const auto& [name, family, samples] : copies) {
    std::string lines;
    for (const auto& [labels, metric] : samples) {
      if (const auto* counter = std::get_if<std::unique_ptr<Counter>>(metric)) {
        AppendSample(lines, *name, *labels, std::to_string((*counter)->value()));
      } else if (const auto* gauge = std::get_if<std::unique_ptr<Gauge>>(metric)) {
        AppendSample(lines, *name, *labels, Number((*gauge)->value()));
      } else if (const auto* histogram = std::get_if<std::unique_ptr<Histogram>>(metric)) {
        AppendHistogram(lines, *name, *labels, (*histogram)->Read());
      } else if (const auto* asked = std::get_if<std::unique_ptr<AskedGauge>>(metric)) {
        const std::lock_guard lock((*asked)->mutex);
        if ((*asked)->read) AppendSample(lines, *name, *labels, Number((*asked)->read()));
      }
    }
    if (lines.empty()) continue;
    out += "# HELP " + *name + ' ' + Escaped(family->help, false) + '\n';
    out += "# TYPE " + *name + ' ' + std::string(family->type) + '\n' + lines;
  }
  return out;
}

Counter& AcceptedCounter(Metrics& metrics, std::string_view source) {
  return metrics.GetCounter("triggers_accepted_total",
                            "Triggers that are on disk, by where they came from.",
                            {{"source", std::string(source)}});
}

Counter& RejectedCounter(Metrics& metrics, std::string_view source, std::string_view reason) {
  return metrics.GetCounter("triggers_rejected_total",
                            "Events and requests that did not become triggers.",
                            {{"source", std::string(source)}, {"reason", std::string(reason)}});
}

}  // namespace tower
