#include "core/http/loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <new>
#include <system_error>

namespace tower {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kScratch = 65536;
constexpr std::chrono::milliseconds kLingerTime = 1s;
// Connections beyond a limit: their maximum number, and the time for their one request.
constexpr std::size_t kBeyond = 16;
constexpr std::chrono::milliseconds kBeyondTime = 2s;
constexpr std::size_t kLingerBytes = 8UL << 20U;
constexpr int kSteps = 64;  // for one connection before the others continue
// Bytes of memory that each of head, body and response keep for the next request.
constexpr std::size_t kKept = 16384;
constexpr std::size_t kKeptOfStranger = 1024;
constexpr std::uint64_t kMailboxId = 0;  // not used as the id of a connection

int MakeEpoll() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  return fd;
}

}  // namespace

void HttpDrain::Add(std::size_t count) {
  const std::lock_guard lock(mutex_);
  count_ += count;
}

void HttpDrain::Done(std::size_t count) {
  const std::lock_guard lock(mutex_);
  count_ -= count;
  if (count_ == 0) done_.notify_all();
}

bool HttpDrain::Await(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return done_.wait_for(lock, time, [this] { return count_ == 0; });
}

HttpLoop::HttpLoop(Options options, HttpService& service, HttpMemory& memory, Logger log)
    : options_(options),
      service_(service),
      memory_(memory),
      log_(std::move(log)),
      mailbox_(std::make_shared<HttpMailbox>()),
      epoll_(MakeEpoll()),
      scratch_(std::make_unique_for_overwrite<char[]>(kScratch)) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // edge-triggered, so that the eventfd need not be cleared
  event.data.u64 = kMailboxId;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, mailbox_->wakeup.fd(), &event);
  thread_ = std::thread([this] { Run(); });
}

HttpLoop::~HttpLoop() {
  HttpMailbox::Post(mailbox_, [](HttpMailbox::Letters& letters) { letters.stop = true; });
  thread_.join();
  close(epoll_);
}

void HttpLoop::Add(int fd, std::string address, HttpPlaces::Place place) {
  HttpMailbox::Post(mailbox_, [&](HttpMailbox::Letters& letters) {
    letters.added.push_back({fd, std::move(address), std::move(place)});
  });
}

void HttpLoop::Drain(HttpDrain& drain) {
  drain.Add(1);  // released once the loop has counted its connections
  HttpMailbox::Post(mailbox_, [&](HttpMailbox::Letters& letters) { letters.drain = &drain; });
}

// --- The thread ----------------------------------------------------------------------------------

void HttpLoop::Run() {
  pthread_setname_np(pthread_self(), "http");
  while (OpenMail()) Wait();
  for (auto& [id, connection] : connections_) {
    close(connection->fd);
    if (connection->earlier) drain_->Done();
  }
  connections_.clear();
}

bool HttpLoop::OpenMail() {
  HttpMailbox::Letters letters;
  {
    const std::lock_guard lock(mailbox_->mutex);
    std::swap(letters, mailbox_->letters);
    mailbox_->asleep = may_wait_ = letters.empty() && again_.empty();
  }
  for (auto& added : letters.added) Accept(std::move(added));
  for (auto& [ticket, instead] : letters.finished) Finish(ticket, std::move(instead));
  if (letters.drain != nullptr) BeginDrain(*letters.drain);
  std::vector<std::uint64_t> again;
  again.swap(again_);
  for (const auto id : again) Drive(id);
  return !letters.stop;
}

void HttpLoop::Wait() {
  int timeout = may_wait_ ? -1 : 0;
  if (may_wait_ && next_deadline_ != Clock::time_point::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_deadline_ - Clock::now());
    timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000));
  }
  epoll_event events[64];
  const int count = epoll_wait(epoll_, events, 64, timeout);
  if (may_wait_) {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->asleep = false;
  }
  for (int i = 0; i < count; ++i) {
    const auto id = events[i].data.u64;
    if (id == kMailboxId) continue;
    const auto found = connections_.find(id);
    if (found == connections_.end()) continue;
    auto& connection = *found->second;
    if ((events[i].events & EPOLLIN) != 0) connection.readable = true;
    if ((events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
      connection.readable = connection.hung_up = true;
    }
    Drive(id);
  }
  if (next_deadline_ != Clock::time_point::max()) CheckDeadlines();
}

void HttpLoop::Accept(NewConnection&& added) {
  const auto id = next_id_++;
  auto made = std::make_unique<Connection>(options_.max_body, memory_, std::move(added));
  auto& connection = *connections_.emplace(id, std::move(made)).first->second;
  connection.id = id;
  connection.exchange.later = HttpLater(mailbox_, {id, 0});
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = id;
  const bool beyond = !connection.exchange.beyond.empty();
  if (beyond) beyond_.push_back(id);
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) {
    log_.Warn("connection refused", {{"error", ErrnoText(errno)}});
    Close(connection);
    return;
  }
  // A new connection gets no more time for its first request than for any other.
  SetDeadline(connection, Clock::now() + std::min(options_.idle, RequestTime(connection)));
  if (beyond_.size() > kBeyond) GiveWay(beyond_.front());
}

