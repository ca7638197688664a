#include "test/plugins/riffyn/stand_in.h"

#include <httplib.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "core/json/json.h"

namespace tower::riffyn {
namespace {

std::string Quoted(std::string_view text) {
  std::string json;
  AppendJsonString(json, text);
  return json;
}

std::string Joined(const std::vector<std::string>& items) {
  std::string json = "[";
  for (const auto& item : items) json += (json.size() > 1 ? "," : "") + item;
  return json + "]";
}

std::string IdObject(const std::string& id) { return R"({"name":"any","id":)" + Quoted(id) + "}"; }

// How members are named.
struct Names {
  std::string activity = "activity_id", group = "group_id", resource = "resource_name",
              definition = "resource_def_id";
};
const Names kCamelCase{"activityId", "groupId", "resourceName", "resourceDefId"};

std::string RunObject(const World::Run& run, const std::string& group, const Names& names) {
  std::vector<std::string> inputs;
  for (const auto& use : run.uses) {
    inputs.push_back("{" + Quoted(names.resource) + ":" +
                     (use.resource.empty() ? "null" : Quoted(use.resource)) + "," +
                     Quoted(names.definition) + ":" + Quoted(use.input) + R"(,"unit":null})");
  }
  return R"({"id":)" + Quoted(run.id) + R"(,"name":)" + Quoted(run.name) + R"(,"num":)" +
         std::to_string(run.number) + R"(,"status":)" + Quoted(run.status) + "," +
         Quoted(names.activity) + ":" + Quoted(run.activity) + "," + Quoted(names.group) + ":" +
         Quoted(group) + R"(,"inputs":)" + Joined(inputs) + R"(,"outputs":[{"deep":[[]]}]})";
}

std::string StepObject(const World::Step& step) {
  std::vector<std::string> inputs;
  for (const auto& input : step.inputs) {
    std::vector<std::string> properties;
    for (const auto& [id, name] : input.properties) {
      properties.push_back(R"({"id":)" + Quoted(id) + R"(,"name":)" + Quoted(name) + "}");
    }
    inputs.push_back(R"({"id":)" + Quoted(input.id) + R"(,"properties":)" + Joined(properties) +
                     "}");
  }
  return R"({"id":)" + Quoted(step.id) + R"(,"name":)" + Quoted(step.name) + R"(,"inputs":)" +
         Joined(inputs) + "}";
}

std::string TableObject(const World::Run& run) {
  std::string row = R"({"run id":)" + Quoted(run.id);
  for (const auto& [place, value] : run.values) {
    row += "," + Quoted(run.activity + " | input | " + place + " | value") + ":" + value;
  }
  return R"({"datatable":[)" + row + R"(},{"later":1}]})";
}

// The values of a parameter that may be repeated, in order. (httplib keeps equal ones once.)
std::vector<std::string> Values(const std::string& query, const std::string& name) {
  std::vector<std::string> values;
  for (std::size_t begin = 0; begin < query.size();) {
    const auto end = std::min(query.find('&', begin + 1), query.size());
    const auto pair = query.substr(begin + 1, end - begin - 1);
    if (pair.starts_with(name + "=")) {
      values.push_back(httplib::decode_uri_component(pair.substr(name.size() + 1)));
    }
    begin = end;
  }
  return values;
}

}  // namespace

World::Experiment* World::Find(std::string_view experiment) {
  for (auto& one : experiments) {
    if (one.id == experiment) return &one;
  }
  return nullptr;
}

World::Run& World::At(std::string_view run) {
  for (auto& experiment : experiments) {
    for (auto& group : experiment.groups) {
      for (auto& one : group.runs) {
        if (one.id == run) return one;
      }
    }
  }
  throw std::runtime_error("no run " + std::string(run));
}

void World::Erase(std::string_view run) {
  for (auto& experiment : experiments) {
    for (auto& group : experiment.groups) {
      std::erase_if(group.runs, [&](const Run& one) { return one.id == run; });
    }
  }
}

struct StandIn::Impl {
  using Request = httplib::Request;
  using Response = httplib::Response;

  struct Rule {
    std::string part;
    Fault fault;
    int times;
  };

  mutable std::mutex mutex;
  std::condition_variable changed;
  World world;
  Names names;
  std::size_t cap = 1000;
  std::vector<Rule> rules;
  std::string hold;  // empty: nothing
  int held = 0, in_flight = 0, most_in_flight = 0;
  std::vector<Asked> asked;
  httplib::Server server;
  int port = 0;
  std::thread thread;

