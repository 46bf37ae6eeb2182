#include "ice/agent/nice_agent.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "ice/agent/nice_values.h"

namespace vas::ice {
namespace {

// More than PacketIo hands over.
constexpr std::size_t kLargestDatagram = 2048;

Endpoint name_of(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length);
  return Endpoint::from_sockaddr(storage).value_or(Endpoint());
}

void connect_to(int socket, const Endpoint& peer) {
  sockaddr_storage storage{};
  const socklen_t length = peer.to_sockaddr(storage);
  (void)connect(socket, reinterpret_cast<const sockaddr*>(&storage), length);
}

int loopback_socket() {
  const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  sockaddr_storage storage{};
  const socklen_t length = Endpoint{*IpAddress::parse("127.0.0.1"), 0}.to_sockaddr(storage);
  if (bind(descriptor, reinterpret_cast<const sockaddr*>(&storage), length) == 0) return descriptor;
  close(descriptor);
  return -1;
}

// Two ends that hear nobody else. Both -1 when no descriptor is left.
std::array<int, 2> open_pipe() {
  std::array<int, 2> ends{loopback_socket(), loopback_socket()};
  if (ends[0] >= 0 && ends[1] >= 0) {
    connect_to(ends[0], name_of(ends[1]));
    connect_to(ends[1], name_of(ends[0]));
    return ends;
  }
  for (int& each : ends) {
    if (each >= 0) close(std::exchange(each, -1));
  }
  return ends;
}

}  // namespace

Agent::Agent(AgentId id, const AgentsConfig& config, const std::function<void(AgentEvent&&)>& publish,
             GMainContext* context, const IceCredentials& local, IceRole role)
    : id_(id),
      config_(config),
      publish_(publish),
      context_(context),
      agent_(nice_agent_new_full(context, NICE_COMPATIBILITY_RFC5245,
                                 static_cast<NiceAgentOption>(NICE_AGENT_OPTION_REGULAR_NOMINATION |
                                                              NICE_AGENT_OPTION_CONSENT_FRESHNESS))),
      local_(local) {
  g_object_set(agent_, "upnp", FALSE, "ice-tcp", FALSE, "controlling-mode",
               static_cast<gboolean>(role == IceRole::kControlling), "stun-pacing-timer", 5U, "force-relay",
               static_cast<gboolean>(config.relays_only), nullptr);
  // TURN's response tells our public address too, and where both are one server libnice
  // takes STUN's for TURN's.
  if (config.stun && (!config.turn || config.turn->address != *config.stun)) {
    g_object_set(agent_, "stun-server", to_string(config.stun->address).c_str(), "stun-server-port",
                 static_cast<guint>(config.stun->port), nullptr);
  }
  for (const IpAddress& each : config.addresses) {
    NiceAddress address = to_nice(Endpoint{each, 0});
    nice_agent_add_local_address(agent_, &address);
  }
  g_signal_connect(agent_, "candidate-gathering-done", G_CALLBACK(on_gathered), this);
  g_signal_connect(agent_, "component-state-changed", G_CALLBACK(on_state), this);
  g_signal_connect(agent_, "new-selected-pair-full", G_CALLBACK(on_pair), this);
}

Agent::~Agent() {
  VAS_CHECK(agent_ == nullptr, "an agent is released before it ends");
  if (pipe_ >= 0) close(pipe_);
}

NiceAgent* Agent::release() {
  thread_check_.check();
  g_signal_handlers_disconnect_by_data(agent_, this);
  if (stream_ != 0) nice_agent_remove_stream(agent_, stream_);
  return std::exchange(agent_, nullptr);
}

void Agent::gather() {
  thread_check_.check();
  stream_ = nice_agent_add_stream(agent_, 1);
  nice_agent_set_port_range(agent_, stream_, kComponent, config_.first_port, config_.last_port);
  nice_agent_set_local_credentials(agent_, stream_, local_.ufrag.c_str(), local_.password.c_str());
  if (config_.turn) {
    nice_agent_set_relay_info(agent_, stream_, kComponent, to_string(config_.turn->address.address).c_str(),
                              config_.turn->address.port, config_.turn->user.c_str(),
                              config_.turn->password.c_str(), NICE_RELAY_TYPE_TURN_UDP);
  }
  nice_agent_attach_recv(agent_, stream_, kComponent, context_, on_received, this);
  constexpr auto kLongest =
      std::chrono::duration_cast<std::chrono::milliseconds>(NiceAgents::kLongestGathering);
  gathering_deadline_ = GlibSource(g_timeout_source_new(static_cast<guint>(kLongest.count())),
                                   on_gathering_deadline, this, context_);
  if (!nice_agent_gather_candidates(agent_, stream_)) tell_candidates();
}

void Agent::on_gathered(NiceAgent*, guint, gpointer self) { static_cast<Agent*>(self)->tell_candidates(); }

gboolean Agent::on_gathering_deadline(gpointer self) {
  static_cast<Agent*>(self)->tell_candidates();
  return G_SOURCE_REMOVE;
}

void Agent::tell_candidates() {
  if (std::exchange(has_told_candidates_, true)) return;
  Gathered gathered{id_, {}};
  GSList* const all = nice_agent_get_local_candidates(agent_, stream_, kComponent);
  for (const GSList* each = all; each != nullptr; each = each->next) {
    Candidate candidate = from_nice(*static_cast<const NiceCandidate*>(each->data));
    if (config_.relays_only)
      candidate.related = {*IpAddress::parse("0.0.0.0"), 9};  // RFC 8839 §5.1: kept private
    if (!config_.relays_only || candidate.type == CandidateType::kRelayed)
      gathered.candidates.push_back(std::move(candidate));
  }
  g_slist_free_full(all, reinterpret_cast<GDestroyNotify>(nice_candidate_free));
  publish_(std::move(gathered));
}

