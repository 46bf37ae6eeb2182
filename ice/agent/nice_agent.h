// An agent of libnice's, for one leg. (RFC 8445, RFC 8656)
#pragma once

#include <nice/agent.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "base/thread_check.h"
#include "ice/agent/candidate.h"
#include "ice/agent/glib_source.h"
#include "ice/agent/nice_agents.h"

namespace vas::ice {

// From gathering until its pair is handed over or it is closed.
//
// Threads: the agents'.
class Agent {
 public:
  Agent(AgentId id, const AgentsConfig& config, const std::function<void(AgentEvent&&)>& publish,
        GMainContext* context, const IceCredentials& local, IceRole role);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  void gather();
  void check(const IceCredentials& remote, const std::vector<Candidate>& peers);
  void adopt_plain(AddressFamily family);
  // Hands the agent's end to the caller: it is to be closed and then unreferenced.
  NiceAgent* release();

 private:
  // libnice's callbacks; the last argument is the agent of ours.
  static void on_gathered(NiceAgent*, guint, gpointer self);
  static void on_state(NiceAgent*, guint, guint, guint state, gpointer self);
  static void on_pair(NiceAgent*, guint, guint, NiceCandidate* local, NiceCandidate* remote, gpointer self);
  static void on_received(NiceAgent*, guint, guint, guint length, gchar* bytes, gpointer self);
  static gboolean on_gathering_deadline(gpointer self);
  static gboolean on_ready(gpointer self);
  static gboolean on_pipe(gint descriptor, GIOCondition, gpointer self);

  void tell_candidates();
  void hand_over();
  void hand_over_pipe();
  void send_from_pipe();
  void leave_socket();

  const AgentId id_;
  const AgentsConfig& config_;
  const std::function<void(AgentEvent&&)>& publish_;
  GMainContext* const context_;
  NiceAgent* agent_;
  guint stream_ = 0;
  IceCredentials local_;
  IceCredentials remote_;
  bool has_told_candidates_ = false;
  bool is_handed_over_ = false;
  GlibSource gathering_deadline_;
  GlibSource ready_;
  GlibSource pipe_source_;
  int pipe_ = -1;
  Endpoint peer_;
  CandidateType local_type_ = CandidateType::kHost;
  std::vector<std::vector<std::uint8_t>> early_;
  ThreadCheck thread_check_{"Agent"};
};

}  // namespace vas::ice