  std::optional<Fault> Admit(const Request& request);
  bool Allowed(const Request& request, Response& response);
  void Handle(const Request& request, Response& response,
              void (Impl::*answer)(const Request&, Response&));
  void List(const Request& request, Response& response, const std::vector<std::string>& items);
  void Experiments(const Request& request, Response& response);
  void Groups(const Request& request, Response& response);
  void Runs(const Request& request, Response& response);
  void Activity(const Request& request, Response& response);
  void Raw(const Request& request, Response& response);
  void Route(const std::string& pattern, void (Impl::*answer)(const Request&, Response&)) {
    server.Get("/v1" + pattern, [this, answer](const Request& request, Response& response) {
      Handle(request, response, answer);
    });
  }
};

// Counts and holds the request; then the fault that it gets, if any.
std::optional<Fault> StandIn::Impl::Admit(const Request& request) {
  std::unique_lock lock(mutex);
  asked.push_back({request.target, std::chrono::steady_clock::now()});
  most_in_flight = std::max(most_in_flight, ++in_flight);
  const auto is_held = [&] {
    return !hold.empty() && request.target.find(hold) != std::string::npos;
  };
  if (is_held()) {
    ++held;
    changed.notify_all();
    changed.wait(lock, [&] { return !is_held(); });
    --held;
  }
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    if (rule->times == 0 || request.target.find(rule->part) == std::string::npos) continue;
    --rule->times;
    return rule->fault;
  }
  return std::nullopt;
}

void StandIn::Impl::Handle(const Request& request, Response& response,
                           void (Impl::*answer)(const Request&, Response&)) {
  const auto fault = Admit(request);
  const std::lock_guard lock(mutex);
  --in_flight;
  if (request.get_header_value("api-key") != kKey) {
    response.status = 401;
    response.set_content("who are you?", "text/plain");
  } else if (fault && fault->cut) {
    response.set_content_provider(1000, "application/json",
                                  [](std::size_t, std::size_t, httplib::DataSink& sink) {
                                    sink.write("{", 1);
                                    return false;
                                  });
  } else if (fault) {
    response.status = fault->status;
    if (fault->retry_after) response.set_header("Retry-After", *fault->retry_after);
    response.set_content(fault->body, "text/html");
  } else {
    (this->*answer)(request, response);
  }
}

void StandIn::Impl::List(const Request& request, Response& response,
                         const std::vector<std::string>& items) {
  const auto number = [&](const char* name, std::size_t otherwise) -> std::size_t {
    if (!request.has_param(name)) return otherwise;
    return std::strtoul(request.get_param_value(name).c_str(), nullptr, 10);
  };
  const auto limit = std::min(number("limit", 100), cap);
  const auto begin = std::min(number("offset", 0), items.size());
  const auto end = std::min(begin + limit, items.size());
  const std::vector<std::string> page(items.begin() + static_cast<std::ptrdiff_t>(begin),
                                      items.begin() + static_cast<std::ptrdiff_t>(end));
  response.set_content(R"({"links":{},"meta":{"any":1},"data":)" + Joined(page) + "}",
                       "application/json");
}

void StandIn::Impl::Experiments(const Request& request, Response& response) {
  std::vector<std::string> items;
  for (const auto& experiment : world.experiments) items.push_back(IdObject(experiment.id));
  List(request, response, items);
}

void StandIn::Impl::Groups(const Request& request, Response& response) {
  const auto* experiment = world.Find(request.matches[1].str());
  if (experiment == nullptr) {
    response.status = 404;
    return;
  }
  std::vector<std::string> items;
  for (const auto& group : experiment->groups) items.push_back(IdObject(group.id));
  List(request, response, items);
}

void StandIn::Impl::Runs(const Request& request, Response& response) {
  const auto* experiment = world.Find(request.matches[1].str());
  response.status = 404;
  if (experiment == nullptr) return;
  for (const auto& group : experiment->groups) {
    if (group.id != request.matches[2].str()) continue;
    std::vector<std::string> items;
    for (const auto& run : group.runs) items.push_back(RunObject(run, group.id, names));
    response.status = 200;
    List(request, response, items);
  }
}