// Closes a connection because later ones may be health checks. A request that has arrived in the
// meantime is still answered.
void HttpLoop::GiveWay(std::uint64_t id) {
  auto& connection = *connections_.at(id);
  connection.readable = true;
  Drive(id);
  if (!connections_.contains(id)) return;
  if (connection.state == State::kReading) {
    connection.exchange.reader.Refuse({503, connection.exchange.beyond});
    Drive(id);
  }
  if (connections_.contains(id)) Close(connection);
}

std::chrono::milliseconds HttpLoop::RequestTime(const Connection& connection) const {
  return connection.exchange.beyond.empty() ? options_.request
                                            : std::min(options_.request, kBeyondTime);
}

void HttpLoop::Finish(const Ticket& ticket, std::optional<HttpResponse>&& instead) {
  const auto found = connections_.find(ticket.connection);
  if (found == connections_.end()) return;
  auto& connection = *found->second;
  if (connection.state != State::kDeferred || connection.exchange.later.ticket_.turn != ticket.turn)
    return;
  auto& exchange = connection.exchange;
  if (instead) {
    exchange.answer.clear();
    service_.Replace(exchange, std::move(*instead));
  } else if (drain_ != nullptr &&
             !exchange.close) {  // draining began after the response was written
    exchange.answer.insert(exchange.answer.find("\r\n\r\n") + 2, "Connection: close\r\n");
  }
  BeginSending(connection);
  Drive(ticket.connection);
}

void HttpLoop::BeginDrain(HttpDrain& drain) {
  drain_ = &drain;
  std::vector<std::uint64_t> all;
  for (auto& [id, connection] : connections_) {
    connection->earlier = true;
    connection->readable = true;  // a request that has arrived is still answered
    all.push_back(id);
  }
  drain.Add(all.size());
  for (const auto id : all) {
    Drive(id);
    const auto found = connections_.find(id);
    auto* const one = found == connections_.end() ? nullptr : found->second.get();
    if (one == nullptr || one->state != State::kReading || one->exchange.reader.begun()) continue;
    if (one->exchange.later.ticket_.turn > 0) {
      Close(*one);
    } else {  // no request yet: it counts as a new connection
      one->earlier = false;
      drain.Done();
    }
  }
  drain.Done();
}

void HttpLoop::CheckDeadlines() {
  const auto now = Clock::now();
  if (now < next_deadline_) return;
  std::vector<std::uint64_t> late;
  for (const auto& [id, connection] : connections_) {
    if (connection->deadline <= now) late.push_back(id);
  }
  for (const auto id : late) {
    auto& connection = *connections_.at(id);
    auto& reader = connection.exchange.reader;
    const auto beyond = connection.exchange.beyond;
    if (connection.state != State::kReading || (!reader.begun() && beyond.empty())) {
      Close(connection);
      continue;
    }
    if (!beyond.empty()) {
      reader.Refuse({503, beyond});
      Drive(id);
      continue;
    }
    reader.Refuse({408, reader.has_head()
                            ? "the body did not arrive in time (server.request-timeout)"
                            : "the request did not arrive in time (server.request-timeout)"});
    Drive(id);
  }
  next_deadline_ = Clock::time_point::max();
  for (const auto& [id, connection] : connections_) {
    next_deadline_ = std::min(next_deadline_, connection->deadline);
  }
}

// --- One connection ------------------------------------------------------------------------------

void HttpLoop::SetDeadline(Connection& connection, Clock::time_point deadline) {
  connection.deadline = deadline;
  next_deadline_ = std::min(next_deadline_, deadline);
}

// Destroys the connection.
void HttpLoop::Close(Connection& connection) {
  close(connection.fd);
  if (!connection.exchange.beyond.empty()) std::erase(beyond_, connection.id);
  if (connection.earlier) drain_->Done();
  connections_.erase(connection.id);
}

void HttpLoop::Drive(std::uint64_t id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  auto& connection = *found->second;
  try {
    for (int steps = 0; Step(connection); ++steps) {
      if (steps < kSteps) continue;
      again_.push_back(id);
      return;
    }
  } catch (const std::bad_alloc&) {
    RefuseForMemory(connection);
  } catch (const std::exception& error) {
    log_.Error("connection aborted", {{"error", error.what()}});
    Close(connection);
  }
}

void HttpLoop::RefuseForMemory(Connection& connection) {
  const bool answerable = connection.state == State::kReading;
  connection.exchange.reader.Drop(0);
  FreeText(connection.exchange.rest);
  try {
    connection.exchange.reader.Refuse({503, "out of memory for this request"});
    if (answerable) {
      Respond(connection);
      again_.push_back(connection.id);
      return;
    }
  } catch (const std::exception& error) {
    log_.Error("connection aborted", {{"error", error.what()}});
  }
  Close(connection);
}

