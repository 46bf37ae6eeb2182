// What a leg costs by ICE while nobody speaks: its memory, and the CPU of the checks that keep its consent,
// one each 5 s. Of this process's own legs in the lite role, or of libnice's agents, half of them the other
// half's peers.
//
//     ice-legs lite|libnice LEGS SECONDS
//
// Prints {"memory": bytes a leg, "cpu": µs a leg and second}.
#include <dirent.h>
#include <fmt/format.h>
#include <malloc.h>
#include <nice/agent.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "bridge/plane/media_plane.h"
#include "tests/support/ice_check.h"
#include "tests/support/udp_socket.h"

namespace vas {
namespace {

using Clock = std::chrono::steady_clock;

std::size_t resident_bytes() {
  malloc_trim(0);
  std::size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// CPU time so far of the threads of that name, in µs.
double cpu_of(const std::string& name) {
  double sum = 0;
  DIR* const tasks = opendir("/proc/self/task");
  while (const dirent* task = readdir(tasks)) {
    const std::string folder = std::string("/proc/self/task/") + task->d_name;
    std::string comm;
    std::getline(std::ifstream(folder + "/comm"), comm);
    double nanoseconds = 0;
    if (comm == name && std::ifstream(folder + "/schedstat") >> nanoseconds) sum += nanoseconds / 1000;
  }
  closedir(tasks);
  return sum;
}

void print(double memory, double cpu) {
  fmt::print("{{\"memory\": {:.0f}, \"cpu\": {:.3f}}}\n", memory, cpu);
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "ice-legs: %s\n", why.c_str());
  std::exit(1);
}

// ---- ours ----

struct Leg {
  Endpoint address;
  bridge::LegIce ice;
};

// Checks each leg once in `interval`, evenly spread. Returns how many were answered.
std::size_t keep_checking(const std::vector<Leg>& legs, const std::deque<UdpSocket>& peers,
                          std::chrono::seconds interval, std::chrono::seconds period) {
  std::vector<std::vector<std::uint8_t>> checks;
  for (const Leg& leg : legs) checks.push_back(ice::build_check(leg.ice.local, leg.ice.remote));
  const auto pause = std::chrono::nanoseconds(interval) / legs.size();
  const auto began = Clock::now();
  std::size_t answered = 0;
  for (std::size_t i = 0; Clock::now() - began < period; ++i) {
    const UdpSocket& peer = peers[i % legs.size()];
    if (!peer.receive().empty()) ++answered;  // of the time before
    peer.send(legs[i % legs.size()].address, checks[i % legs.size()]);
    std::this_thread::sleep_until(began + pause * (i + 1));
  }
  return answered;
}

void measure_lite(std::size_t count, std::chrono::seconds period) {
  auto plane = bridge::MediaPlane::open(
      {.bind_ipv4 = *IpAddress::parse("127.0.0.1"), .first_port = 20000, .last_port = 59999, .workers = 1});
  if (!plane) give_up(plane.error());
  std::deque<UdpSocket> peers;
  while (peers.size() < count) peers.emplace_back("127.0.0.1:0");
  if (!peers.back().local().is_set()) give_up("there are not enough ports or descriptors for the peers");
  const std::size_t before = resident_bytes();
  std::vector<Leg> legs;
  while (legs.size() < count) {
    const bridge::BridgeId bridge = (*plane)->open_bridge();
    for (const auto side : {bridge::LegSide::kA, bridge::LegSide::kB}) {
      const auto local = (*plane)->open_leg(bridge, side, AddressFamily::kIpv4, bridge::PortUse::kShared);
      if (!local) give_up(local.error());
      Leg leg{*local, {.local = ice::random_credentials(), .remote = ice::random_credentials()}};
      (*plane)->configure_leg(bridge, side, {.rtcp_mux = true, .ice = leg.ice});
      legs.push_back(std::move(leg));
    }
  }
  if (keep_checking(legs, peers, std::chrono::seconds(1), std::chrono::seconds(2)) < count / 2)
    give_up("the legs do not answer");
  const double memory = static_cast<double>(resident_bytes() - before) / static_cast<double>(count);
  const double cpu = cpu_of("vas-media");
  keep_checking(legs, peers, std::chrono::seconds(5), period);
  print(memory,
        (cpu_of("vas-media") - cpu) / static_cast<double>(count * static_cast<std::size_t>(period.count())));
}

// ---- libnice ----

struct Peer {
  NiceAgent* agent = nullptr;
  guint stream = 0;
};

Peer make_peer(GMainContext* context, bool controls) {
  Peer peer{nice_agent_new_full(context, NICE_COMPATIBILITY_RFC5245,
                                static_cast<NiceAgentOption>(NICE_AGENT_OPTION_REGULAR_NOMINATION |
                                                             NICE_AGENT_OPTION_CONSENT_FRESHNESS))};
  g_object_set(peer.agent, "upnp", FALSE, "ice-tcp", FALSE, "controlling-mode",
               static_cast<gboolean>(controls), nullptr);
  NiceAddress address;
  nice_address_init(&address);
  nice_address_set_from_string(&address, "127.0.0.1");
  nice_agent_add_local_address(peer.agent, &address);
  peer.stream = nice_agent_add_stream(peer.agent, 1);
  nice_agent_attach_recv(
      peer.agent, peer.stream, 1, context, [](NiceAgent*, guint, guint, guint, gchar*, gpointer) {}, nullptr);
  if (!nice_agent_gather_candidates(peer.agent, peer.stream)) give_up("libnice gathers nothing");
  return peer;
}

void tell(const Peer& peer, const Peer& of) {
  gchar* ufrag = nullptr;
  gchar* password = nullptr;
  nice_agent_get_local_credentials(of.agent, of.stream, &ufrag, &password);
  nice_agent_set_remote_credentials(peer.agent, peer.stream, ufrag, password);
  g_free(ufrag);
  g_free(password);
  GSList* const candidates = nice_agent_get_local_candidates(of.agent, of.stream, 1);
  nice_agent_set_remote_candidates(peer.agent, peer.stream, 1, candidates);
  g_slist_free_full(candidates, reinterpret_cast<GDestroyNotify>(nice_candidate_free));
}

bool is_ready(const Peer& peer) {
  return nice_agent_get_component_state(peer.agent, peer.stream, 1) == NICE_COMPONENT_STATE_READY;
}

void measure_libnice(std::size_t count, std::chrono::seconds period) {
  GMainContext* const context = g_main_context_new();
  g_main_context_push_thread_default(context);
  std::vector<Peer> peers;
  const auto add = [&] {
    const Peer one = make_peer(context, true), two = make_peer(context, false);
    tell(one, two);
    tell(two, one);
    peers.insert(peers.end(), {one, two});
  };
  add();  // what libraries take once is nobody's
  const std::size_t before = resident_bytes();
  while (peers.size() < count + 2) {
    add();
    g_main_context_iteration(context, FALSE);
  }
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  while (!std::all_of(peers.begin(), peers.end(), is_ready)) {
    if (Clock::now() > deadline) give_up("libnice's pairs are not ready within a minute");
    g_main_context_iteration(context, TRUE);
  }
  const double memory = static_cast<double>(resident_bytes() - before) / static_cast<double>(count);
  // In a thread of its own, whose time is its loop's alone.
  std::thread loop([&] {
    pthread_setname_np(pthread_self(), "libnice");
    GMainLoop* const main = g_main_loop_new(context, FALSE);
    GSource* const end = g_timeout_source_new_seconds(static_cast<guint>(period.count()));
    g_source_set_callback(
        end,
        [](gpointer each) -> gboolean {
          g_main_loop_quit(static_cast<GMainLoop*>(each));
          return G_SOURCE_REMOVE;
        },
        main, nullptr);
    g_source_attach(end, context);
    const double cpu = cpu_of("libnice");
    g_main_loop_run(main);
    print(memory,
          (cpu_of("libnice") - cpu) / static_cast<double>(count * static_cast<std::size_t>(period.count())));
  });
  g_main_context_pop_thread_default(context);
  loop.join();
}

}  // namespace
}  // namespace vas

int main(int argc, char** argv) {
  if (argc != 4) vas::give_up("usage: ice-legs lite|libnice LEGS SECONDS");
  const std::size_t legs = std::stoul(argv[2]);
  const std::chrono::seconds period(std::stol(argv[3]));
  std::strcmp(argv[1], "lite") == 0 ? vas::measure_lite(legs, period) : vas::measure_libnice(legs, period);
}
