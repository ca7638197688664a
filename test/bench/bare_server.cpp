// The baseline of POST /triggers: cpp-httplib as its documentation shows it. Parses the same
// request and gives an equally long answer, but keeps nothing.
//
//   bare-server      prints port=N and serves until it is killed
#include <httplib.h>

#include <cstddef>
#include <cstdio>
#include <string>

#include "core/base/uuid.h"
#include "core/trigger/trigger.h"

namespace {

constexpr std::size_t kRequests = 1'000'000;  // on one connection
constexpr int kThreads = 64;  // more than connections: each connection keeps a thread

void PostTrigger(const httplib::Request& request, httplib::Response& response) {
  const auto trigger = tower::Trigger::Parse(request.body);
  if (!trigger) {
    response.status = 400;
    response.set_content(tower::Describe(trigger.error()), "text/plain");
    return;
  }
  const std::string uuid = "01890a5d-ac96-774b-bcce-b302099a8057";
  response.status = 202;
  response.set_header("Location", "/triggers/" + uuid);
  response.set_content(R"({"uuid":")" + uuid + R"(","status":"queued"})", "application/json");
}

}  // namespace

int main() {
  httplib::Server server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(kRequests);
  server.Post("/triggers", PostTrigger);
  const int port = server.bind_to_any_port("127.0.0.1");
  if (port < 0) {
    std::fprintf(stderr, "bare-server: no port\n");
    return 1;
  }
  std::printf("port=%d\n", port);
  std::fflush(stdout);
  return server.listen_after_bind() ? 0 : 1;
}
