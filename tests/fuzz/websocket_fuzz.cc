// Bytes of a WebSocket peer, from the upgrade on, through the connection as the gateway runs it.
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdlib>

#include "signaling/gateway/net/connection.h"
#include "signaling/gateway/policy/websocket_door.h"
#include "signaling/sip/sip_message.h"

namespace {

using namespace vas;
using namespace vas::signaling;
namespace asio = boost::asio;

class Owner final : public ConnectionOwner {
 public:
  explicit Owner(asio::io_context& context) : context_(context) {}

  bool has_room(Connection& connection) override { return connection.waiting() < Connection::kMaxWaiting; }
  void on_message(std::string text, Connection& connection) override {
    if (text.size() > SipMessage::kMaxBytes) std::abort();
    const bool is_good = SipMessage::parse(text).has_value();
    asio::post(context_, [kept = connection.shared_from_this(), is_good] { kept->on_handled(is_good); });
  }
  void on_closed(Connection&) override {}

 private:
  asio::io_context& context_;
};

constexpr std::string_view kUpgrade =
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n";

}  // namespace

// The first byte says whether a good upgrade goes before the rest.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0) return 0;
  asio::io_context context;
  Owner owner(context);
  const ListenerTable listeners;
  const WebSocketDoor door(listeners, {.hosts = {"h"}, .origins = {}});
  asio::ip::tcp::socket socket(context);
  socket.assign(asio::ip::tcp::v4(), pair[0]);
  const auto connection =
      make_websocket_connection(owner, std::move(socket), {Transport::kWs, {}, 1}, nullptr, door);
  connection->serve();
  if (data[0] % 2 == 0) (void)!write(pair[1], kUpgrade.data(), kUpgrade.size());
  // A client waits for the answer: what comes with the upgrade is no frame.
  for (int i = 0; i < 1000 && context.poll() != 0; ++i) {
  }
  (void)!write(pair[1], data + 1, size - 1);
  ::shutdown(pair[1], SHUT_WR);
  for (int i = 0; i < 1000 && context.poll() != 0; ++i) {
  }
  connection->close();
  context.poll();
  close(pair[1]);
  return 0;
}
