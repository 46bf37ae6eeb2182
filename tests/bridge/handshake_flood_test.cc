// DTLS set-ups over real sockets while a stranger sends hellos and garbage to every port.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <list>
#include <thread>

#include "bridge/media_plane.h"
#include "tests/support/udp_socket.h"
#include "vas/base/clock.h"
#include "vas/base/random.h"

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

// Sends to all ports of the range in turn, from an address of its own, until it is destroyed.
class Flood {
 public:
  Flood() : thread_([this] { run(); }) {}
  ~Flood() {
    is_over_ = true;
    thread_.join();
  }
  int sent() const { return sent_; }

 private:
  void run() {
    const UdpSocket stranger("127.0.0.66:0");
    const Packet hello = null_cipher_hello();
    std::uint16_t port = kFirstPort;
    while (!is_over_) {
      for (int i = 0; i < kFloodPerSecond / 100; ++i, ++sent_) {
        Packet bad = hello;
        const auto noise = random_u32();
        if (i % 2 == 1) bad[noise % bad.size()] ^= static_cast<std::uint8_t>(1 + (noise >> 16) % 255);
        if (i % 4 == 3) bad.resize(1 + noise % bad.size());
        stranger.send({*IpAddress::parse("127.0.0.1"), port}, bad);
        port = port == kLastPort ? kFirstPort : static_cast<std::uint16_t>(port + 1);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  std::atomic<bool> is_over_ = false;
  std::atomic<int> sent_ = 0;
  std::thread thread_;
};

// One phone with its leg.
struct Phone {
  UdpSocket socket{"127.0.0.1:0"};
  std::unique_ptr<DtlsSession> client;
  BridgeId bridge;
  Endpoint server;

  void send(const DtlsSession::Flight& flight) const {
    for (const Packet& each : flight) socket.send(server, each);
  }
};

TEST(HandshakeFlood, EverySetUpSucceedsBesideIt) {
  const auto plane = std::move(*MediaPlane::open({.bind_ipv4 = *IpAddress::parse("127.0.0.1"),
                                                  .advertised_ipv4 = {},
                                                  .bind_ipv6 = {},
                                                  .first_port = kFirstPort,
                                                  .last_port = kLastPort,
                                                  .uses_kernel = false}));
  const auto phones = std::move(*DtlsContext::make());
  // False while ports of calls that are over rest.
  const auto begin = [&](Phone& phone) {
    phone.bridge = plane->open_bridge();
    const auto port = plane->open_leg(phone.bridge, LegSide::kA, AddressFamily::kIpv4);
    if (!port) {
      plane->close(phone.bridge);
      return false;
    }
    phone.server = *port;
    EXPECT_TRUE(plane->configure_leg(phone.bridge, LegSide::kA,
                                     {.far_rtp = phone.socket.local(),
                                      .far_rtcp = {},
                                      .rtcp_mux = true,
                                      .formats = {{{0}, media::Codec::kPcmu, 8000}},
                                      .dtls = LegDtls{DtlsRole::kServer, phones->fingerprint()}}));
    phone.client = std::make_unique<DtlsSession>(*phones, DtlsRole::kClient, plane->fingerprint());
    phone.send(phone.client->start(monotonic_now()));
    return true;
  };

  const Flood flood;
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
      for (Packet got = each->socket.receive(); !got.empty(); got = each->socket.receive())
        each->send(each->client->on_datagram(monotonic_now(), got));
      each->send(each->client->on_time(monotonic_now()));
      if (!each->client->keys()) {
        ++each;
        continue;
      }
      plane->close(each->bridge);
      each = under_way.erase(each);
      ++done;
    }
    plane->drain([](const MediaEvent&) {});
  }
  EXPECT_EQ(done, kSetUps);
  EXPECT_GT(flood.sent(), kFloodPerSecond / 10) << "there was a flood";
}

}  // namespace
}  // namespace vas::bridge
