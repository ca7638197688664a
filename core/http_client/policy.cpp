#include "core/http_client/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

#include "core/net/ca_bundle.h"

namespace tower {
namespace {

constexpr int kMappedBits = 96;

using Texts = std::vector<std::string>;

// The networks behind a name such as link-local; any other text is returned unchanged.
Texts NetworksOf(const std::string& text) {
  if (text == "link-local") return {"169.254.0.0/16", "fe80::/10"};
  if (text == "metadata") {
    return {"169.254.169.254",  // most clouds
            "fd00:ec2::254",    // AWS
            "fd00:ec2::23",     // AWS, pods of Kubernetes; its IPv4 address is link-local
            "fd20:ce::254",     // Google
            "168.63.129.16",    // Azure
            "100.100.100.200",  // Alibaba
            "192.0.0.192"};     // Oracle
  }
  // An unspecified address connects to this host.
  if (text == "loopback") return {"127.0.0.0/8", "::1", "0.0.0.0/8", "::"};
  if (text == "private") return {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"};
  return {text};
}

struct Configured {
  std::mutex mutex;
  HttpPolicy policy = DefaultHttpPolicy();
};
Configured& TheConfigured() {
  static Configured configured;
  return configured;
}

std::array<std::uint8_t, 16> Mapped(const void* ipv4) {
  std::array<std::uint8_t, 16> out{};
  out[10] = out[11] = 0xff;
  std::memcpy(out.data() + 12, ipv4, 4);
  return out;
}

// A format of IPv6 addresses that embeds an IPv4 address.
struct Embedding {
  std::size_t offset;                // of `prefix`
  std::vector<std::uint8_t> prefix;  // identifies the format
  std::array<std::size_t, 4> at;     // offsets of the bytes of the IPv4 address
  std::uint8_t flipped = 0;          // XOR mask of these bytes
  bool unless_zero = false;          // an embedded 0.x.x.x means that it is not this format
};

// The position of the address behind a local NAT64 prefix depends on the length of the prefix (RFC
// 6052, section 2.2), which only the network knows; therefore all are checked.
const std::vector<Embedding>& Embeddings() {
  static const std::vector<std::uint8_t> local_nat64 = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
  static const std::vector<Embedding> all = {
      {0, std::vector<std::uint8_t>(12, 0), {12, 13, 14, 15}},               // IPv4-compatible
      {0, {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, {12, 13, 14, 15}},     // RFC 2765
      {0, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}, {12, 13, 14, 15}},  // NAT64, RFC 6052
      {0, local_nat64, {12, 13, 14, 15}, 0, true},                           // RFC 8215, of /96
      {0, local_nat64, {9, 10, 11, 12}, 0, true},                            // of /64
      {0, local_nat64, {7, 9, 10, 11}, 0, true},                             // of /56
      {0, local_nat64, {6, 7, 9, 10}, 0, true},                              // of /48
      {0, {0x20, 0x02}, {2, 3, 4, 5}},                                       // 6to4, RFC 3056
      {0, {0x20, 0x01, 0, 0}, {12, 13, 14, 15}, 0xff},                       // Teredo, RFC 4380
      {8, {0x00, 0x00, 0x5e, 0xfe}, {12, 13, 14, 15}},                       // ISATAP, RFC 5214
      {8, {0x02, 0x00, 0x5e, 0xfe}, {12, 13, 14, 15}},
  };
  return all;
}

// The IPv4 addresses that an IPv6 address may embed, as IPv4-mapped addresses.
std::vector<std::array<std::uint8_t, 16>> Embedded(const std::array<std::uint8_t, 16>& address) {
  std::vector<std::array<std::uint8_t, 16>> out;
  for (const auto& form : Embeddings()) {
    if (!std::equal(form.prefix.begin(), form.prefix.end(), address.data() + form.offset)) continue;
    std::array<std::uint8_t, 4> ipv4{};
    for (std::size_t i = 0; i < ipv4.size(); ++i) {
      ipv4[i] = static_cast<std::uint8_t>(address[form.at[i]] ^ form.flipped);
    }
    if (ipv4[0] != 0 || !form.unless_zero) out.push_back(Mapped(ipv4.data()));
  }
  return out;
}

}  // namespace

Result<HttpDenyList::Network> HttpDenyList::ParseNetwork(std::string_view text) {
  const Error bad{
      ErrorCode::kInvalid,
      "must be a network such as 10.0.0.0/8, an address, or one of link-local, metadata, "
      "loopback and private"};
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Network network{};
  std::array<std::uint8_t, 4> ipv4{};
  int added = 0;
  if (inet_pton(AF_INET, address.c_str(), ipv4.data()) == 1) {
    network.address = Mapped(ipv4.data());
    added = kMappedBits;
  } else if (inet_pton(AF_INET6, address.c_str(), network.address.data()) != 1) {
    return bad;
  }
  network.bits = 128;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto* last = digits.data() + digits.size();
    const auto [end, fault] = std::from_chars(digits.data(), last, network.bits);
    if (fault != std::errc() || end != last || network.bits < 0 || network.bits > 128 - added) {
      return bad;
    }
    network.bits += added;
  }
  return network;
}

bool HttpDenyList::Contains(const Network& network, const Bytes& address) {
  const auto whole = static_cast<std::size_t>(network.bits / 8);
  if (!std::equal(address.begin(), address.begin() + static_cast<std::ptrdiff_t>(whole),
                  network.address.begin())) {
    return false;
  }
  const int rest = network.bits % 8;
  if (rest == 0) return true;
  const auto differ = static_cast<unsigned>(address[whole] ^ network.address[whole]);
  return (differ >> static_cast<unsigned>(8 - rest)) == 0;
}

Result<HttpDenyList> HttpDenyList::Parse(const Texts& networks) {
  HttpDenyList list;
  std::string faults;
  for (const auto& text : networks) {
    for (const auto& each : NetworksOf(text)) {
      auto network = ParseNetwork(each);
      if (network) {
        list.networks_.push_back(*network);
      } else {
        faults += (faults.empty() ? "" : "; ") + text + ": " + network.error().message;
      }
    }
  }
  if (!faults.empty()) return Error{ErrorCode::kInvalid, faults};
  return list;
}

bool HttpDenyList::Denies(const SocketAddress& address) const {
  Bytes bytes{};
  if (address.family() == AF_INET) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &address.storage, sizeof ipv4);
    bytes = Mapped(&ipv4.sin_addr);
  } else if (address.family() == AF_INET6) {
    sockaddr_in6 ipv6{};
    std::memcpy(&ipv6, &address.storage, sizeof ipv6);
    std::memcpy(bytes.data(), &ipv6.sin6_addr, bytes.size());
  } else {
    return true;
  }
  auto meanings = Embedded(bytes);
  meanings.push_back(bytes);
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return std::any_of(meanings.begin(), meanings.end(),
                       [&](const Bytes& meaning) { return Contains(network, meaning); });
  });
}

