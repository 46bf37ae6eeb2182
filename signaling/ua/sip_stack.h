// The SIP user agent: transactions by sofia-sip's nta, dialogs our own, on a thread of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/inbox.h"
#include "base/pulse.h"
#include "base/result.h"
#include "signaling/gateway/gateway.h"
#include "signaling/sip/sip_event.h"

namespace vas::signaling {

struct SipStackConfig {
  std::string user_agent = "VAS";
  std::uint32_t session_expires_s = 1800;  // RFC 4028 §4.2: what our INVITEs ask for
  std::size_t threads = 1;  // up to 16, each with a stack of its own; a dialog is where its Call-ID says
};

// Each of its stacks listens on loopback UDP alone and hears the gateway alone. Sends everything through the
// gateway, so it never resolves a name. Its timers follow the monotonic clock.
//
// Threads: send() from any; events go into the inbox that was given, which the caller drains.
// Bounds:  both inboxes. A full command inbox refuses; a full event inbox makes the stack wait, and the
//          loopback socket's buffer then sheds load.
class SipStack {
 public:
  // `gateway` and `events` outlive the stack.
  static Result<std::unique_ptr<SipStack>> open(const SipStackConfig& config, Gateway& gateway,
                                                Inbox<SipEvent>& events);
  virtual ~SipStack() = default;

  virtual const std::vector<Endpoint>& loopbacks() const = 0;  // one a thread: what the gateway sends to
  virtual bool send(SipCommand&& command) = 0;

  // Of every thread: see pulse.h. One pulse a thread.
  virtual void ask(Time now) = 0;
  virtual std::vector<const Pulse*> pulses() const = 0;
};

}  // namespace vas::signaling
