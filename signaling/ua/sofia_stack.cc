#include <fmt/format.h>
#include <pthread.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_time.h>
#include <sofia-sip/tport_tag.h>

#include <atomic>
#include <future>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/log.h"
#include "base/match.h"
#include "base/random.h"
#include "base/text.h"
#include "base/thread_check.h"
#include "signaling/gateway/net/stack_link.h"
#include "signaling/sip/capabilities.h"
#include "signaling/sip/reason_phrase.h"
#include "signaling/ua/dialog.h"
#include "signaling/ua/sip_stack.h"
#include "signaling/ua/sofia_text.h"

// sofia-sip's hooks for another time source: exported, though its headers do not name them.
extern "C" {
extern void (*_su_time)(su_time_t* time);
extern su_nanotime_t (*_su_nanotime)(su_nanotime_t* time);
}

namespace vas::signaling {
namespace {

// A few commands a call: thousands of calls may change while the stack works at messages.
constexpr std::size_t kInboxCapacity = 65536;
// Then the stack's sockets and timers have their turn.
constexpr std::size_t kCommandsAtOnce = 256;
// Session timers are of minutes; a second is exact enough.
constexpr su_duration_t kTickMs = 1000;
constexpr int kStackReceiveBytes = 4 << 20;  // a burst from the gateway, while another thread has the core
// Ids that stacks draw begin here, beside those that control draws: a multiple of every number of threads.
constexpr std::uint64_t kMultipleOfAll = 720720;  // of 1 to 16
constexpr std::uint64_t kOwnDialogs = (1ULL << 63) / kMultipleOfAll * kMultipleOfAll;

// Wall time as it was at start plus what the monotonic clock says since: a step of the system's clock moves
// no timer.
std::uint64_t anchored_nanoseconds() {
  static const std::uint64_t anchor = [] {
    const auto wall = static_cast<std::uint64_t>(wall_now().time_since_epoch().count()) * 1'000'000;
    return wall - static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count()) * 1'000;
  }();
  return anchor + static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count()) * 1'000;
}

// In whole milliseconds: sofia waits so many for its next timer, and of a part of one it makes a busy loop.
void anchored_time(su_time_t* time) {
  const std::uint64_t now_ms = anchored_nanoseconds() / 1'000'000;
  time->tv_sec = static_cast<unsigned long>(now_ms / 1000 + SU_TIME_EPOCH);
  time->tv_usec = static_cast<unsigned long>(now_ms % 1000 * 1000);
}

su_nanotime_t anchored_nanotime(su_nanotime_t* time) {
  const su_nanotime_t now = anchored_nanoseconds() + su_nanotime_t{SU_TIME_EPOCH} * 1'000'000'000;
  if (time != nullptr) *time = now;
  return now;
}

void drop_log(void*, const char*, va_list) {}  // sofia prints messages, tokens and all

// It keeps the dialogs whose Call-IDs are its own, and hands them what comes for them: requests and responses
// from nta, commands from control. It decides only what belongs to no dialog. What goes on within one it need
// not know.
//
// One thread with its sofia root, agent and dialogs.
class SofiaStack {
 public:
  SofiaStack(const SipStackConfig& config, std::size_t number, Gateway& gateway, Inbox<SipEvent>& events)
      : config_(config), number_(number), gateway_(gateway), events_(events) {}
  ~SofiaStack();

  Result<Endpoint> start();
  bool send(SipCommand&& command) { return commands_.push(std::move(command)); }
  void ask(Time now) {
    pulse_.ask(now);
    commands_.push(SipCommand{});
  }
  const Pulse& pulse() const { return pulse_; }

 private:
  static int on_request(nta_leg_magic_t* stack, nta_leg_t*, nta_incoming_t* request, const sip_t* sip);
  static int on_stray_response(nta_outgoing_magic_t* stack, nta_outgoing_t*, const sip_t* sip);
  static int on_commands(su_root_magic_t*, su_wait_t*, su_wakeup_arg_t* stack);
  static void on_tick(su_root_magic_t*, su_timer_t*, su_timer_arg_t* stack);

  void run(std::promise<Result<Endpoint>>& started);
  bool create_agent();
  int receive(nta_incoming_t* request, const sip_t* sip);
  bool comes_from_gateway(nta_incoming_t* request) const;
  bool is_of_a_dialog_here(const sip_t* sip) const;
  void handle(SipCommand&& command);
  Dialog& add_dialog(DialogId id);
  Dialog* find(DialogId id);  // null: it ended while the command was on its way; its event is on its way back
  void publish(SipEvent event);
  void bury();