void Agent::check(const IceCredentials& remote, const std::vector<Candidate>& peers) {
  thread_check_.check();
  if (!remote_.ufrag.empty()) return;
  remote_ = remote;
  nice_agent_set_remote_credentials(agent_, stream_, remote.ufrag.c_str(), remote.password.c_str());
  GSList* all = nullptr;
  for (const Candidate& each : peers) all = g_slist_append(all, to_nice(each, stream_));
  if (all != nullptr) nice_agent_set_remote_candidates(agent_, stream_, kComponent, all);
  g_slist_free_full(all, reinterpret_cast<GDestroyNotify>(nice_candidate_free));
}

void Agent::on_pair(NiceAgent*, guint, guint, NiceCandidate* local, NiceCandidate* remote, gpointer self) {
  auto& agent = *static_cast<Agent*>(self);
  agent.peer_ = from_nice(remote->addr);
  agent.local_type_ = type_of(*local);
}

void Agent::on_state(NiceAgent*, guint, guint, guint state, gpointer self) {
  auto& agent = *static_cast<Agent*>(self);
  if (state == NICE_COMPONENT_STATE_FAILED && !agent.remote_.ufrag.empty())
    agent.publish_(PathLost{agent.id_});
  // Connected: a pair is nominated, others are still being checked. It is taken over from outside of
  // libnice's call.
  const bool has_pair = state == NICE_COMPONENT_STATE_CONNECTED || state == NICE_COMPONENT_STATE_READY;
  if (has_pair && !agent.is_handed_over_)
    agent.ready_ = GlibSource(g_idle_source_new(), on_ready, self, agent.context_);
}

gboolean Agent::on_ready(gpointer self) {
  static_cast<Agent*>(self)->hand_over();
  return G_SOURCE_REMOVE;
}

void Agent::on_received(NiceAgent*, guint, guint, guint length, gchar* bytes, gpointer self) {
  auto& agent = *static_cast<Agent*>(self);
  if (agent.pipe_ >= 0) {
    (void)!send(agent.pipe_, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  } else if (agent.early_.size() < NiceAgents::kMaxEarly && length <= kLargestDatagram) {
    agent.early_.emplace_back(bytes, bytes + length);
  }
}

void Agent::hand_over() {
  if (is_handed_over_) return;
  GSocket* const selected = nice_agent_get_selected_socket(agent_, stream_, kComponent);
  if (selected == nullptr) return pipe_ < 0 ? hand_over_pipe() : void();
  const int socket = fcntl(g_socket_get_fd(selected), F_DUPFD_CLOEXEC, 0);
  if (socket < 0) return publish_(PathLost{id_});
  leave_socket();
  publish_(PathFound{.agent = id_,
                     .socket = socket,
                     .local = name_of(socket),
                     .peer = peer_,
                     .to = peer_,
                     .local_type = local_type_,
                     .early = std::move(early_)});
}

// From here on nobody but the owner of the copied descriptor reads the socket.
void Agent::leave_socket() {
  is_handed_over_ = true;
  pipe_source_ = GlibSource();
  if (pipe_ >= 0) close(std::exchange(pipe_, -1));
  nice_agent_remove_stream(agent_, std::exchange(stream_, 0));
}

void Agent::hand_over_pipe() {
  const auto ends = open_pipe();
  if (ends[0] < 0) return publish_(PathLost{id_});
  pipe_ = ends[0];
  pipe_source_ = GlibSource(g_unix_fd_source_new(pipe_, G_IO_IN), G_SOURCE_FUNC(on_pipe), this, context_);
  publish_(PathFound{.agent = id_,
                     .socket = ends[1],
                     .local = name_of(ends[1]),
                     .peer = peer_,
                     .to = name_of(ends[0]),
                     .is_pipe = true,
                     .local_type = local_type_,
                     .early = std::move(early_)});
}

gboolean Agent::on_pipe(gint, GIOCondition, gpointer self) {
  static_cast<Agent*>(self)->send_from_pipe();
  return G_SOURCE_CONTINUE;
}

// One flood does not starve the other agents: what is left comes with the next turn.
void Agent::send_from_pipe() {
  constexpr int kAtMost = 32;
  std::array<gchar, kLargestDatagram> bytes{};
  for (int i = 0; i < kAtMost; ++i) {
    const ssize_t got = recv(pipe_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0) return;
    if (static_cast<std::size_t>(got) <= bytes.size())
      nice_agent_send(agent_, stream_, kComponent, static_cast<guint>(got), bytes.data());
  }
}

void Agent::adopt_plain(AddressFamily family) {
  thread_check_.check();
  if (is_handed_over_) return;
  GPtrArray* const sockets = nice_agent_get_sockets(agent_, stream_, kComponent);
  int socket = -1;
  for (guint i = 0; sockets != nullptr && i < sockets->len && socket < 0; ++i) {
    const int each = g_socket_get_fd(static_cast<GSocket*>(sockets->pdata[i]));
    if (name_of(each).address.family == family) socket = fcntl(each, F_DUPFD_CLOEXEC, 0);
  }
  if (sockets != nullptr) g_ptr_array_unref(sockets);
  if (socket < 0) return publish_(PathLost{id_});
  leave_socket();
  publish_(PathFound{.agent = id_, .socket = socket, .local = name_of(socket)});
}

}  // namespace vas::ice
