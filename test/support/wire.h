// The real queue on disk, the real publisher and AMQP, against a peer that misbehaves; and the
// books of it all.
#ifndef TEST_SUPPORT_WIRE_H_
#define TEST_SUPPORT_WIRE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/metrics.h"
#include "core/publish/publisher.h"
#include "core/queue/queue.h"
#include "test/support/fake_amqp_peer.h"
#include "test/support/ledger.h"
#include "test/support/temp_dir.h"

namespace tower {

struct WireOptions {
  std::int64_t window = 1000;
  std::chrono::milliseconds heartbeat{15'000};
  std::chrono::milliseconds timeout{20'000};
};

class Wire {
 public:
  explicit Wire(std::vector<PeerScript> scripts, const WireOptions& options = {});
  ~Wire();

  // Puts triggers whose messages have bodies of exactly `size` bytes, or small ones.
  void Put(int count, std::size_t size = 0, const std::string& source = "test");
  void Start() { publisher_->Start(); }
  bool Settled() const;  // nothing is queued any more

  // Waits until everything is settled; requires that the books balance, that the client kept to
  // the protocol, and that each source's triggers left in order.
  Balance Finish();

  FakeAmqpPeer& peer() { return peer_; }
  Publisher& publisher() { return *publisher_; }
  TriggerQueue& queue() { return *queue_; }
  const std::vector<Uuid>& uuids() const { return uuids_; }  // of all that was put
  std::string Reason(const Uuid& uuid) const;                // why it is undeliverable

 private:
  CapturedLogs logs_;
  TempDir folder_;
  Metrics metrics_;
  FakeAmqpPeer peer_;
  Ledger delivered_, sent_;
  std::vector<Uuid> uuids_;
  std::unique_ptr<TriggerQueue> queue_;
  std::unique_ptr<Publisher> publisher_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_WIRE_H_
