// The binary is killed again and again under load: at random moments, and at chosen system calls.
// What its clients heard of is delivered in the end, in their order.
//
// `make chaos` runs more rounds: CHAOS_ROUNDS of them, from CHAOS_SEED, which is printed.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/base/uuid.h"
#include "test/support/ledger.h"
#include "test/support/test_consumer.h"
#include "test/support/tower_process.h"

namespace tower {
namespace {

using std::chrono::milliseconds;

constexpr int kBatch = 20;

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

std::string TriggerText(const std::string& uuid = {}) {
  const std::string member = uuid.empty() ? "" : R"(,"uuid":")" + uuid + R"(")";
  return R"({"apiVersion":"T/v1","protocol":"P","spec":{})" + member + "}";
}

std::string End(const std::string& log) {
  return log.substr(log.size() - std::min<std::size_t>(log.size(), 3000));
}

int Number(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoi(text);
}

// Clients that know what they want: each sends the same again until it is accepted.
class Clients {
 public:
  Clients(int port, std::string inbox) : port_(port), inbox_(std::move(inbox)) {
    threads_.emplace_back([this](const std::stop_token& stop) { PostByUuid(stop); });
    threads_.emplace_back([this](const std::stop_token& stop) { PostByKey(stop, false); });
    threads_.emplace_back([this](const std::stop_token& stop) { PostByKey(stop, true); });
    threads_.emplace_back([this](const std::stop_token& stop) { DropFiles(stop); });
  }
  // Ends them after what they have begun; the server must be there.
  void Finish() {
    for (auto& thread : threads_) thread.request_stop();
    threads_.clear();
  }
  Ledger& ledger() { return ledger_; }
  int faults() const { return faults_.load(); }  // answers that nobody should get

 private:
  void PostByUuid(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto uuid = NewUuidV7().ToString();
      Insist(TriggerText(uuid), "");
      ledger_.Accept("by uuid", uuid);
    }
  }
  void PostByKey(const std::stop_token& stop, bool batch) {
    const std::string name = batch ? "batch" : "single";
    std::string body = TriggerText();
    if (batch) {
      for (int n = 1; n < kBatch; ++n) body += "," + TriggerText();
      body = "[" + body + "]";
    }
    for (int n = 0; !stop.stop_requested(); ++n) {
      const auto answer = Insist(body, "Idempotency-Key: \"" + name + std::to_string(n) + "\"\r\n");
      std::size_t count = 0;
      for (auto at = answer.find("\"01"); at != std::string::npos;
           at = answer.find("\"01", at + 1)) {
        ledger_.Accept(name, answer.substr(at + 1, Uuid::kTextSize));
        ++count;
      }
      if (count != (batch ? kBatch : 1)) ++faults_;
    }
  }
  // A file that stands in the folder is a promise too, whoever runs or not. Files have no order.
  void DropFiles(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto uuid = NewUuidV7().ToString();
      const auto hidden = inbox_ + "/." + uuid;
      std::ofstream(hidden) << TriggerText(uuid);
      std::filesystem::rename(hidden, inbox_ + "/" + uuid + ".json");
      ledger_.Accept(uuid, uuid);
      std::this_thread::sleep_for(milliseconds(5));  // no need for more of them than of the others
    }
  }
  // The body of the answer.
  std::string Insist(const std::string& body, const std::string& headers) {
    thread_local std::unique_ptr<RawHttpClient> client;
    while (true) {
      try {
        if (!client) client = std::make_unique<RawHttpClient>(port_);
        const auto answer = client->PostJson("/triggers", body, headers);
        if (answer && answer->status == 202) return answer->body;
        if (answer && answer->status != 503) ++faults_;
      } catch (const std::runtime_error&) {
        std::this_thread::sleep_for(milliseconds(5));  // until there is a server again
      }
      client.reset();
    }
  }

  const int port_;
  const std::string inbox_;
  Ledger ledger_;
  std::atomic<int> faults_ = 0;
  std::vector<std::jthread> threads_;
};

struct Plant {
  const std::string name = "kill-" + NewUuidV7().ToString();
  const std::string url = RequiredVariable("TOWER_TEST_AMQP_URL");
  const TempDir folder;
  const int port = FreePort();
  TestConsumer consumer{url};

