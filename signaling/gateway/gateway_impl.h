// The gateway behind its interface: gateway.cc runs it, gateway_receive.cc says what of the network's passes.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "base/thread_check.h"
#include "signaling/gateway/gateway.h"
#include "signaling/gateway/net/resolver.h"
#include "signaling/gateway/net/stack_link.h"
#include "signaling/gateway/policy/dialog_gate.h"
#include "signaling/gateway/policy/hop_check.h"
#include "signaling/gateway/policy/load_shedder.h"
#include "signaling/gateway/policy/node_relay.h"
#include "signaling/gateway/policy/recent_set.h"
#include "signaling/gateway/policy/server_transactions.h"
#include "signaling/gateway/policy/source_judge.h"
#include "signaling/gateway/policy/stateless_response.h"
#include "signaling/gateway/sender.h"
#include "signaling/gateway/trace/trace_tap.h"
#include "signaling/sip/sip_message.h"
#include "signaling/sip/via_editor.h"

namespace vas::signaling {

// Keeps what is the gateway's thread's own: the sockets, the way to the stacks, and what is known of sources,
// dialogs and transactions. It decides for each message whether it passes: is it well-formed (guard), may its
// source say it now (SourceJudge), is it of a dialog here (DialogGate), may it become a call (admits), is it
// another node's (passes_by). What passes is edited (ViaEditor) and goes to its stack; what the stacks send
// goes out by Sender. It need not know what a call is, nor what a description or a body says.
//
// Threads: public functions as Gateway says; the private ones on the gateway's thread.
class GatewayImpl final : public Gateway, private TransportsReceiver {
 public:
  explicit GatewayImpl(const GatewayConfig& config)
      : config_(config),
        link_(context_),
        transports_(context_, config.transports, *this),
        relay_(signer_, config.cluster_secret),
        resolver_(Resolver::make(context_, config.dns_server)),
        figures_timer_(context_) {}
  ~GatewayImpl() override { stop(); }

  Result<bool> bind();
  const Endpoint& loopback() const override { return link_.local(); }
  void start(const std::vector<Endpoint>& stacks) override;
  void stop() override;
  Endpoint contact_endpoint(const Flow& flow) const override { return listeners().of(flow).advertised; }
  const ListenerTable& listeners() const override { return transports_.listeners(); }
  std::string flow_route(const Flow& flow, bool may_leave) const override {
    return ViaEditor(signer_, link_.local()).flow_route(flow, may_leave);
  }
  std::string own_route() const override { return ViaEditor(signer_, link_.local()).own_route(); }
  std::string private_route() const override { return ViaEditor(signer_, link_.local()).private_route(); }
  bool may_send_to(const Flow& hop, AddressPolicy::PrivateRanges ranges) const override {
    // By what stands before a stack's thread does, as the sender does not.
    return judge_.is_node(hop) || !fault_of_hop(config_.peers.get(), listeners(), hop, ranges);
  }
  std::optional<Flow> verify_flow(std::string_view token) const override { return signer_.verify(token); }
  const GatewayCounters& counters() const override { return counters_; }
  LiveDialogs& dialogs() override { return dialogs_; }
  void confirm_probe(std::uint64_t number) override { link_.confirm_probe(number); }
  void ask(Time now) override {
    pulse_.ask(now);
    boost::asio::post(context_, [this] { pulse_.confirm(); });
  }
  const Pulse& pulse() const override { return pulse_; }
  void list_bans(std::function<void(const std::vector<Ban>&, Time)> done) override;
  void lift_ban(const IpAddress& source, std::function<void(bool)> done) override;
  void trace(const std::string& token, std::function<void(const std::vector<TracedMessage>&)> done) override;

 private:
  static constexpr std::size_t kLookUpsEach = 100;  // from one set_figures() to the next