  // Ids say which stack is meant: their remainder by the number of stacks.
  std::uint64_t draw(std::uint64_t& next) const { return next++ * config_.threads + number_; }

  const SipStackConfig config_;
  const std::size_t number_;
  Gateway& gateway_;
  Inbox<SipEvent>& events_;
  Inbox<SipCommand> commands_{kInboxCapacity};
  Pulse pulse_;
  std::atomic<bool> is_stopping_{false};

  // The stack's thread only.
  RootHandle root_;
  AgentHandle agent_;
  LegHandle default_leg_;
  OutgoingHandle stray_responses_;
  TimerHandle timer_;
  StackContext context_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Dialog>> dialogs_;
  std::vector<DialogId> finished_;
  std::uint64_t next_dialog_ = 1;
  std::uint64_t next_request_ = 1;
  ThreadCheck thread_check_{"SofiaStack"};

  std::thread thread_;
};

SofiaStack::~SofiaStack() {
  is_stopping_ = true;
  commands_.push(SipCommand{});
  if (thread_.joinable()) thread_.join();
}

Result<Endpoint> SofiaStack::start() {
  std::promise<Result<Endpoint>> started;
  auto endpoint = started.get_future();
  thread_ = std::thread([this, &started] { run(started); });
  pthread_setname_np(thread_.native_handle(), "vas-sip");
  return endpoint.get();
}

void SofiaStack::run(std::promise<Result<Endpoint>>& started) {
  root_.reset(su_root_create(nullptr));
  if (!root_ || !create_agent()) {
    started.set_value(Error{"the SIP stack found no free loopback port"});
    return;
  }
  const char* port = nta_agent_contact(agent_.get())->m_url->url_port;
  const auto local = Endpoint::parse(std::string("127.0.0.1:") + (port != nullptr ? port : "5060"));

  su_wait_t wait = SU_WAIT_INIT;
  su_wait_create(&wait, commands_.descriptor(), SU_WAIT_IN);
  su_root_register(root_.get(), &wait, on_commands, reinterpret_cast<su_wakeup_arg_t*>(this), 0);
  timer_.reset(su_timer_create(su_root_task(root_.get()), kTickMs));
  su_timer_set_for_ever(timer_.get(), on_tick, reinterpret_cast<su_timer_arg_t*>(this));
  started.set_value(*local);

  while (!is_stopping_) {
    su_root_step(root_.get(), 1000);
    bury();
  }
  dialogs_.clear();
  timer_.reset();
  stray_responses_.reset();
  default_leg_.reset();
  agent_.reset();
  root_.reset();
}

bool SofiaStack::create_agent() {
  const std::string gateway_url = "sip:" + to_string(gateway_.loopback()) + ";transport=udp;lr";
  agent_.reset(nta_agent_create(
      root_.get(), URL_STRING_MAKE("sip:127.0.0.1:*;transport=udp"), nullptr, nullptr, NTATAG_UA(1),
      NTATAG_UDP_MTU(65535), NTATAG_MAXSIZE(65536), NTATAG_RPORT(0), NTATAG_SERVER_RPORT(0),
      NTATAG_USE_NAPTR(0), NTATAG_USE_SRV(0), NTATAG_PASS_100(1), NTATAG_DEFAULT_PROXY(gateway_url.c_str()),
      TPTAG_UDP_RMEM(kStackReceiveBytes), TAG_END()));
  if (!agent_) return false;
  default_leg_.reset(nta_leg_tcreate(agent_.get(), on_request, reinterpret_cast<nta_leg_magic_t*>(this),
                                     NTATAG_NO_DIALOG(1), TAG_END()));
  stray_responses_.reset(
      nta_outgoing_default(agent_.get(), on_stray_response, reinterpret_cast<nta_outgoing_magic_t*>(this)));
  context_ = {.agent = agent_.get(),
              .gateway = &gateway_,
              .config = &config_,
              .gateway_url = gateway_url,
              .publish = [this](SipEvent event) { publish(std::move(event)); },
              .finished = [this](DialogId id) { finished_.push_back(id); },
              .next_request = [this] { return RequestId{draw(next_request_)}; },
              .number = number_,
              .stacks = config_.threads};
  return default_leg_ != nullptr;
}

