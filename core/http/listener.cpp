#include "core/http/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "core/net/resolver.h"

namespace tower {
namespace {

using namespace std::chrono_literals;

constexpr int kBacklog = 1024;  // the kernel limits it to net.core.somaxconn
constexpr std::size_t kMaxLoops = 4;
constexpr std::size_t kMostBeyond = 128;    // connections beyond a limit
constexpr auto kPauseForPlace = 1ms;        // until the loops have closed some of them
constexpr auto kPauseAfterError = 100ms;    // out of descriptors or memory
constexpr auto kPauseBeforeReopening = 1s;  // the listening socket failed
constexpr rlim_t kOtherFiles = 128;         // descriptors for other purposes than connections

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

std::string TextOf(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  }
  return text;
}

int PortOf(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET
                   ? reinterpret_cast<const sockaddr_in&>(address).sin_port
                   : reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
}

// Returns a listening socket, or -1 with errno.
int Listen(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  // No SO_REUSEPORT: with it, a second instance would start and receive half of the requests.
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd, address.ai_addr, address.ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// Each connection needs a descriptor. Raises the soft limit as far as the hard limit allows, and
// returns the possible number of connections, minus a reserve for health checks.
std::size_t AllowFiles(std::size_t connections, const Logger& log) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return connections;
  const rlim_t others = kOtherFiles + kMostBeyond;
  const rlim_t wanted = connections + others;
  if (files.rlim_cur >= wanted) return connections;
  files.rlim_cur = std::min(wanted, files.rlim_max);
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur >= wanted) return connections;
  const auto most =
      std::max({files.rlim_cur / 4, files.rlim_cur - std::min(files.rlim_cur, others), rlim_t{1}});
  log.Warn("fewer connections than server.max-connections: the limit of open files is too low",
           {{"limit", files.rlim_cur}, {"wanted", wanted}, {"connections", most}});
  return most;
}

}  // namespace

HttpListener::HttpListener(Options options, HttpService& service, Logger log)
    : options_(std::move(options)),
      service_(service),
      log_(std::move(log)),
      memory_(options_.max_memory) {}

HttpListener::~HttpListener() { Stop(); }

Status HttpListener::Start() {
  port_ = options_.port;
  if (auto opened = Open(); !opened) return opened;
  port_ = PortOf(listen_fd_);
  places_.emplace(AllowFiles(options_.max_connections, log_), options_.max_connections_per_address);
  try {
    const auto count = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMaxLoops);
    while (loops_.size() < count) {
      loops_.push_back(std::make_unique<HttpLoop>(options_.loop, service_, memory_, log_));
    }
    accept_thread_ = std::thread([this] { AcceptLoop(); });
  } catch (const std::system_error& error) {
    close(listen_fd_);
    listen_fd_ = -1;
    return Error{ErrorCode::kUnavailable, std::string("start the HTTP server: ") + error.what()};
  }
  return Ok();
}

Status HttpListener::Open() {
  const auto context = "listen on " + options_.host + " port " + std::to_string(port_);
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed =
      getaddrinfo(options_.host.c_str(), std::to_string(port_).c_str(), &hints, &found);
  if (failed != 0) {
    return Error{ErrorCode::kInvalid, context + ": " + gai_strerror(failed) + "; set server.host"};
  }
  const Addresses addresses(found, &freeaddrinfo);
  int error = 0;
  for (const auto* address = found; address != nullptr; address = address->ai_next) {
    if (options_.loopback_only && !IsLoopback(*address->ai_addr)) {
      return Error{ErrorCode::kInvalid,
                   context +
                       ": others could reach it; set server.tokens-file, or server.host to a "
                       "loopback address, or server.allow-anonymous if everyone may send triggers"};
    }
    listen_fd_ = Listen(*address);
    if (listen_fd_ >= 0) return Ok();
    error = errno;
  }
  return Error{ErrorCode::kUnavailable, context + ": " + ErrnoText(error) +
                                            (error == EADDRINUSE ? "; set server.port" : "")};
}

bool HttpListener::Pause(std::chrono::milliseconds time) {
  pollfd stop{wakeup_.fd(), POLLIN, 0};
  poll(&stop, 1, static_cast<int>(time.count()));
  return !stopping_.load();
}

void HttpListener::AcceptLoop() {
  while (!stopping_.load()) {
    pollfd ready[] = {{listen_fd_, POLLIN, 0}, {wakeup_.fd(), POLLIN, 0}};
    poll(ready, 2, -1);
    if (stopping_.load()) break;
    if (ready[0].revents != 0 && !AcceptOne() && !Reopen()) break;
  }
  if (listen_fd_ >= 0) close(listen_fd_);
}

// A shortage lasts for a while, and ten attempts per second would flood the log.
void HttpListener::LogRefusal(const std::string& error) {
  if (!accept_log_.Pass(error, std::chrono::steady_clock::now())) return;
  log_.Log(accept_log_.level(), "a connection could not be accepted", {{"error", error}});
}

// Returns false if the listening socket is unusable.
bool HttpListener::AcceptOne() {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  const int fd = accept4(listen_fd_, reinterpret_cast<sockaddr*>(&address), &size,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    Dispatch(fd, address);
    return true;
  }
  switch (errno) {
    case EINTR:
    case EAGAIN:
    case ECONNABORTED:
    case EPROTO:
      return true;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      LogRefusal(ErrnoText(errno));
      Pause(kPauseAfterError);
      return true;
    default:
      log_.Error("listening socket failed", {{"error", ErrnoText(errno)}});
      return false;
  }
}

bool HttpListener::Reopen() {
  close(listen_fd_);
  listen_fd_ = -1;
  for (;;) {
    const auto opened = Open();
    if (opened) return true;
    log_.Error("cannot listen again", {{"error", opened.error()}});
    if (!Pause(kPauseBeforeReopening)) return false;
  }
}

void HttpListener::Dispatch(int fd, const sockaddr_storage& address) {
  auto place = places_->Take(address);
  while (places_->beyond() > kMostBeyond && Pause(kPauseForPlace)) {
  }
  loops_[next_loop_++ % loops_.size()]->Add(fd, TextOf(address), std::move(place));
}

void HttpListener::Drain(std::chrono::milliseconds grace) {
  if (!draining_.exchange(true)) {
    for (const auto& loop : loops_) loop->Drain(drain_);
  }
  drain_.Await(grace);
}

void HttpListener::Stop() {
  if (stopping_.exchange(true)) return;
  draining_.store(true);
  wakeup_.Signal();
  if (accept_thread_.joinable()) accept_thread_.join();
  loops_.clear();
}

}  // namespace tower
