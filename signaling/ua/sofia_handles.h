// Owners of what sofia-sip hands out: each is given back exactly once.
#pragma once

#include <sofia-sip/nta.h>
#include <sofia-sip/su_alloc.h>
#include <sofia-sip/su_wait.h>

#include <memory>

namespace vas::signaling {

template <auto Destroy>
struct Destroyer {
  template <typename T>
  void operator()(T* handle) const {
    Destroy(handle);
  }
};

using LegHandle = std::unique_ptr<nta_leg_t, Destroyer<nta_leg_destroy>>;
using IncomingHandle = std::unique_ptr<nta_incoming_t, Destroyer<nta_incoming_destroy>>;
using OutgoingHandle = std::unique_ptr<nta_outgoing_t, Destroyer<nta_outgoing_destroy>>;
using AgentHandle = std::unique_ptr<nta_agent_t, Destroyer<nta_agent_destroy>>;
using RootHandle = std::unique_ptr<su_root_t, Destroyer<su_root_destroy>>;
using TimerHandle = std::unique_ptr<su_timer_t, Destroyer<su_timer_destroy>>;

// Memory for one turn: what sofia parses or prints for us while we are in a function.
class Scratch {
 public:
  Scratch() { su_home_init(home_); }
  ~Scratch() { su_home_deinit(home_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  su_home_t* get() { return home_; }

 private:
  su_home_t home_[1] = {SU_HOME_INIT(home_)};
};

}  // namespace vas::signaling