int SofiaStack::on_stray_response(nta_outgoing_magic_t* stack, nta_outgoing_t*, const sip_t* sip) {
  if (sip != nullptr && sip->sip_call_id != nullptr && sip->sip_call_id->i_id == kProbeCallId) {
    reinterpret_cast<SofiaStack*>(stack)->publish(ProbeReceived{sip->sip_cseq->cs_seq});
    return 0;
  }
  const bool is_invite_success =
      sip != nullptr && sip->sip_status != nullptr && sip->sip_status->st_status / 100 == 2 &&
      sip->sip_cseq->cs_method == sip_method_invite && sip->sip_to->a_tag != nullptr;
  if (!is_invite_success) return 0;
  const auto& callers = reinterpret_cast<SofiaStack*>(stack)->context_.callers;
  const auto caller = callers.find(sip->sip_call_id->i_id);
  if (caller != callers.end()) caller->second->receive_stray_success(sip);
  return 0;
}

// Control drains its inbox without ever waiting for us, so waiting here ends.
void SofiaStack::publish(SipEvent event) {
  while (!events_.push(std::move(event)) && !is_stopping_) std::this_thread::yield();
}

// Finished dialogs go between turns: nta may still be inside one of their callbacks before that.
void SofiaStack::bury() {
  for (const DialogId id : finished_) dialogs_.erase(id.value);
  finished_.clear();
}

bool SofiaStack::comes_from_gateway(nta_incoming_t* request) const {
  msg_t* message = nta_incoming_getrequest(request);
  const su_sockaddr_t* address = message != nullptr ? msg_addr(message) : nullptr;
  const bool is_gateway = address != nullptr && address->su_family == AF_INET &&
                          ntohs(address->su_port) == gateway_.loopback().port &&
                          ntohl(address->su_sin.sin_addr.s_addr) == INADDR_LOOPBACK;
  if (message != nullptr) msg_destroy(message);
  return is_gateway;
}

// By Call-ID and From tag: something from inside a dialog that has lost its To tag is no new call. Who has a
// token of his own makes one, whatever he calls it.
bool SofiaStack::is_of_a_dialog_here(const sip_t* sip) const {
  if (!unknown_header(sip, "X-Cloudonix-Session").empty()) return false;
  const nta_leg_t* leg = nta_leg_by_call_id(agent_.get(), sip->sip_call_id->i_id);
  const char* far = leg != nullptr ? nta_leg_get_rtag(leg) : nullptr;
  return far != nullptr && equals_ignoring_case(text(sip->sip_from->a_tag), far);
}

int SofiaStack::on_request(nta_leg_magic_t* stack, nta_leg_t*, nta_incoming_t* request, const sip_t* sip) {
  return reinterpret_cast<SofiaStack*>(stack)->receive(request, sip);
}

// Requests outside any dialog. Returns the status that nta is to respond with,
// 0 when that is done or to come.
int SofiaStack::receive(nta_incoming_t* request, const sip_t* sip) {
  thread_check_.check();
  const auto source = source_of(gateway_, sip);
  const sip_method_t method = sip->sip_request->rq_method;
  if (method == sip_method_ack || !source || !comes_from_gateway(request)) {
    nta_incoming_destroy(request);
    return 0;
  }
  if (sip->sip_to->a_tag != nullptr) return 481;
  if (const std::string unknown = unsupported_of(sip->sip_require);
      !unknown.empty() && method == sip_method_options) {
    nta_incoming_treply(request, 420, reason_phrase(420), SIPTAG_UNSUPPORTED_STR(unknown.c_str()), TAG_END());
    nta_incoming_destroy(request);
    return 0;
  }
  if (method == sip_method_options) {
    nta_incoming_treply(request, 200, reason_phrase(200), SIPTAG_ALLOW_STR(kAllow),
                        SIPTAG_SUPPORTED_STR(kSupported), SIPTAG_ACCEPT_STR("application/sdp"), TAG_END());
    nta_incoming_destroy(request);
    return 0;
  }
  if (method != sip_method_invite) return 481;  // BYE, INFO and the like have a place in dialogs only
  if (is_of_a_dialog_here(sip)) return 481;
  const DialogId id{kOwnDialogs + draw(next_dialog_)};
  if (!add_dialog(id).receive_invite(request, sip, *source)) finished_.push_back(id);
  return 0;
}

