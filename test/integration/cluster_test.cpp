// Three RabbitMQ nodes with a quorum queue, each killed in turn. Takes minutes, so it runs only
// when it is asked for: integration-tests "[chaos]".
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "test/support/eventually.h"
#include "test/support/rabbitmq_node.h"
#include "test/support/tcp_proxy.h"
#include "test/support/test_consumer.h"
#include "test/support/tower_site.h"

namespace tower {
namespace {

// Erlang's directory of nodes, shared by a cluster. Ended with the scope.
class Epmd {
 public:
  Epmd() : port_(std::to_string(TcpProxy(0).port())) {
    std::array<std::string, 4> words = {"epmd", "-port", port_, "-relaxed_command_check"};
    std::array<char*, 5> argv{};
    for (std::size_t i = 0; i < words.size(); ++i) argv[i] = words[i].data();
    setenv("ERL_EPMD_ADDRESS", "127.0.0.1", 1);
    REQUIRE(posix_spawnp(&pid_, "epmd", nullptr, nullptr, argv.data(), environ) == 0);
  }
  ~Epmd() {
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }
  std::string Variables() const { return "TOWER_EPMD_PORT=" + port_; }

 private:
  const std::string port_;
  pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("a cluster whose nodes are killed one after the other has everything in the end",
          "[.chaos]") {
  const Epmd epmd;
  std::vector<RabbitmqNode> nodes;
  std::vector<std::string> urls;
  for (int n = 0; n < 3; ++n) {
    nodes.emplace_back(epmd.Variables(), "CLUSTERCOOKIE");
    urls.push_back(nodes.back().Url());
    if (n == 0) continue;
    const std::string first = nodes.front().Ctl("eval 'node().'");
    nodes.back().Ctl("stop_app");
    nodes.back().Ctl("join_cluster " + first.substr(0, first.find('\n')));
    nodes.back().Ctl("start_app");
  }
  TowerSite site(urls, [](Settings& settings) {
    settings.amqp.queue = settings.amqp.exchange;
    // What comes while a leader is elected is refused or forgotten by RabbitMQ 3.10, and on the
    // same channel so is all that follows.
    settings.publisher.confirm_timeout = std::chrono::seconds(5);
  });
  site.Start();
  REQUIRE(site.BecomesReady());
  for (const int round : {0, 1}) {
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      INFO("round " << round << ", node " << n);
      {
        const auto load = site.Load(2);
        const auto before = site.ledger().accepted();
        REQUIRE(Eventually([&] { return site.ledger().accepted() > before + 200; }));
        nodes[n].Kill();
        const auto killed = site.ledger().accepted();
        REQUIRE(Eventually([&] { return site.ledger().accepted() > killed + 200; }));
      }
      if (!site.Queued(0)) {  // the other two go on
        FAIL_CHECK(site.log() << site.Ready()
                              << nodes[(n + 1) % 3].Ctl("list_queues name state leader online"));
      }
      nodes[n].Start();
      nodes[n].Ctl("await_online_nodes 3");
    }
  }
  TestConsumer consumer(urls.front());
  site.Finish(consumer);
}

}  // namespace tower
