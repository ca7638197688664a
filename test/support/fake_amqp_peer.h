// The server's side of AMQP 0-9-1 on a real socket, just far enough for a publisher or a consumer,
// and as badly behaved as a test wants it. Its frames are made and read by hand: it shares no code
// with core/amqp.
#ifndef TEST_SUPPORT_FAKE_AMQP_PEER_H_
#define TEST_SUPPORT_FAKE_AMQP_PEER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/base/wakeup.h"
#include "test/support/amqp_bytes.h"

namespace tower {

struct PeerMessage {
  std::size_t connection = 0;
  std::uint64_t tag = 0;  // on its channel
  std::string exchange, routing_key, message_id, body;
  std::string header;     // the payload of its header frame
  bool settled = false;   // acked or nacked
  bool returned = false;  // then its ack is no delivery
  bool stored = false;    // acked, and not returned
};

// What a client asked for, but for messages.
struct PeerMethod {
  std::size_t connection = 0;
  std::uint32_t method = 0;
  std::string arguments;
};

// A connection, for the script that runs it. Used by the peer's thread only.
class PeerSession {
 public:
  virtual ~PeerSession() = default;
  virtual std::size_t number() const = 0;  // of the connection, from 0
  // Stores what it covers. Tags that it does not know are sent all the same.
  virtual void Ack(std::uint64_t tag, bool multiple = false) = 0;
  virtual void Nack(std::uint64_t tag, bool multiple = false) = 0;
  virtual void Return(std::uint64_t tag) = 0;
  virtual void CloseChannel(int code, std::string_view text) = 0;
  virtual void Send(std::string_view bytes) = 0;
  // Reads nothing from now on; `silent`: sends no heartbeats either.
  virtual void Freeze(bool silent) = 0;
  virtual void Thaw() = 0;
  virtual void HangUp(bool reset = false) = 0;  // `reset`: by RST
};

// What is called here runs on the peer's thread, and may not call the peer itself.
struct PeerScript {
  std::uint32_t frame_max = 131072;
  bool byte_by_byte = false;  // each byte by a call of its own
  // When so many bytes have come since the exchange was declared, `cut` is called instead of
  // reading on.
  std::size_t cut_at = std::numeric_limits<std::size_t>::max();
  std::function<void(PeerSession&)> cut;
  // Nothing: acks each message.
  std::function<void(PeerSession&, const PeerMessage&)> on_message;
  // Called before a method is answered; true: it was dealt with.
  std::function<bool(PeerSession&, std::uint32_t method)> on_method;
  // Called every 50 ms or so.
  std::function<void(PeerSession&)> on_tick;
};

class FakeAmqpPeer {
 public:
  // Connection n follows script n; after the last one, all behave well.
  explicit FakeAmqpPeer(std::vector<PeerScript> scripts);
  ~FakeAmqpPeer();
  FakeAmqpPeer(const FakeAmqpPeer&) = delete;
  FakeAmqpPeer& operator=(const FakeAmqpPeer&) = delete;

  // Thread-safe.
  std::string Url() const;
  std::size_t connections() const;            // so far
  std::vector<PeerMessage> messages() const;  // whole ones, in the order in which they came
  std::vector<PeerMethod> methods() const;    // of all but basic.publish, in order
  std::vector<std::string> faults() const;    // what the client did against the protocol

 private:
  class Session;
  void Run();
  void Accept();

  const std::vector<PeerScript> scripts_;
  const PeerScript well_behaved_;
  int listener_ = -1;
  int port_ = 0;
  Wakeup stop_;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<PeerMessage> messages_;
  std::vector<PeerMethod> methods_;
  std::vector<std::string> faults_;

  std::thread thread_;
};

}  // namespace tower

#endif  // TEST_SUPPORT_FAKE_AMQP_PEER_H_
