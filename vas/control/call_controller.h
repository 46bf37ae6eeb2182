// All calls: admits them, delivers their events, carries out their actions, writes their records.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/thread_check.h"
#include "bridge/plane/media_plane.h"
#include "signaling/ua/sip_stack.h"
#include "vas/calls/call.h"
#include "vas/calls/call_quota.h"
#include "vas/control/session_controller.h"
#include "vas/directory/directory.h"
#include "vas/records/cdr_journal.h"
#include "vas/webhooks/webhook_client.h"

namespace vas::control {

struct CallControllerConfig {
  std::string node;
  std::string public_url;
  bool trusts_plain_signaling = false;  // with SRTP's keys
  calls::IceModes ice;
  calls::FarEndRules far_ends;
  Duration hold_timeout = std::chrono::hours(2);  // where the domain has none of its own
  std::int64_t capacity = 0;                      // calls that the media ports carry; 0: unknown
  Duration backend_timeout{};  // of a control endpoint or an application, all tries together
};

// Calls that were turned away for want of a share.
struct QuotaCounters {
  std::uint64_t of_tenants = 0;
  std::uint64_t of_domains = 0;
  std::uint64_t of_trunks = 0;
};

// Keeps each call with what belongs to it outside of the state machine: its session's token, its bridge, its
// dialogs, its shares and timers. It decides which INVITE becomes a call, and when it may begin: once journal
// and store have it. From then on the call decides, and this carries out its actions in order and brings back
// what came of them. How SIP and media work it need not know, nor what the API was asked.
//
// Threads: control only.
class CallController final : public CallControl {
 public:
  struct Parts {  // borrowed; all outlive the controller
    boost::asio::io_context& context;
    const directory::Directory& directory;
    SessionController& sessions;
    signaling::SipStack& sip;
    bridge::MediaPlane& media;
    records::CdrJournal& journal;
    webhooks::WebhookClient& webhooks;
  };
  CallController(const Parts& parts, CallControllerConfig config);

  void on_sip(signaling::SipEvent event);
  void on_media(const bridge::MediaEvent& event);

  bool delete_call(const std::string& token, const std::string& reason) override;
  void change_time_limit(const std::string& token, std::optional<std::int64_t> seconds) override;
  void change_call_timeout(const std::string& token, Duration timeout) override;

  // Refuses new calls, ends those that are up. They are gone when open_calls() is 0.
  void shut_down();
  std::size_t open_calls() const { return entries_.size(); }
  const calls::CallQuota& quota() const { return quota_; }
  const QuotaCounters& refused() const { return refused_; }

 private:
  // Why an INVITE is refused after it was admitted, for its record.
  struct Refusal {
    int status = 0;
    records::LocalCause cause = records::LocalCause::kNone;
    std::string reason;
  };
  struct Entry {
    std::unique_ptr<calls::Call> call;
    std::string token;               // of the session that the call belongs to
    std::string linked_token;        // a subscriber who dialled a subscriber: the dialling one's session
    std::int64_t subscriber_id = 0;  // who is called, of a parked call
    std::string dnid;
    bool asks_application = false;       // the domain has a call routing application
    std::vector<std::uint64_t> dialogs;  // that were ever this call's
    std::vector<std::string> came_for;   // numbers, its own last: of the calls that it is the return of
    std::optional<bridge::BridgeId> bridge;
    std::vector<calls::CallQuota::Holder> shares;    // that the call takes of
    std::optional<calls::CallQuota::Holder> out_by;  // and the trunk that it goes out by now
    Time deadline = kNever;
    int waits_for = 0;  // commits of the store before it may begin, and the journal
    std::optional<bool> is_journaled;
    std::optional<Refusal> refusal;
    std::unique_ptr<boost::asio::steady_timer> admission_timer;  // until it begins
    int backend_tries = 0;
    std::unique_ptr<boost::asio::steady_timer> backend_timer;
  };

