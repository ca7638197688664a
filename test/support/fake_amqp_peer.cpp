#include "test/support/fake_amqp_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <stdexcept>
#include <utility>

namespace tower {
namespace {

using std::chrono::steady_clock;

constexpr std::uint8_t kMethodFrame = 1, kHeaderFrame = 2, kBodyFrame = 3, kHeartbeatFrame = 8;
constexpr char kFrameEnd = '\xCE';
constexpr std::size_t kHeadSize = 7;
constexpr std::uint16_t kChannel = 1;
constexpr int kTick = 50;  // ms
constexpr auto kHeartbeat = std::chrono::milliseconds(250);

std::string MessageId(std::string_view header) {
  AmqpReader reader(header);
  reader.Take(12);  // class, weight, size of the body
  const auto flags = reader.Number(2);
  if ((flags & 0x8000U) != 0) reader.Text();                  // content_type
  if ((flags & 0x2000U) != 0) reader.Take(reader.Number(4));  // headers
  if ((flags & 0x1000U) != 0) reader.Take(1);                 // delivery_mode
  return (flags & 0x0080U) != 0 ? reader.Text() : std::string();
}

}  // namespace

class FakeAmqpPeer::Session final : public PeerSession {
 public:
  Session(FakeAmqpPeer& peer, int fd, std::size_t number, const PeerScript& script)
      : peer_(peer), script_(script), fd_(fd), number_(number) {}
  ~Session() override { HangUp(); }

  int fd() const { return fd_; }
  bool reads() const { return fd_ >= 0 && !frozen_; }

  void Receive();
  void Tick();

  std::size_t number() const override { return number_; }
  void Ack(std::uint64_t tag, bool multiple) override {
    Settle(tag, multiple, true);
    Send(AmqpAck(tag, multiple));
  }
  void Nack(std::uint64_t tag, bool multiple) override {
    Settle(tag, multiple, false);
    Send(AmqpMethodBytes(kChannel, amqp_method::kNack,
                         AmqpNumber(tag, 8) + AmqpNumber(multiple ? 1 : 0, 1)));
  }
  void Return(std::uint64_t tag) override;
  void CloseChannel(int code, std::string_view text) override {
    channel_closed_ = true;
    Send(AmqpMethodBytes(kChannel, amqp_method::kChannelClose,
                         AmqpNumber(static_cast<std::uint64_t>(code), 2) + AmqpText(text) +
                             AmqpNumber(amqp_method::kPublish, 4)));
  }
  void Send(std::string_view bytes) override;
  void Freeze(bool silent) override {
    frozen_ = true;
    silent_ = silent;
  }
  void Thaw() override {
    frozen_ = silent_ = false;
    Parse();
  }
  void HangUp(bool reset = false) override;

 private:
  void Parse();
  void OnFrame(std::uint8_t type, std::uint16_t channel, std::string_view payload);
  void OnMethod(std::uint32_t method, AmqpReader arguments);
  void Answer(std::uint32_t method);
  void OnContent(std::uint8_t type, std::string_view payload);
  void Settle(std::uint64_t tag, bool multiple, bool stored);