  // From the network. True: it deserved more than a refusal, which proves a connection's peer.
  bool on_message(std::string_view text, const Flow& source) override;
  // Whether a new connection is a stranger's, of one who has proved itself, or unwelcome.
  Welcome welcome(const IpAddress& peer) override;
  void on_unsent(std::string_view text, const Flow& flow) override { sender_->on_unsent(text, flow); }
  void on_undelivered(std::string_view text) override { sender_->on_undelivered(text); }
  // Responds to a STUN request at a SIP port, where the source may have a response. (RFC 5626 §4.4.2)
  bool respond_to_keep_alive(std::string_view text, const Flow& source);
  // Whatever passes all checks goes to its stack, or to its node. False: it was dropped, or refused.
  bool receive_request(const SipMessage& request, std::string_view text, const Flow& source);
  // To the stack, or on to the node, that its branch names; it proves its source. One that nobody waits for
  // is dropped.
  bool receive_response(const SipMessage& response, std::string_view text, const Flow& source);
  // Whether a request with a To tag goes on to its dialog;
  // what does not gets its response here, or is dropped.
  bool may_be_in_dialog(const SipMessage& request, std::string_view text, const Flow& source);
  // Whether a request without a To tag goes on to a stack; what does not gets its response here, or is
  // dropped.
  bool may_be_outside(const SipMessage& request, const std::string& branch, std::string_view text,
                      const Flow& source);
  // Asks a UDP source a question whose response shows that it receives there, where it may be sent one.
  void ask_for_proof(const Flow& source, std::size_t request_bytes);
  // Whether an INVITE may become a call: by its token or its trunk, and by load. What may not gets its
  // response here, goes to its node, or is held while the store is asked.
  bool admits(const SipMessage& request, const std::string& branch, std::string_view text,
              const Flow& source);
  // True: the INVITE is held until the store has said whether another node knows its token.
  bool look_up(std::string_view token, std::string_view text, const Flow& source);
  // True: the request is of a call at another node, and was sent on to it or from it.
  bool passes_by(const SipMessage& request, const Flow& source);
  // To another node, or for another node to its peer; without state but for CANCEL and ACK.
  void forward(const SipMessage& request, const Flow& source, const Flow& next, NodeRelay::Way way);
  // Responds without state, where the source may have one more response and it is not too large for who is
  // not proved.
  void refuse(const SipMessage& request, const Flow& source, const StatelessResponse& response,
              std::size_t request_bytes);
  // Counts it; where that brings a ban, closes what the ban closes.
  void offend(const Flow& source, Offence offence);

  // Both ways.
  // Which stack has the call: by its Call-ID.
  std::size_t stack_of(const SipMessage& message) const;
  Duration queue_age(std::size_t stack, Time now) const;
  // Twice a second: gauges for metrics, and what is forgotten by time.
  void set_figures();

  const GatewayConfig config_;
  FlowSigner signer_;
  Pulse pulse_;
  GatewayCounters counters_;
  boost::asio::io_context context_{1};
  StackLink link_;
  Transports transports_;
  const NodeRelay relay_;
  std::unique_ptr<Resolver> resolver_;
  std::optional<ViaEditor> editor_;
  LoadShedder shedder_;
  LiveDialogs dialogs_;
  SourceJudge judge_{config_, transports_.listeners(), dialogs_};
  DialogGate gate_{dialogs_, judge_.proved()};
  ServerTransactions transactions_;
  TraceTap tap_{context_, config_, transports_.listeners()};
  std::optional<Sender> sender_;                                // from start() on
  RecentSet asked_;                                             // tokens that the store was asked for
  std::map<std::string, std::pair<Endpoint, Time>> forwarded_;  // branches of INVITEs that went to a node
  std::set<std::string> looking_up_;                            // tokens
  std::size_t look_ups_left_ = kLookUpsEach;
  boost::asio::steady_timer figures_timer_;
  ThreadCheck thread_check_{"Gateway"};
  std::thread thread_;
};

}  // namespace vas::signaling