Dialog& SofiaStack::add_dialog(DialogId id) {
  return *dialogs_.insert_or_assign(id.value, std::make_unique<Dialog>(context_, id)).first->second;
}

Dialog* SofiaStack::find(DialogId id) {
  const auto found = dialogs_.find(id.value);
  return found == dialogs_.end() || found->second->is_finished() ? nullptr : found->second.get();
}

int SofiaStack::on_commands(su_root_magic_t*, su_wait_t*, su_wakeup_arg_t* stack) {
  auto& self = *reinterpret_cast<SofiaStack*>(stack);
  self.commands_.drain([&](SipCommand&& command) { self.handle(std::move(command)); }, kCommandsAtOnce);
  self.pulse_.confirm();
  return 0;
}

void SofiaStack::on_tick(su_root_magic_t*, su_timer_t*, su_timer_arg_t* stack) {
  auto& self = *reinterpret_cast<SofiaStack*>(stack);
  const Time now = monotonic_now();
  for (const auto& [id, dialog] : self.dialogs_) dialog->tick(now);
}

void SofiaStack::handle(SipCommand&& command) {
  thread_check_.check();
  match(
      command, ignoring<std::monostate>,  // it woke the loop
      [&](const SendInvite& each) { add_dialog(each.dialog).send_invite(each); },
      [&](const RestoreDialog& each) { add_dialog(each.dialog).restore(each.state); },
      [&](const RespondToInvite& each) {
        if (Dialog* const dialog = find(each.dialog)) dialog->respond_to_invite(each);
      },
      [&](const CancelInvite& each) {
        if (Dialog* const dialog = find(each.dialog)) dialog->cancel(each.reason);
      },
      [&](const SendBye& each) {
        if (Dialog* const dialog = find(each.dialog)) dialog->send_bye(each.reason);
      },
      [&](const SendOffer& each) {
        if (Dialog* const dialog = find(each.dialog)) dialog->send_offer(each.sdp);
      },
      [&](const SendInfo& each) {
        if (Dialog* const dialog = find(each.dialog)) dialog->send_info(each);
      },
      [&](const RespondToRequest& each) {
        if (Dialog* const dialog = find(each.dialog)) dialog->respond_to_request(each);
      },
      [&](const SaveDialog& each) {
        if (Dialog* const dialog = find(each.dialog)) publish(DialogSaved{each.dialog, dialog->state()});
      });
}

class SofiaStacks final : public SipStack {
 public:
  Result<bool> open(const SipStackConfig& config, Gateway& gateway, Inbox<SipEvent>& events) {
    // sofia-sip's globals are not guarded: set before any stack, and stacks start one after the other.
    su_init();
    _su_time = anchored_time;
    _su_nanotime = anchored_nanotime;
    su_log_redirect(nullptr, drop_log, nullptr);
    for (std::size_t i = 0; i < config.threads; ++i) {
      stacks_.push_back(std::make_unique<SofiaStack>(config, i, gateway, events));
      const auto loopback = stacks_.back()->start();
      if (!loopback) return Error{loopback.error()};
      loopbacks_.push_back(*loopback);
    }
    return true;
  }
  const std::vector<Endpoint>& loopbacks() const override { return loopbacks_; }
  bool send(SipCommand&& command) override {
    return stacks_[dialog_of(command).value % stacks_.size()]->send(std::move(command));
  }
  void ask(Time now) override {
    for (const auto& stack : stacks_) stack->ask(now);
  }
  std::vector<const Pulse*> pulses() const override {
    std::vector<const Pulse*> all;
    for (const auto& stack : stacks_) all.push_back(&stack->pulse());
    return all;
  }

 private:
  std::vector<std::unique_ptr<SofiaStack>> stacks_;
  std::vector<Endpoint> loopbacks_;
};

}  // namespace

Result<std::unique_ptr<SipStack>> SipStack::open(const SipStackConfig& config, Gateway& gateway,
                                                 Inbox<SipEvent>& events) {
  auto stacks = std::make_unique<SofiaStacks>();
  if (const auto opened = stacks->open(config, gateway, events); !opened) return Error{opened.error()};
  return std::unique_ptr<SipStack>(std::move(stacks));
}

}  // namespace vas::signaling
