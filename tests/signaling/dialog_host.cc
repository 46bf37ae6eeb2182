// Holds one dialog so that another process can go on with it: `dialog_host serve PORT FILE` answers an
// INVITE, writes the dialog down and dies; `dialog_host dial PORT FILE URI` makes one instead; `dialog_host
// restore PORT FILE` rebuilds it, answers a re-INVITE, and says BYE. PORT is where SIP listens on 127.0.0.1.
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "base/clock.h"
#include "signaling/gateway/gateway.h"
#include "signaling/ua/sip_stack.h"

namespace {

using namespace vas;
using namespace vas::signaling;

constexpr std::string_view kSdp =
    "v=0\r\no=host 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

class Host {
 public:
  Host(SipStack& stack, std::string file) : stack_(stack), file_(std::move(file)) {}

  void restore() {
    std::ifstream in(file_);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto state = parse_dialog_state(text);
    if (!state) std::_Exit(3);
    dialog_ = {1};
    stack_.send(RestoreDialog{dialog_, *state});
    bye_at_ = monotonic_now() + std::chrono::seconds(5);  // well behind the re-INVITE
  }
  void dial(const std::string& uri) {
    dialog_ = {1};
    stack_.send(SendInvite{dialog_, uri, "<sip:host@127.0.0.1>", "<" + uri + ">", std::string(kSdp), {}});
  }
  void tick() {
    if (bye_at_ != kNever && monotonic_now() >= bye_at_) {
      std::puts("sending BYE");
      stack_.send(SendBye{dialog_, ""});
      bye_at_ = kNever;
      leave_at_ = monotonic_now() + std::chrono::seconds(1);
    }
    if (monotonic_now() >= leave_at_) std::_Exit(0);  // as hard as a crash
  }
  void on(const SipEvent& event) {
    if (const auto* invite = std::get_if<InviteReceived>(&event)) {
      dialog_ = invite->dialog;
      stack_.send(RespondToInvite{dialog_, 200, std::string(kSdp), {}});
    }
    if (std::holds_alternative<AckReceived>(event) && bye_at_ == kNever) stack_.send(SaveDialog{dialog_});
    if (std::holds_alternative<InviteAnswered>(event)) stack_.send(SaveDialog{dialog_});
    if (const auto* saved = std::get_if<DialogSaved>(&event)) {
      std::ofstream(file_) << write(saved->state);
      leave_at_ = monotonic_now() + std::chrono::milliseconds(300);  // what was sent is on its way by then
    }
    if (const auto* offer = std::get_if<OfferReceived>(&event)) {
      std::puts("re-INVITE");
      stack_.send(RespondToRequest{offer->dialog, offer->request, 200, std::string(kSdp)});
    }
    if (std::holds_alternative<ByeReceived>(event)) std::_Exit(4);
    std::fflush(stdout);
  }

 private:
  SipStack& stack_;
  const std::string file_;
  DialogId dialog_;
  Time bye_at_ = kNever;
  Time leave_at_ = kNever;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string mode = argv[1];
  spdlog::set_level(spdlog::level::err);
  Inbox<SipEvent> events(1024);
  auto gateway =
      Gateway::open({.transports = {.sip = {*Endpoint::parse(std::string("127.0.0.1:") + argv[2])}}});
  if (!gateway) return 2;
  auto stack = SipStack::open({}, **gateway, events);
  if (!stack) return 2;
  (*gateway)->start((*stack)->loopbacks());
  Host host(**stack, argv[3]);
  if (mode == "restore") host.restore();
  if (mode == "dial" && argc == 5) host.dial(argv[4]);
  std::puts("ready");
  std::fflush(stdout);
  for (;;) {
    pollfd waiting{events.descriptor(), POLLIN, 0};
    poll(&waiting, 1, 50);
    events.drain([&](SipEvent&& event) { host.on(event); });
    host.tick();
  }
}