// Returns false if no more progress is possible now, or the connection is closed.
bool HttpLoop::Step(Connection& connection) {
  switch (connection.state) {
    case State::kReading:
      if (connection.exchange.reader.refusal()) return Respond(connection);
      if (!connection.exchange.rest.empty()) {
        const std::string bytes = std::exchange(connection.exchange.rest, {});
        return Consume(connection, bytes);
      }
      return connection.readable && Receive(connection);
    case State::kDeferred:
      return false;
    case State::kWriting:
      return Send(connection);
    case State::kLingering:
      return connection.readable && Discard(connection);
  }
  return false;
}

// Returns the number of bytes read into scratch_; 0 if there are none now, or the connection is
// closed.
std::size_t HttpLoop::Read(Connection& connection) {
  const auto got = recv(connection.fd, scratch_.get(), kScratch, MSG_DONTWAIT);
  if (got > 0) {
    // After a short read epoll(7) reports new data. It does not report the end of the stream again.
    const auto size = static_cast<std::size_t>(got);
    if (size < kScratch && !connection.hung_up) connection.readable = false;
    return size;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    connection.readable = errno == EINTR;
    return 0;
  }
  Close(connection);
  return 0;
}

bool HttpLoop::Receive(Connection& connection) {
  const auto size = Read(connection);
  return size > 0 && Consume(connection, {scratch_.get(), size});
}

bool HttpLoop::Consume(Connection& connection, std::string_view bytes) {
  auto& exchange = connection.exchange;
  auto& reader = exchange.reader;
  if (!reader.begun()) {
    exchange.began = Clock::now();
    SetDeadline(connection, exchange.began + RequestTime(connection));
  }
  const bool had_head = reader.has_head();
  const auto taken = reader.Take(bytes);
  if (taken < bytes.size()) exchange.rest = bytes.substr(taken);
  if (reader.refusal()) return true;
  // After the head the service accounts for the memory, because it then knows the client.
  if (reader.complete() || (reader.has_head() && !had_head)) return Respond(connection);
  if (!exchange.Hold()) reader.Refuse({503, exchange.share.limit()});
  return true;
}

bool HttpLoop::Respond(Connection& connection) {
  auto& exchange = connection.exchange;
  exchange.answer.clear();
  exchange.interim = exchange.deferred = exchange.close = false;
  ++exchange.later.ticket_.turn;
  service_.Answer(exchange);
  if (exchange.deferred) {
    // Its bytes still count, because the handler of the deferred response holds a copy.
    exchange.reader.Drop(kKept);
    connection.state = State::kDeferred;
    connection.deadline = Clock::time_point::max();
    return false;
  }
  if (!exchange.answer.empty()) BeginSending(connection);
  return true;
}

void HttpLoop::BeginSending(Connection& connection) {
  // Count before sending, so that clients already see it in the metrics.
  auto& exchange = connection.exchange;
  if (!exchange.interim) {
    service_.Count(exchange, Clock::now());
    exchange.reader.Drop(kKept);
    exchange.Hold();
  }
  connection.state = State::kWriting;
  connection.sent = 0;
  connection.deadline = Clock::time_point::max();
}

bool HttpLoop::Send(Connection& connection) {
  const auto left = std::string_view(connection.exchange.answer).substr(connection.sent);
  const auto sent = send(connection.fd, left.data(), left.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) {
    connection.sent += static_cast<std::size_t>(sent);
    return connection.sent < connection.exchange.answer.size() || EndAnswer(connection);
  }
  if (errno == EINTR) return true;
  if (errno != EAGAIN) {
    Close(connection);
  } else if (connection.deadline == Clock::time_point::max()) {
    SetDeadline(connection, Clock::now() + options_.request);
  }
  return false;
}

bool HttpLoop::EndAnswer(Connection& connection) {
  auto& exchange = connection.exchange;
  connection.state = State::kReading;
  if (exchange.interim) {
    exchange.answer.clear();
    SetDeadline(connection, exchange.began + RequestTime(connection));
    return true;
  }
  const auto now = Clock::now();
  const bool unread = exchange.reader.refusal() || !exchange.reader.complete();
  if (unread) {
    // The client may still be sending. Closing now would reset the connection, and the client might
    // not receive the response.
    shutdown(connection.fd, SHUT_WR);
    connection.state = State::kLingering;
    SetDeadline(connection, now + kLingerTime);
    return true;
  }
  if (exchange.close || drain_ != nullptr) {
    Close(connection);
    return false;
  }
  const auto kept = exchange.known && exchange.share.roomy() ? kKept : kKeptOfStranger;
  exchange.reader.Next(kept);
  exchange.began = {};
  if (exchange.answer.capacity() > kept) FreeText(exchange.answer);
  exchange.Hold();
  SetDeadline(connection, now + options_.idle);
  return true;
}

bool HttpLoop::Discard(Connection& connection) {
  const auto size = Read(connection);
  if (size == 0) return false;
  connection.discarded += size;
  if (connection.discarded < kLingerBytes) return true;
  Close(connection);
  return false;
}

}  // namespace tower