void StandIn::Impl::Activity(const Request& request, Response& response) {
  const auto* experiment = world.Find(request.matches[1].str());
  response.status = 404;
  if (experiment == nullptr) return;
  for (const auto& step : experiment->activities) {
    if (step.id != request.matches[2].str()) continue;
    response.status = 200;
    response.set_content(StepObject(step), "application/json");
  }
}

// Each run must be named by its group, id and number.
void StandIn::Impl::Raw(const Request& request, Response& response) {
  const auto* experiment = world.Find(request.matches[1].str());
  const auto query =
      request.target.substr(std::min(request.target.find('?'), request.target.size()));
  const auto groups = Values(query, "rgid"), ids = Values(query, "rid"),
             numbers = Values(query, "rnum");
  response.status = 400;
  if (experiment == nullptr || groups.size() != ids.size() || numbers.size() != ids.size()) return;
  std::string tables;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const World::Run* found = nullptr;
    for (const auto& group : experiment->groups) {
      if (group.id != groups[i]) continue;
      for (const auto& run : group.runs) {
        const bool fits = run.id == ids[i] && std::to_string(run.number) == numbers[i] &&
                          run.activity == request.matches[2].str();
        if (fits) found = &run;
      }
    }
    if (found == nullptr) return;
    if (!found->has_table) continue;
    tables += (tables.empty() ? "" : ",") + Quoted(found->id) + ":" + TableObject(*found);
  }
  response.status = 200;
  response.set_content(R"({"datatables":{)" + tables + "}}", "application/json");
}

StandIn::StandIn() : impl_(std::make_unique<Impl>()) {
  impl_->Route("/experiments", &Impl::Experiments);
  impl_->Route("/experiment/([^/]+)/run-groups", &Impl::Groups);
  impl_->Route("/experiment/([^/]+)/run-group/([^/]+)/runs", &Impl::Runs);
  impl_->Route("/experiment/([^/]+)/activity/([^/]+)", &Impl::Activity);
  impl_->Route("/experiment/([^/]+)/step/([^/]+)/data/raw", &Impl::Raw);
  impl_->server.set_tcp_nodelay(true);
  impl_->port = impl_->server.bind_to_any_port("127.0.0.1");
  if (impl_->port <= 0) throw std::runtime_error("no port");
  impl_->thread = std::thread([this] { impl_->server.listen_after_bind(); });
  impl_->server.wait_until_ready();
}

StandIn::~StandIn() {
  Release();
  impl_->server.stop();
  impl_->thread.join();
}

std::string StandIn::url() const {
  return "http://127.0.0.1:" + std::to_string(impl_->port) + "/v1";
}

void StandIn::Change(const std::function<void(World&)>& change) {
  const std::lock_guard lock(impl_->mutex);
  change(impl_->world);
}

void StandIn::SetStatus(std::string_view run, std::string_view status) {
  Change([&](World& world) { world.At(run).status = status; });
}

void StandIn::UseCamelCase() {
  const std::lock_guard lock(impl_->mutex);
  impl_->names = kCamelCase;
}

void StandIn::CapPages(std::size_t most) {
  const std::lock_guard lock(impl_->mutex);
  impl_->cap = most;
}

void StandIn::Break(std::string part, Fault fault, int times) {
  const std::lock_guard lock(impl_->mutex);
  impl_->rules.push_back({std::move(part), std::move(fault), times});
}

void StandIn::Mend() {
  const std::lock_guard lock(impl_->mutex);
  impl_->rules.clear();
}

void StandIn::Hold(std::string part) {
  const std::lock_guard lock(impl_->mutex);
  impl_->hold = std::move(part);
}

void StandIn::Release() {
  const std::lock_guard lock(impl_->mutex);
  impl_->hold.clear();
  impl_->changed.notify_all();
}

bool StandIn::WaitUntilHeld(int count) {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(lock, std::chrono::seconds(60),
                                 [&] { return impl_->held >= count; });
}

std::vector<StandIn::Asked> StandIn::asked() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->asked;
}

int StandIn::CountAsked(std::string_view part) const {
  const std::lock_guard lock(impl_->mutex);
  return static_cast<int>(
      std::count_if(impl_->asked.begin(), impl_->asked.end(),
                    [&](const Asked& one) { return one.target.find(part) != std::string::npos; }));
}

int StandIn::most_in_flight() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->most_in_flight;
}

}  // namespace tower::riffyn
