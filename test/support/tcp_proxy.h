// A TCP port in front of another one, which can be closed and opened again: an outage to order.
#ifndef TEST_SUPPORT_TCP_PROXY_H_
#define TEST_SUPPORT_TCP_PROXY_H_

#include <atomic>
#include <thread>

#include "core/base/wakeup.h"

namespace tower {

// Listens on a free loopback port that stays its own; closed at first.
class TcpProxy {
 public:
  explicit TcpProxy(int target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }
  void Open();   // connections are accepted and passed on
  void Close();  // connections are refused, and those there are cut
  // From now on, what clients send is not passed on, but what they are sent is. Before Open, undoes
  // it.
  void Mute(bool muted) { muted_ = muted; }

 private:
  void Run();

  const int target_port_;
  int port_ = 0;
  int held_ = -1;  // bound but not listening: keeps the port ours, and connections refused
  std::atomic<bool> muted_{false};
  Wakeup stop_;
  std::thread thread_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_TCP_PROXY_H_
