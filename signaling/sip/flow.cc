#include "signaling/sip/flow.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>

#include "base/check.h"
#include "base/random.h"
#include "base/text.h"

namespace vas::signaling {
namespace {

constexpr std::size_t kMacBytes = 8;  // 64 bits: an online guess is all that an attacker has

struct TransportName {
  Transport transport;
  const char* uri;
  const char* via;
};
constexpr std::array<TransportName, 5> kNames = {{{Transport::kUdp, "udp", "UDP"},
                                                  {Transport::kTcp, "tcp", "TCP"},
                                                  {Transport::kTls, "tls", "TLS"},
                                                  {Transport::kWs, "ws", "WS"},
                                                  {Transport::kWss, "wss", "WSS"}}};

}  // namespace

const char* to_string(Transport transport) { return kNames[static_cast<std::size_t>(transport)].uri; }
const char* via_name(Transport transport) { return kNames[static_cast<std::size_t>(transport)].via; }

std::optional<Transport> transport_by_name(std::string_view name) {
  for (const TransportName& each : kNames) {
    if (equals_ignoring_case(name, each.uri)) return each.transport;
  }
  return {};
}

void FlowSigner::FreeMac::operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }

FlowSigner::FlowSigner() {
  std::array<std::uint8_t, 32> key{};
  fill_random(key);
  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  keyed_.reset(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                   OSSL_PARAM_construct_end()};
  VAS_CHECK(keyed_ != nullptr && EVP_MAC_init(keyed_.get(), key.data(), key.size(), parameters) == 1,
            "OpenSSL has HMAC with SHA-256");
}

std::string FlowSigner::keyed_hash(std::string_view text) const {
  const std::unique_ptr<EVP_MAC_CTX, FreeMac> context(EVP_MAC_CTX_dup(keyed_.get()));
  std::uint8_t mac[EVP_MAX_MD_SIZE];
  std::size_t length = 0;
  EVP_MAC_update(context.get(), as_bytes(text).data(), text.size());
  EVP_MAC_final(context.get(), mac, &length, sizeof mac);
  return to_hex(Bytes(mac, kMacBytes));
}

// "udp-127.0.0.1-5060-0-65535-<mac>": IPv6 colons become underscores,
// which neither a branch nor a user part minds.
std::string FlowSigner::sign(const Flow& flow) const {
  std::string address = to_string(flow.peer.address);
  for (char& c : address) {
    if (c == ':') c = '_';
  }
  const std::string name = fmt::format("{}-{}-{}-{}-{}", to_string(flow.transport), address, flow.peer.port,
                                       flow.connection, flow.listener);
  return name + "-" + keyed_hash(name);
}

std::optional<Flow> FlowSigner::verify(std::string_view token) const {
  const auto dash = token.rfind('-');
  if (dash == std::string_view::npos) return {};
  const std::string_view name = token.substr(0, dash);
  const std::string_view mac = token.substr(dash + 1);
  const std::string expected = keyed_hash(name);
  if (mac.size() != expected.size() || CRYPTO_memcmp(mac.data(), expected.data(), mac.size()) != 0) return {};

  const auto parts = split(name, '-');
  if (parts.size() != 5) return {};
  std::string address(parts[1]);
  for (char& c : address) {
    if (c == '_') c = ':';
  }
  const auto transport = transport_by_name(parts[0]);
  const auto parsed = IpAddress::parse(address);
  const auto port = parse_number<std::uint16_t>(parts[2]);
  const auto connection = parse_number<std::uint64_t>(parts[3]);
  const auto listener = parse_number<std::uint16_t>(parts[4]);
  if (!transport || !parsed || !port || !connection || !listener) return {};
  return Flow{*transport, {*parsed, *port}, *connection, *listener};
}

}  // namespace vas::signaling
