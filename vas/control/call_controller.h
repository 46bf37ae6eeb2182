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
  // An INVITE outside of a dialog: to whoever brings a token, or to the trunk that it comes from; else 403.
  void admit(const signaling::InviteReceived& invite);
  // A token that may be presented: it dials out, picks up who waits under it, or is a trunk's call to its
  // session.
  void admit_token(const signaling::InviteReceived& invite);
  // A subscriber dials: over routes, or to another subscriber, whose backend is asked as for a call from
  // outside.
  void admit_outgoing(const signaling::InviteReceived& invite, const sessions::Session& session);
  // A call from outside, to a subscriber of the trunk's domain. `named`: the session of its token, if it has
  // one.
  void admit_trunk(const signaling::InviteReceived& invite, const directory::Trunk& trunk,
                   sessions::Session* named);
  // The INVITE becomes leg B of the call that waits under the token; 403 where it waits no longer.
  void pick_up(const signaling::InviteReceived& invite, const std::string& token);
  // Responds to an INVITE that becomes no call: it leaves no record.
  void reject(const signaling::InviteReceived& invite, int status,
              std::vector<signaling::Header> headers = {});
  // Enters the call, commits its sessions and then the journal; it starts when all have it.
  void begin(Entry entry, sessions::TokenState state, std::optional<Refusal> refusal);
  // One of those commits is done: after the last the call starts.
  void on_stored(std::uint64_t call);
  // The longest that the store is waited for, once the journal has the call.
  void wait_for_store(Entry& entry);
  // The call begins, or ends by the refusal that it was entered with.
  void start(Entry& entry);
  // The shares that a call takes of; with the trunk that brought it.
  std::vector<calls::CallQuota::Holder> shares_of(const directory::Domain& domain,
                                                  const directory::Trunk* trunk) const;
  // Takes them; says why not.
  std::optional<Refusal> claim_shares(const std::vector<calls::CallQuota::Holder>& shares);
  // Takes a call of the trunk that the next INVITE leaves by, and gives the one before back. False: it has
  // all it may.
  bool claim_trunk(Entry& entry);
  // Remembers what the call came for, after what the call did that it is the return of.
  void remember_number(const signaling::InviteReceived& invite, const directory::Domain& domain,
                       Entry& entry) const;
  // Whether a call that it is the return of has come for its number before, or it came round too often.
  static bool goes_round(const Entry& entry);
  // All that the call took, the trunk that it went out by included.
  void give_back_shares(Entry& entry);
  // The trunk whose sources hold the INVITE's; of several domains' the one that has the number, then the one
  // that is named.
  const directory::Trunk* trunk_of(const signaling::InviteReceived& invite) const;
  // The same of one domain alone.
  const directory::Trunk* trunk_of(const signaling::InviteReceived& invite, std::int64_t domain_id) const;
  // The record's beginning: who, to whom, when, of which domain.
  records::CallRecord draft(const signaling::InviteReceived& invite, const directory::Domain& domain,
                            const std::string& direction) const;
  // What is the same for every call of a domain.
  calls::CallSetup draft_setup(const signaling::InviteReceived& invite, const directory::Domain& domain,
                               const std::string& direction);
  // The session whose token may be presented now, and here; nothing otherwise.
  const sessions::Session* valid_session(const signaling::InviteReceived& invite) const;

  // Events and actions.
  // Tells the call, and carries out what it then wants done. Nothing where the call is gone.
  void deliver(std::uint64_t call, const calls::CallEvent& event);
  // The same for the call that has the bridge.
  void deliver_to(bridge::BridgeId bridge, const calls::CallEvent& event);
  // Full ICE has its candidates: the leg is open, or could not be had.
  void on_gathered(const bridge::LegGathered& event);
  // The bridge's last figures: the call's record is complete with them, and written.
  void on_closed(const bridge::BridgeClosed& event);
  // Carries out in order, with what is asked for meanwhile behind; then the call's next deadline is noted.
  void run(Entry& entry, calls::CallActions actions);
  // One action. What it makes the call ask for is appended to `more`.
  void carry_out(Entry& entry, const calls::CallAction& action, calls::CallActions& more);
  // The trunk has all it may: to the call it is a route that failed.
  void skip_trunk(Entry& entry, signaling::DialogId dialog, calls::CallActions& more);
  // Events of the dialog are the call's from now on.
  void add_dialog(Entry& entry, signaling::DialogId dialog);
  // Opens the bridge with its first leg. LegOpened follows at once, or when full ICE has gathered.
  void open_leg(Entry& entry, const calls::OpenLeg& action, calls::CallActions& more);
  // The call hears MediaRefused where the plane will not send there.
  void configure_media(Entry& entry, const calls::ConfigureLegMedia& action, calls::CallActions& more);
  // Sends for the call; an INVITE takes of its trunk before.
  void send_for(Entry& entry, const signaling::SipCommand& command, calls::CallActions& more);
  // To the stack's inbox. A command that finds it full is lost, and logged.
  void send(signaling::SipCommand command);
  // Ends what comes for a call that has its record already: BYE to a late 2xx, 481 to requests.
  void end_orphan(const signaling::SipEvent& event);
  // Tells the call's sessions, and the journal what its record is by now.
  void set_status(const Entry& entry, sessions::Status status);
  // The call has ended: so do its sessions; its bridge is closed, and the record waits for the bridge's
  // figures.
  void finish(Entry& entry);
  // The record goes to the journal, the shares go back, and the call is forgotten.
  void write_record(std::uint64_t call);

  // The control endpoint.
  // One try to tell the control endpoint, or to ask the application.
  void notify_backend(Entry& entry);
  // A final reply goes to the call; after any other it is tried again, later each time.
  void on_backend_replied(std::uint64_t call, const webhooks::Reply& reply);
  // What the reply means to the call: an application's instructions, or a control endpoint's status alone.
  calls::BackendReplied instructions_of(Entry& entry, const webhooks::Reply& reply);
  // The call waits under the application's own session from now on. False: that token cannot be it.
  bool park_under(Entry& entry, const std::string& token);

  // Time.
  // Notes when the call wants to be woken next.
  void schedule(Entry& entry);
  // One timer for all calls: set to the earliest of their deadlines.
  void arm_timer();
  // Wakes each call that is due.
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
