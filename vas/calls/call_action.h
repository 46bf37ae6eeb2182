// What a call is told and what it asks for: plain values in, plain values out.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bridge/leg/leg_config.h"
#include "signaling/sip/sip_event.h"
#include "vas/records/cdr.h"
#include "vas/routing/routing_plan.h"
#include "vas/sessions/session.h"

namespace vas::calls {

using bridge::LegSide;

// ---- events beside SIP's own ----

struct LegOpened {  // what became of OpenLeg
  LegSide side = LegSide::kA;
  std::optional<Endpoint> local;                // absent: no port, or no such family
  media::Ssrc ssrc;                             // of what we send from there
  std::vector<ice::Candidate> candidates = {};  // of full ICE
  bool has_family = true;                       // false: media of this IP version is not configured
};

enum class BackendOutcome { kPark, kNotFound, kForbidden, kUnreachable, kReject, kRoute };
struct BackendReplied {
  BackendOutcome outcome = BackendOutcome::kPark;
  int code = 0;               // kReject: what the caller is told
  routing::RoutingPlan plan;  // kRoute
};

// The subscriber's INVITE that presents the token of this parked call.
struct PickUp {
  signaling::InviteReceived invite;
};

enum class DeleteReason { kNone, kTimeout, kDenied, kBusy, kNoCredit };
struct Deleted {
  DeleteReason reason = DeleteReason::kNone;
};

struct TimeLimitChanged {
  std::optional<std::int64_t> seconds;
};

struct CallTimeoutChanged {  // counts from when the caller began to wait
  Duration timeout{};
};

struct IcePathFound {  // by full ICE
  LegSide side = LegSide::kA;
  ice::CandidateType local_type = ice::CandidateType::kHost;
};
struct MediaWentSilent {};
struct MediaHeard {  // what AskHeard brings
  Time last{};       // when either party sent RTP or RTCP
};
struct MediaRefused {};  // a party named one of our own media ports as its address
struct Shutdown {};

using CallEvent =
    std::variant<signaling::SipEvent, LegOpened, BackendReplied, PickUp, Deleted, TimeLimitChanged,
                 CallTimeoutChanged, IcePathFound, MediaWentSilent, MediaHeard, MediaRefused, Shutdown>;

// ---- actions ----

struct OpenLeg {
  LegSide side = LegSide::kA;
  AddressFamily family = AddressFamily::kIpv4;
  std::optional<bridge::LegIce>
      full_ice;  // whose candidates are to be gathered; its peer's part is not looked at
  bridge::PortUse ports = bridge::PortUse::kOwn;
};
struct ConfigureLegMedia {
  LegSide side = LegSide::kA;
  bridge::LegConfig config;
};
struct AwaitDtls {  // the leg's party has offered it, or is about to be: its hello may come before media is
                    // configured
  LegSide side = LegSide::kA;
};
struct StartMedia {};
struct AskHeard {};  // of a held call: when its parties were heard last
struct NotifyBackend {};
struct SetStatus {
  sessions::Status status = sessions::Status::kNew;
};
struct ReleaseToken {};  // a pick-up failed: the token may be presented again
struct ConsumeToken {};  // both legs are answered
struct Ended {};         // the record is complete but for the media's figures

using CallAction = std::variant<signaling::SipCommand, OpenLeg, ConfigureLegMedia, AwaitDtls, StartMedia,
                                AskHeard, NotifyBackend, SetStatus, ReleaseToken, ConsumeToken, Ended>;
using CallActions = std::vector<CallAction>;

}  // namespace vas::calls