  Plant() {
    consumer.MakeExchange(name);
    consumer.MakeQueue(name);
    consumer.Bind(name, name, "#");
    std::filesystem::create_directory(folder / "inbox");
  }
  std::unique_ptr<TowerProcess> Start(std::vector<std::string> wrapper = {}) const {
    return std::make_unique<TowerProcess>(
        folder,
        std::vector<std::string>{"--server.port", std::to_string(port), "--queue.path",
                                 folder / "queue.db", "--amqp.exchange", name, "--plugin",
                                 "inbox=file", "--plugin.inbox.path", folder / "inbox",
                                 "--plugin.inbox.after", "delete"},
        TowerProcess::Variables{{"CONTROL_TOWER_AMQP_URL", url}}, std::move(wrapper));
  }
  void Take(Ledger& ledger) {
    while (const auto message = consumer.Get(name, milliseconds(0))) {
      ledger.Arrive(message->message_id);
    }
  }
};

bool HasStrace() {
  static const bool has = std::system("strace -o /dev/null true 2>/dev/null") == 0;
  return has;
}

// Kills the program as it enters the n-th such call in a thread; the program does not outlive
// strace either.
std::vector<std::string> KillAt(const std::string& call, int n) {
  return {"strace",
          "-f",
          "-qq",
          "-o",
          "/dev/null",
          "-e",
          "trace=" + call,
          "-e",
          "inject=" + call + ":signal=KILL:when=" + std::to_string(n),
          "/usr/bin/setpriv",
          "--pdeathsig",
          "KILL"};
}

}  // namespace

TEST_CASE("a process that is killed again and again delivers all it has accepted", "[kill]") {
  const auto seed =
      static_cast<unsigned>(Number("CHAOS_SEED", static_cast<int>(std::random_device{}() >> 1U)));
  const int rounds = Number("CHAOS_ROUNDS", 6);
  const bool talks = std::getenv("CHAOS_ROUNDS") != nullptr;
  std::cerr << "kill: CHAOS_SEED=" << seed << " CHAOS_ROUNDS=" << rounds << std::endl;
  std::mt19937 random(seed);
  const auto pick = [&](int from, int to) {
    return std::uniform_int_distribution<int>(from, to)(random);
  };
  Plant plant;
  Clients clients(plant.port, plant.folder / "inbox");
  auto& ledger = clients.ledger();
  for (int round = 0; round < rounds; ++round) {
    const int way = pick(0, HasStrace() ? 5 : 2);
    const auto wanted = ledger.accepted() + static_cast<std::size_t>(pick(0, 400));
    std::string what = "SIGKILL";
    std::vector<std::string> wrapper;
    if (way == 0) what = "SIGTERM";
    if (way >= 3) {
      static const char* const kCalls[] = {"fdatasync", "pwrite64", "sendto", "recvfrom",
                                           "fcntl",     "unlink",   "write",  "epoll_wait"};
      const std::string call = kCalls[pick(0, 7)];
      const int n = pick(1, 200);
      what = "SIGKILL at " + call + " " + std::to_string(n);
      wrapper = KillAt(call, n);
    }
    auto tower = plant.Start(wrapper);
    if (way >= 3) {
      (void)tower->ExitCode(std::chrono::seconds(2));  // not every call comes that often
    } else {
      // Before its first line a SIGTERM may come too early to be a stop.
      CHECK(Eventually(
          [&] { return ledger.accepted() >= wanted && (way != 0 || !tower->err().empty()); }));
    }
    tower->Signal(way == 0 ? SIGTERM : SIGKILL);
    const auto code = tower->ExitCode();
    INFO(what << "\n" << End(tower->err()));
    CHECK(code.value_or(-1) == (way == 0 ? 0 : 128 + SIGKILL));
    plant.Take(ledger);
    if (talks) {
      std::cerr << "round " << round + 1 << " of " << rounds << ": " << what << ", "
                << ledger.accepted() << " accepted, " << ledger.distinct() << " arrived"
                << std::endl;
    }
  }
  auto tower = plant.Start();
  clients.Finish();
  const bool delivered = Eventually(
      [&] {
        plant.Take(ledger);
        return ledger.distinct() >= ledger.accepted();
      },
      std::chrono::seconds(120));
  const auto balance = ledger.Strike([](const std::string&) { return false; });
  std::cerr << "kill: " << balance.Text() << std::endl;
  INFO("CHAOS_SEED=" << seed << "\n" << End(tower->err()));
  CHECK(delivered);
  RequireNothingLost(balance);
  CHECK(balance.overtaken == 0);
  CHECK(clients.faults() == 0);
  CHECK(tower->Stop() == 0);
}

}  // namespace tower