HttpPolicy DefaultHttpPolicy() { return {.deny = {"link-local", "metadata"}, .ca_file = {}}; }

Status CheckHttpNetwork(std::string_view network) {
  auto parsed = HttpDenyList::Parse({std::string(network)});
  if (!parsed) return parsed.error();
  return Ok();
}

Status CheckHttpPolicy(const HttpPolicy& policy) {
  std::string faults;
  if (auto list = HttpDenyList::Parse(policy.deny); !list) {
    faults = "http.deny: " + list.error().message;
  }
  if (!policy.ca_file.empty()) {
    if (auto bundle = HttpCaBundle(policy); !bundle) {
      faults += (faults.empty() ? "" : "; ") + ("http.ca-file: " + bundle.error().message);
    }
  }
  if (!faults.empty()) return Error{ErrorCode::kInvalid, faults};
  return Ok();
}

void ConfigureHttpClients(HttpPolicy policy) {
  const std::lock_guard lock(TheConfigured().mutex);
  TheConfigured().policy = std::move(policy);
}

HttpPolicy CurrentHttpPolicy() {
  const std::lock_guard lock(TheConfigured().mutex);
  return TheConfigured().policy;
}

Result<std::string> HttpCaBundle(const HttpPolicy& policy) {
  auto file = FindCaBundle(policy.ca_file, "http.ca-file");
  if (!file) return file.error();
  const std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> store(X509_STORE_new(),
                                                                      &X509_STORE_free);
  ERR_clear_error();
  const bool loaded = store && X509_STORE_load_file(store.get(), file->c_str()) == 1;
  ERR_clear_error();
  if (!loaded) {
    return Error{ErrorCode::kInvalid, "no CA certificates can be read from " + *file};
  }
  return file;
}

}  // namespace tower
