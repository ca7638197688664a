#include "plugins/riffyn/plan.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/base/encode.h"

namespace tower::riffyn {
namespace {

constexpr std::size_t kMaxNumber = 1'000'000;

// Removes a number from the end of the text, and `before` in front of it.
std::optional<std::size_t> TakeNumber(std::string_view& text, std::string_view before) {
  std::size_t begin = text.size();
  while (begin > 0 && IsDigit(text[begin - 1])) --begin;
  const auto digits = text.substr(begin);
  text = text.substr(0, begin);
  if (digits.empty() || !text.ends_with(before)) return std::nullopt;
  text.remove_suffix(before.size());
  std::size_t number = 0;
  for (const char digit : digits) {
    number = std::min(number * 10 + static_cast<std::size_t>(digit - '0'), kMaxNumber);
  }
  return number;
}

struct Claim {
  const Run* run;
  std::size_t well;  // from 0
};

// All runs that claim to be wells of one plate.
struct Claims {
  PlateSize size;
  std::string name;
  std::vector<Claim> claims;
};

// Whether runs of several groups claim one well.
bool IsShared(const Claims& plate) {
  std::map<std::size_t, const std::string*> groups;
  return std::any_of(plate.claims.begin(), plate.claims.end(), [&](const Claim& claim) {
    const auto [known, is_new] = groups.emplace(claim.well, &claim.run->group);
    return !is_new && *known->second != claim.run->group;
  });
}

std::vector<Claims> ByGroup(Claims plate) {
  std::vector<Claims> plates;
  std::map<std::string, std::size_t> groups;
  for (const auto& claim : plate.claims) {
    const auto [at, is_new] = groups.emplace(claim.run->group, plates.size());
    if (is_new) plates.push_back({plate.size, plate.name, {}});
    plates[at->second].claims.push_back(claim);
  }
  return plates;
}

class Planner {
 public:
  Planner(const std::vector<Run>& runs, const std::function<bool(const Run&)>& handled)
      : runs_(runs), handled_(handled) {}

  Plan Make() {
    for (const auto& run : runs_) Sort(run);
    for (auto& [key, plate] : plates_) {
      if (!IsShared(plate)) {
        Evaluate(plate);
        continue;
      }
      for (const auto& part : ByGroup(std::move(plate))) Evaluate(part);
    }
    // Runs lie in one vector: their addresses are in the order of the list.
    const auto first = [](const Start& start) {
      return *std::min_element(start.runs.begin(), start.runs.end());
    };
    std::sort(plan_.starts.begin(), plan_.starts.end(),
              [&](const Start& a, const Start& b) { return first(a) < first(b); });
    return std::move(plan_);
  }

 private:
  using PlateKey = std::tuple<std::string, std::string, std::size_t, std::size_t>;

  void Sort(const Run& run) {
    auto well = ParseWellRun(run.name);
    if (well && well->Exists()) {
      if (run.state == RunState::kDeleted) return;
      auto& plate = plates_[{run.activity, well->plate, well->size.rows, well->size.columns}];
      plate.size = well->size;
      plate.name = std::move(well->plate);
      plate.claims.push_back({&run, well->number - 1});
    } else if (run.state == RunState::kRunning && !handled_(run)) {
      if (well) {
        plan_.invalid_wells.push_back(&run);
      } else {
        plan_.starts.push_back({std::nullopt, {&run}});
      }
    }
  }

  void Evaluate(const Claims& plate) {
    const auto wells = plate.size.wells();
    if (plate.claims.size() < wells) return;
    Start start{plate.size, std::vector<const Run*>(wells)};
    std::size_t filled = 0;
    bool started = false;
    std::string conflict;
    for (const auto& [run, well] : plate.claims) {
      if (run->state != RunState::kRunning) continue;
      started = started || !handled_(*run);
      auto& place = start.runs[well];
      if (place == nullptr) {
        place = run;
        ++filled;
      } else if (conflict.empty()) {
        conflict = "the runs " + place->id + " and " + run->id + " are both running for well " +
                   std::to_string(well + 1);
      }
    }
    if (filled < wells || !started) return;
    if (!conflict.empty()) {
      plan_.conflicts.push_back({"plate " + plate.name + " of activity " + start.runs[0]->activity +
                                     ", group " + start.runs[0]->group,
                                 conflict});
    } else {
      plan_.starts.push_back(std::move(start));
    }
  }

  const std::vector<Run>& runs_;
  const std::function<bool(const Run&)>& handled_;
  std::map<PlateKey, Claims> plates_;
  Plan plan_;
};

}  // namespace

bool WellRun::Exists() const noexcept {
  return size.IsValid() && number >= 1 && number <= size.wells();
}

std::optional<WellRun> ParseWellRun(std::string_view run_name) {
  const auto number = TakeNumber(run_name, "] ");
  if (!number) return std::nullopt;
  const auto columns = TakeNumber(run_name, "x");
  if (!columns) return std::nullopt;
  const auto rows = TakeNumber(run_name, " [");
  if (!rows || run_name.empty()) return std::nullopt;
  return WellRun{std::string(run_name), {*rows, *columns}, *number};
}

bool Start::NeedsTriggers() const {
  return std::any_of(runs.begin(), runs.end(),
                     [](const Run* run) { return !run->resources.empty(); });
}

Plan MakePlan(const std::vector<Run>& runs, const std::function<bool(const Run&)>& handled) {
  return Planner(runs, handled).Make();
}

}  // namespace tower::riffyn