  FakeAmqpPeer& peer_;
  const PeerScript& script_;
  int fd_;
  const std::size_t number_;
  std::string in_;
  bool greeted_ = false, beats_ = false, frozen_ = false, silent_ = false;
  bool channel_closed_ = false;
  bool counting_ = false;  // the exchange was declared
  std::size_t counted_ = 0;
  std::uint64_t next_tag_ = 1;
  PeerMessage coming_;
  std::uint64_t body_left_ = 0;
  std::map<std::uint64_t, std::size_t> by_tag_;  // of this channel: index into messages_
  steady_clock::time_point beat_at_{};
};

void FakeAmqpPeer::Session::Send(std::string_view bytes) {
  const std::size_t most = script_.byte_by_byte ? 1 : bytes.size();
  while (!bytes.empty() && fd_ >= 0) {
    const auto n = send(fd_, bytes.data(), std::min(most, bytes.size()), MSG_NOSIGNAL);
    if (n <= 0) return HangUp();
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void FakeAmqpPeer::Session::HangUp(bool reset) {
  if (fd_ < 0) return;
  const linger at_once = {1, 0};
  if (reset) setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd_);
  fd_ = -1;
}

void FakeAmqpPeer::Session::Receive() {
  std::array<char, 65536> bytes;
  const std::size_t room =
      counting_ ? std::min(bytes.size(), script_.cut_at - counted_) : bytes.size();
  const auto got = recv(fd_, bytes.data(), room, 0);
  if (got <= 0) return HangUp();
  in_.append(bytes.data(), static_cast<std::size_t>(got));
  if (counting_) counted_ += static_cast<std::size_t>(got);
  Parse();
  if (!counting_ || counted_ < script_.cut_at || fd_ < 0) return;
  counting_ = false;
  script_.cut(*this);
}

void FakeAmqpPeer::Session::Parse() {
  if (!greeted_) {
    if (in_.size() < 8) return;
    if (!in_.starts_with(std::string_view("AMQP\0\0\x09\x01", 8))) {
      peer_.faults_.push_back("another protocol header");
    }
    in_.erase(0, 8);
    greeted_ = true;
    if (script_.on_method && script_.on_method(*this, amqp_method::kStart)) return;
    Send(AmqpMethodBytes(0, amqp_method::kStart,
                         AmqpNumber(9, 2) + AmqpNumber(0, 4) + AmqpNumber(5, 4) + "PLAIN" +
                             AmqpNumber(5, 4) + "en_US"));
  }
  std::size_t at = 0;
  while (fd_ >= 0 && !frozen_ && in_.size() - at >= kHeadSize) {
    AmqpReader head(std::string_view(in_).substr(at, kHeadSize));
    const auto type = static_cast<std::uint8_t>(head.Number(1));
    const auto channel = static_cast<std::uint16_t>(head.Number(2));
    const auto size = head.Number(4);
    if (size + kHeadSize + 1 > script_.frame_max) {
      peer_.faults_.push_back("a frame larger than agreed");
      return HangUp();
    }
    if (in_.size() - at < kHeadSize + size + 1) break;
    if (in_[at + kHeadSize + size] != kFrameEnd) {
      peer_.faults_.push_back("a frame without its end");
      return HangUp();
    }
    OnFrame(type, channel, std::string_view(in_).substr(at + kHeadSize, size));
    at += kHeadSize + size + 1;
  }
  in_.erase(0, at);
}

void FakeAmqpPeer::Session::OnFrame(std::uint8_t type, std::uint16_t channel,
                                    std::string_view payload) {
  try {
    if (type == kHeartbeatFrame) return;
    if (type == kMethodFrame) {
      AmqpReader reader(payload);
      const auto method = static_cast<std::uint32_t>(reader.Number(4));
      if (method != amqp_method::kPublish) {
        peer_.methods_.push_back({number_, method, std::string(payload.substr(4))});
      }
      if (body_left_ > 0) throw std::runtime_error("a method within a message");
      if ((method >> 16U == 10) != (channel == 0)) throw std::runtime_error("a wrong channel");
      return OnMethod(method, reader);
    }
    if (!channel_closed_) OnContent(type, payload);
  } catch (const std::runtime_error& fault) {
    peer_.faults_.emplace_back(fault.what());
    HangUp();
  }
}

void FakeAmqpPeer::Session::OnMethod(std::uint32_t method, AmqpReader arguments) {
  if (method == amqp_method::kPublish) {
    if (channel_closed_) return;  // as a broker does until close-ok
    coming_ = {};
    arguments.Take(2);
    coming_.exchange = arguments.Text();
    coming_.routing_key = arguments.Text();
    return;
  }
  if (script_.on_method && script_.on_method(*this, method)) return;
  Answer(method);
}

void FakeAmqpPeer::Session::Answer(std::uint32_t method) {
  namespace m = amqp_method;
  switch (method) {
    case m::kStartOk:
      return Send(AmqpMethodBytes(
          0, m::kTune, AmqpNumber(2047, 2) + AmqpNumber(script_.frame_max, 4) + AmqpNumber(60, 2)));
    case m::kOpen:
      beats_ = true;
      return Send(AmqpMethodBytes(0, m::kOpenOk, AmqpText("")));
    case m::kClose:
      Send(AmqpMethodBytes(0, m::kCloseOk, ""));
      return HangUp();
    case m::kChannelOpen:
      channel_closed_ = false;
      next_tag_ = 1;
      by_tag_.clear();
      return Send(AmqpMethodBytes(kChannel, m::kChannelOpenOk, AmqpNumber(0, 4)));
    case m::kConfirmSelect:
      return Send(AmqpMethodBytes(kChannel, m::kConfirmSelectOk, ""));
    case m::kExchangeDeclare:
      counting_ = true;
      return Send(AmqpMethodBytes(kChannel, m::kExchangeDeclareOk, ""));
    case m::kQueueDeclare:
      return Send(AmqpMethodBytes(kChannel, m::kQueueDeclareOk, AmqpText("") + AmqpNumber(0, 8)));
    case m::kQueueBind:
      return Send(AmqpMethodBytes(kChannel, m::kQueueBindOk, ""));
    case m::kQos:
      return Send(AmqpMethodBytes(kChannel, m::kQosOk, ""));
    case m::kConsume:
      return Send(AmqpMethodBytes(kChannel, m::kConsumeOk, AmqpText("consumer")));
    default:
      return;
  }
}

void FakeAmqpPeer::Session::OnContent(std::uint8_t type, std::string_view payload) {
  if (type == kHeaderFrame) {
    AmqpReader reader(payload);
    reader.Take(4);
    body_left_ = reader.Number(8);
    coming_.header = payload;
    coming_.message_id = MessageId(payload);
  } else if (type == kBodyFrame && payload.size() <= body_left_) {
    coming_.body += payload;
    body_left_ -= payload.size();
  } else {
    throw std::runtime_error("a frame out of place");
  }
  if (body_left_ > 0) return;
  coming_.connection = number_;
  coming_.tag = next_tag_++;
  by_tag_[coming_.tag] = peer_.messages_.size();
  peer_.messages_.push_back(std::move(coming_));
  const PeerMessage message = peer_.messages_.back();
  if (script_.on_message) {
    script_.on_message(*this, message);
  } else {
    Ack(message.tag, false);
  }
}

void FakeAmqpPeer::Session::Settle(std::uint64_t tag, bool multiple, bool stored) {
  for (auto it = multiple ? by_tag_.begin() : by_tag_.find(tag);
       it != by_tag_.end() && it->first <= tag; ++it) {
    PeerMessage& message = peer_.messages_[it->second];
    if (!std::exchange(message.settled, true)) message.stored = stored && !message.returned;
  }
}

void FakeAmqpPeer::Session::Return(std::uint64_t tag) {
  PeerMessage& message = peer_.messages_[by_tag_.at(tag)];
  message.returned = true;
  Send(AmqpMethodBytes(kChannel, amqp_method::kReturn,
                       AmqpNumber(312, 2) + AmqpText("NO_ROUTE") + AmqpText(message.exchange) +
                           AmqpText(message.routing_key)));
  Send(AmqpFrameBytes(kHeaderFrame, kChannel, message.header));
  const std::size_t piece = script_.frame_max - kHeadSize - 1;
  for (std::size_t at = 0; at < message.body.size(); at += piece) {
    Send(AmqpFrameBytes(kBodyFrame, kChannel, std::string_view(message.body).substr(at, piece)));
  }
}

void FakeAmqpPeer::Session::Tick() {
  if (fd_ < 0) return;
  const auto now = steady_clock::now();
  if (beats_ && !silent_ && now - beat_at_ > kHeartbeat) {
    beat_at_ = now;
    Send(AmqpFrameBytes(kHeartbeatFrame, 0, ""));
  }
  if (script_.on_tick && fd_ >= 0) script_.on_tick(*this);
}

FakeAmqpPeer::FakeAmqpPeer(std::vector<PeerScript> scripts)
    : scripts_(std::move(scripts)), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  const int small = 4096;  // a client soon notices that nobody reads
  setsockopt(listener_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  if (bind(listener_, plain, size) != 0 || listen(listener_, 16) != 0 ||
      getsockname(listener_, plain, &size) != 0) {
    throw std::runtime_error("the peer cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

FakeAmqpPeer::~FakeAmqpPeer() {
  stop_.Signal();
  thread_.join();
  close(listener_);
}

std::string FakeAmqpPeer::Url() const {
  return "amqp://guest:guest@127.0.0.1:" + std::to_string(port_) + "/%2f";
}

std::size_t FakeAmqpPeer::connections() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

std::vector<PeerMessage> FakeAmqpPeer::messages() const {
  const std::lock_guard lock(mutex_);
  return messages_;
}

std::vector<PeerMethod> FakeAmqpPeer::methods() const {
  const std::lock_guard lock(mutex_);
  return methods_;
}

std::vector<std::string> FakeAmqpPeer::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

void FakeAmqpPeer::Accept() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  const int one = 1;
  const timeval patience = {10, 0};
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const std::size_t number = sessions_.size();
  sessions_.push_back(std::make_unique<Session>(
      *this, fd, number, number < scripts_.size() ? scripts_[number] : well_behaved_));
}

void FakeAmqpPeer::Run() {
  for (;;) {
    std::vector<pollfd> fds = {{stop_.fd(), POLLIN, 0}, {listener_, POLLIN, 0}};
    std::vector<Session*> readers;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& session : sessions_) {
        if (!session->reads()) continue;
        fds.push_back({session->fd(), POLLIN, 0});
        readers.push_back(session.get());
      }
    }
    poll(fds.data(), fds.size(), kTick);
    if (fds[0].revents != 0) return;
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < readers.size(); ++i) {
      if (fds[2 + i].revents != 0) readers[i]->Receive();
    }
    if (fds[1].revents != 0) Accept();
    for (const auto& session : sessions_) session->Tick();
  }
}

}  // namespace tower
