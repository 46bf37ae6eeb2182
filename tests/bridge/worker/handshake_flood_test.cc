// DTLS set-ups over real sockets while a stranger sends hellos and garbage to every port.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <list>
#include <thread>

#include "base/clock.h"
#include "base/random.h"
#include "bridge/plane/media_plane.h"
#include "media/rtp/packet_kind.h"
#include "tests/support/ice_check.h"
#include "tests/support/udp_socket.h"

namespace vas::bridge {
namespace {

using media::DtlsContext;
using media::DtlsRole;
using media::DtlsSession;
using Packet = std::vector<std::uint8_t>;

#ifdef VAS_SANITIZED
constexpr int kSetUps = 100, kFloodPerSecond = 2'000;
#else
constexpr int kSetUps = 1'000, kFloodPerSecond = 10'000;
#endif
constexpr int kAtOnce = 50;
constexpr std::uint16_t kFirstPort = 19100, kLastPort = 19299;

// The hello of a client that takes no encryption at all.
Packet null_cipher_hello() {
  SSL_CTX* context = SSL_CTX_new(DTLS_method());
  SSL_CTX_set_security_level(context, 0);
  SSL_CTX_set_cipher_list(context, "NULL:eNULL:@SECLEVEL=0");
  SSL* client = SSL_new(context);
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(client, BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(client);
  (void)SSL_do_handshake(client);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  Packet hello(data, data + size);
  SSL_free(client);
  SSL_CTX_free(context);
  return hello;
}

// Sends to all ports from first to last in turn, from an address of its own, until it is destroyed.
class Flood {
 public:
  Flood(std::uint16_t first, std::uint16_t last) : first_(first), last_(last), thread_([this] { run(); }) {}
  ~Flood() {
    is_over_ = true;
    thread_.join();
  }
  int sent() const { return sent_; }

 private:
  void run() {
    const UdpSocket stranger("127.0.0.66:0");
    const Packet hello = null_cipher_hello();
    std::uint16_t port = first_;
    while (!is_over_) {
      for (int i = 0; i < kFloodPerSecond / 100; ++i, ++sent_) {
        Packet bad = hello;
        const auto noise = random_u32();
        if (i % 2 == 1) bad[noise % bad.size()] ^= static_cast<std::uint8_t>(1 + (noise >> 16) % 255);
        if (i % 4 == 3) bad.resize(1 + noise % bad.size());
        stranger.send({*IpAddress::parse("127.0.0.1"), port}, bad);
        port = port == last_ ? first_ : static_cast<std::uint16_t>(port + 1);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  const std::uint16_t first_, last_;
  std::atomic<bool> is_over_ = false;
  std::atomic<int> sent_ = 0;
  std::thread thread_;
};

// One phone with its leg; by ICE, where the leg shares its port with others.
struct Phone {
  UdpSocket socket{"127.0.0.1:0"};
  std::unique_ptr<DtlsSession> client;
  BridgeId bridge;
  Endpoint server;
  LegIce ice{.local = ice::random_credentials(), .remote = ice::random_credentials()};
  Time checked_at{};
  bool is_checked = false;

  void send(const DtlsSession::Flight& flight) const {
    for (const Packet& each : flight) socket.send(server, each);
  }
  void check() {
    if (is_checked || monotonic_now() - checked_at < std::chrono::milliseconds(100)) return;
    checked_at = monotonic_now();
    socket.send(server, ice::build_check(ice.local, ice.remote));
  }
  void on_check_answered() {
    if (!std::exchange(is_checked, true)) send(client->start(monotonic_now()));
  }
};

class HandshakeFlood : public testing::TestWithParam<PortUse> {
 protected:
  static bool is_shared() { return GetParam() == PortUse::kShared; }

  // False while ports of calls that are over rest.
  bool begin(Phone& phone) {
    phone.bridge = plane_->open_bridge();
    const auto port = plane_->open_leg(phone.bridge, LegSide::kA, AddressFamily::kIpv4, GetParam());
    if (!port) {
      plane_->close(phone.bridge);
      return false;
    }
    phone.server = *port;
    LegConfig config{.rtcp_mux = true,
                     .formats = {{{0}, media::Codec::kPcmu, 8000}},
                     .dtls = LegDtls{DtlsRole::kServer, phones_->fingerprint()}};
    if (is_shared()) {
      config.ice = phone.ice;
    } else {
      config.far_rtp = phone.socket.local();
    }
    EXPECT_TRUE(plane_->configure_leg(phone.bridge, LegSide::kA, config));
    phone.client = std::make_unique<DtlsSession>(*phones_, DtlsRole::kClient, plane_->fingerprint());
    if (!is_shared()) phone.on_check_answered();
    return true;
  }
  static void go_on(Phone& phone) {
    phone.check();
    for (Packet got = phone.socket.receive(); !got.empty(); got = phone.socket.receive()) {
      if (media::packet_kind(got) == media::PacketKind::kStun) {
        phone.on_check_answered();
      } else {
        phone.send(phone.client->on_datagram(monotonic_now(), got));
      }
    }
    if (phone.is_checked) phone.send(phone.client->on_time(monotonic_now()));
  }

  const std::unique_ptr<MediaPlane> plane_ =
      std::move(*MediaPlane::open({.bind_ipv4 = *IpAddress::parse("127.0.0.1"),
                                   .advertised_ipv4 = {},
                                   .bind_ipv6 = {},
                                   .first_port = kFirstPort,
                                   .last_port = kLastPort,
                                   .uses_kernel = false}));
  const std::unique_ptr<DtlsContext> phones_ = std::move(*DtlsContext::make());
};

TEST_P(HandshakeFlood, EverySetUpSucceedsBesideIt) {
  std::uint16_t first = kFirstPort, last = kLastPort;
  if (is_shared()) {  // all of it there
    first = last =
        plane_->open_leg(plane_->open_bridge(), LegSide::kA, AddressFamily::kIpv4, GetParam())->port;
  }
  const Flood flood(first, last);
  std::list<Phone> under_way;
  int begun = 0, done = 0;
  const Time start = monotonic_now();
  while (done < kSetUps && monotonic_now() - start < std::chrono::seconds(60)) {
    for (; begun < kSetUps && under_way.size() < kAtOnce; ++begun) {
      if (begin(under_way.emplace_back())) continue;
      under_way.pop_back();
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (auto each = under_way.begin(); each != under_way.end();) {
      go_on(*each);
      if (!each->client->keys()) {
        ++each;
        continue;
      }
      plane_->close(each->bridge);
      each = under_way.erase(each);
      ++done;
    }
    plane_->drain([](const MediaEvent&) {});
  }
  EXPECT_EQ(done, kSetUps);
  EXPECT_GT(flood.sent(), kFloodPerSecond / 10) << "there was a flood";
  const std::uint64_t stray = plane_->figures().stray;
  EXPECT_EQ(stray > static_cast<std::uint64_t>(kFloodPerSecond / 10), is_shared());
}

INSTANTIATE_TEST_SUITE_P(ByPorts, HandshakeFlood, testing::Values(PortUse::kOwn, PortUse::kShared),
                         [](const auto& each) { return each.param == PortUse::kOwn ? "Own" : "Shared"; });

}  // namespace
}  // namespace vas::bridge