  // Admission.
  void admit(const signaling::InviteReceived& invite);
  void admit_token(const signaling::InviteReceived& invite);
  void admit_outgoing(const signaling::InviteReceived& invite, const sessions::Session& session);
  void admit_trunk(const signaling::InviteReceived& invite, const directory::Trunk& trunk,
                   sessions::Session* named);
  void pick_up(const signaling::InviteReceived& invite, const std::string& token);
  void reject(const signaling::InviteReceived& invite, int status,
              std::vector<signaling::Header> headers = {});
  void begin(Entry entry, sessions::TokenState state, std::optional<Refusal> refusal);
  void on_stored(std::uint64_t call);
  void wait_for_store(Entry& entry);
  void start(Entry& entry);
  // The shares that a call takes of; with the trunk that brought it.
  std::vector<calls::CallQuota::Holder> shares_of(const directory::Domain& domain,
                                                  const directory::Trunk* trunk) const;
  // Takes them; says why not.
  std::optional<Refusal> claim_shares(const std::vector<calls::CallQuota::Holder>& shares);
  bool claim_trunk(Entry& entry);
  // Remembers what the call came for, after what the call did that it is the return of.
  void remember_number(const signaling::InviteReceived& invite, const directory::Domain& domain,
                       Entry& entry) const;
  // Whether a call that it is the return of has come for its number before, or it came round too often.
  static bool goes_round(const Entry& entry);
  void give_back_shares(Entry& entry);
  const directory::Trunk* trunk_of(const signaling::InviteReceived& invite) const;
  const directory::Trunk* trunk_of(const signaling::InviteReceived& invite, std::int64_t domain_id) const;
  records::CallRecord draft(const signaling::InviteReceived& invite, const directory::Domain& domain,
                            const std::string& direction) const;
  calls::CallSetup draft_setup(const signaling::InviteReceived& invite, const directory::Domain& domain,
                               const std::string& direction);
  const sessions::Session* valid_session(const signaling::InviteReceived& invite) const;

  // Events and actions.
  void deliver(std::uint64_t call, const calls::CallEvent& event);
  void deliver_to(bridge::BridgeId bridge, const calls::CallEvent& event);
  void on_gathered(const bridge::LegGathered& event);
  void on_closed(const bridge::BridgeClosed& event);
  void run(Entry& entry, calls::CallActions actions);
  void carry_out(Entry& entry, const calls::CallAction& action, calls::CallActions& more);
  void skip_trunk(Entry& entry, signaling::DialogId dialog, calls::CallActions& more);
  void add_dialog(Entry& entry, signaling::DialogId dialog);
  void open_leg(Entry& entry, const calls::OpenLeg& action, calls::CallActions& more);
  void configure_media(Entry& entry, const calls::ConfigureLegMedia& action, calls::CallActions& more);
  void send_for(Entry& entry, const signaling::SipCommand& command, calls::CallActions& more);
  void send(signaling::SipCommand command);
  void end_orphan(const signaling::SipEvent& event);
  void set_status(const Entry& entry, sessions::Status status);
  void finish(Entry& entry);
  void write_record(std::uint64_t call);

  // The control endpoint.
  void notify_backend(Entry& entry);
  void on_backend_replied(std::uint64_t call, const webhooks::Reply& reply);
  calls::BackendReplied instructions_of(Entry& entry, const webhooks::Reply& reply);
  bool park_under(Entry& entry, const std::string& token);

  // Time.
  void schedule(Entry& entry);
  void arm_timer();
  void on_timer();

  const Parts parts_;
  const CallControllerConfig config_;
  std::unordered_map<std::uint64_t, Entry> entries_;
  std::unordered_map<std::uint64_t, std::uint64_t> calls_by_dialog_;
  std::map<std::string, std::uint64_t> calls_by_token_;
  std::map<bridge::BridgeId, std::uint64_t> calls_by_bridge_;
  std::set<std::pair<Time, std::uint64_t>> deadlines_;
  boost::asio::steady_timer timer_;
  calls::CallQuota quota_;
  QuotaCounters refused_;
  std::uint64_t next_call_ = 1;
  bool is_shutting_down_ = false;
  ThreadCheck thread_check_{"CallController"};
};

}  // namespace vas::control
