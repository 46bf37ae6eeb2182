// Who has a token is reached over the way that it opened: what its Contact names later brings nothing to
// anybody. (docs/decisions/011-who-is-in-a-dialog.md)
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/sip_lab.h"

namespace vas::signaling {
namespace {

constexpr std::string_view kSdp =
    "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

// A TCP socket that blocks for kPatience at most.
class TcpSocket {
 public:
  explicit TcpSocket(const char* local) : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage address{};
    const socklen_t length = Endpoint::parse(local)->to_sockaddr(address);
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<sockaddr*>(&address), length), 0);
    const timeval patience{kPatience.count(), 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~TcpSocket() { shut(); }
  TcpSocket(const TcpSocket&) = delete;
  TcpSocket& operator=(const TcpSocket&) = delete;

  void shut() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }
  void dial(const std::string& to) const {
    sockaddr_storage address{};
    const socklen_t length = Endpoint::parse(to)->to_sockaddr(address);
    EXPECT_EQ(connect(descriptor_, reinterpret_cast<sockaddr*>(&address), length), 0);
  }
  void attend() const { EXPECT_EQ(listen(descriptor_, 4), 0); }
  // Whether somebody comes within a while.
  bool is_called() const {
    pollfd waiting{descriptor_, POLLIN, 0};
    return poll(&waiting, 1, 1200) > 0;
  }
  std::string local() const {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &length);
    return to_string(*Endpoint::from_sockaddr(address));
  }
  void say(const std::string& text) const {
    EXPECT_EQ(::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  // The next message that begins so; what comes before is passed over.
  SipText hear(const std::string& start) {
    for (;;) {
      const auto end = read_.find("\r\n\r\n");
      if (end == std::string::npos) {
        char more[4096];
        const ssize_t got = recv(descriptor_, more, sizeof more, 0);
        if (got <= 0) {
          ADD_FAILURE() << "nothing begins with " << start;
          return {"? ? ?\r\n\r\n"};
        }
        read_.append(more, static_cast<std::size_t>(got));
        continue;
      }
      SipText message{read_.substr(0, end + 4)};
      const std::size_t body = std::stoul("0" + message.header("Content-Length"));
      read_.erase(0, end + 4 + body);
      if (message.text.starts_with(start)) return message;
    }
  }

 private:
  int descriptor_;
  std::string read_;
};

class DialogTargetTest : public testing::Test {
 protected:
  // A request of the caller's, whose Contact is `contact`.
  std::string request(const std::string& method, int sequence, const std::string& via,
                      const std::string& contact) const {
    const std::string body = method == "ACK" ? "" : std::string(kSdp);
    return method + " sip:999@" + lab_.gateway() + " SIP/2.0\r\nVia: SIP/2.0/" + via +
           ";rport;branch=z9hG4bK" + method + std::to_string(sequence) +
           "\r\nMax-Forwards: 70\r\nFrom: <sip:caller@example.com>;tag=caller\r\nTo: <sip:999@example.com>" +
           (our_tag_.empty() ? "" : ";tag=" + our_tag_) +
           "\r\nCall-ID: held\r\nCSeq: " + std::to_string(sequence) + " " + method + "\r\nContact: <" +
           contact + ">\r\nX-Cloudonix-Session: token\r\n" +
           (body.empty() ? "" : "Content-Type: application/sdp\r\n") +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  DialogId answer_call() {
    const DialogId dialog = lab_.next<InviteReceived>().dialog;
    lab_.send(RespondToInvite{dialog, 200, std::string(kSdp), {}});
    return dialog;
  }
  void learn_tag(const SipText& response) { our_tag_ = parameter_of(response.header("To"), "tag"); }

  SipLab lab_;
  std::string our_tag_;
};

TEST_F(DialogTargetTest, TheContactOfItsAnswerToUsMovesNothingOverUdp) {
  const UdpSocket victim("127.0.0.2:0");
  const std::string own = "sip:caller@" + lab_.server();
  lab_.transmit(request("INVITE", 1, "UDP " + lab_.server(), own));
  EXPECT_TRUE(lab_.receive().text.starts_with("SIP/2.0 100"));
  const DialogId dialog = answer_call();
  learn_tag(lab_.receive());
  lab_.transmit(request("ACK", 1, "UDP " + lab_.server(), own));
  lab_.next<AckReceived>();

  lab_.send(SendOffer{dialog, std::string(kSdp)});
  lab_.answer(lab_.receive("INVITE"), "200 OK", {}, std::string(kSdp), "far", to_string(victim.local()));
  EXPECT_EQ(lab_.next<OfferAnswered>().status, 200);
  EXPECT_EQ(lab_.receive("ACK").request_uri(), "sip:far@" + to_string(victim.local()));
  lab_.send(SendBye{dialog, ""});
  lab_.answer(lab_.receive("BYE"), "200 OK");
  EXPECT_TRUE(victim.receive().empty());
}

TEST_F(DialogTargetTest, AContactThatItNamesLaterIsNotDialledWhenItsConnectionIsGone) {
  TcpSocket victim("127.0.0.2:0");
  victim.attend();
  TcpSocket caller("127.0.0.1:0");
  caller.dial(lab_.gateway());
  const std::string via = "TCP " + caller.local();
  caller.say(request("INVITE", 1, via, "sip:caller@" + caller.local() + ";transport=tcp"));
  const DialogId dialog = answer_call();
  learn_tag(caller.hear("SIP/2.0 200"));
  caller.say(request("ACK", 1, via, "sip:caller@" + caller.local() + ";transport=tcp"));
  lab_.next<AckReceived>();

  const std::string other = "sip:caller@" + victim.local() + ";transport=tcp";
  caller.say(request("INVITE", 2, via, other));
  caller.hear("SIP/2.0 200");
  lab_.next<SessionRefreshed>();
  caller.say(request("ACK", 2, via, other));
  lab_.send(SendInfo{dialog, RequestId{5}, "text/plain", {}, "x"});
  EXPECT_EQ(caller.hear("INFO").request_uri(), other);
  caller.shut();
  lab_.send(SendBye{dialog, ""});
  EXPECT_FALSE(victim.is_called());
}

}  // namespace
}  // namespace vas::signaling
