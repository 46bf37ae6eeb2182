#include "ice/agent/nice_agents.h"

#include <glib-unix.h>
#include <nice/agent.h>
#include <pthread.h>

#include <map>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/inbox.h"
#include "ice/agent/glib_source.h"
#include "ice/agent/nice_agent.h"

namespace vas::ice {
// Keeps GLib's loop and the agents that are not given up. It decides nothing: orders come by the inbox, in
// their order, and what an agent finds it publishes itself.
//
// The thread, and what is done on it.
class NiceAgents::Loop {
 public:
  Loop(AgentsConfig config, std::function<void(AgentEvent&&)> publish)
      : config_(std::move(config)), publish_(std::move(publish)), context_(g_main_context_new()) {
    loop_ = g_main_loop_new(context_, FALSE);
    inbox_source_ = GlibSource(g_unix_fd_source_new(inbox_.descriptor(), G_IO_IN), G_SOURCE_FUNC(on_posted),
                               this, context_);
    thread_ = std::thread([this] {
      g_main_context_push_thread_default(context_);
      g_main_loop_run(loop_);
      g_main_context_pop_thread_default(context_);
    });
    pthread_setname_np(thread_.native_handle(), "vas-ice");
  }
  ~Loop() {
    post([this] { end(); });
    thread_.join();
    g_main_loop_unref(loop_);
    g_main_context_unref(context_);
  }

  // A full inbox means thousands of calls at once: control waits for the agents.
  void post(std::function<void()> task) {
    while (!inbox_.push(std::move(task))) std::this_thread::yield();
  }

  // Not asked where the inbox is full: then the question that stands gets older.
  void ask(Pulse& pulse, Time now) {
    pulse.ask(now);
    inbox_.push([&pulse] { pulse.confirm(); });
  }

  void gather(AgentId id, const IceCredentials& local, IceRole role) {
    const auto [place, is_new] =
        agents_.emplace(id, std::make_unique<Agent>(id, config_, publish_, context_, local, role));
    VAS_CHECK(is_new, "an agent's id is its own");
    place->second->gather();
  }
  Agent* find(AgentId id) {
    const auto found = agents_.find(id);
    return found != agents_.end() ? found->second.get() : nullptr;
  }
  void close(AgentId id) {
    const auto found = agents_.find(id);
    if (found == agents_.end()) return;
    NiceAgent* const agent = found->second->release();
    agents_.erase(found);
    // TURN's allocation is given back first.
    ++closing_;
    nice_agent_close_async(
        agent,
        [](GObject* closed, GAsyncResult*, gpointer self) {
          g_object_unref(closed);
          static_cast<Loop*>(self)->on_closed();
        },
        this);
  }

 private:
  static gboolean on_posted(gint, GIOCondition, gpointer self) {
    static_cast<Loop*>(self)->inbox_.drain([](std::function<void()>&& task) { task(); });
    return G_SOURCE_CONTINUE;
  }
  void on_closed() {
    if (--closing_ == 0 && is_ending_) g_main_loop_quit(loop_);
  }
  void end() {
    is_ending_ = true;
    while (!agents_.empty()) close(agents_.begin()->first);
    if (closing_ == 0) return g_main_loop_quit(loop_);
    // At the end agents say goodbye to their TURN server; one that does not respond is not waited for longer.
    constexpr guint kLongestMs = 1000;
    deadline_ = GlibSource(
        g_timeout_source_new(kLongestMs),
        [](gpointer self) -> gboolean {
          g_main_loop_quit(static_cast<Loop*>(self)->loop_);
          return G_SOURCE_REMOVE;
        },
        this, context_);
  }

  const AgentsConfig config_;
  const std::function<void(AgentEvent&&)> publish_;
  GMainContext* const context_;
  GMainLoop* loop_ = nullptr;
  Inbox<std::function<void()>> inbox_{kInboxCapacity};
  GlibSource inbox_source_;
  std::map<AgentId, std::unique_ptr<Agent>> agents_;
  std::size_t closing_ = 0;
  bool is_ending_ = false;
  GlibSource deadline_;
  std::thread thread_;
};

NiceAgents::NiceAgents(AgentsConfig config, std::function<void(AgentEvent&&)> publish)
    : loop_(std::make_unique<Loop>(std::move(config), std::move(publish))) {}

NiceAgents::~NiceAgents() = default;

void NiceAgents::gather(AgentId agent, const IceCredentials& local, IceRole role) {
  thread_check_.check();
  loop_->post([this, agent, local, role] { loop_->gather(agent, local, role); });
}

void NiceAgents::check(AgentId agent, const IceCredentials& remote, const std::vector<Candidate>& peers) {
  thread_check_.check();
  loop_->post([this, agent, remote, peers] {
    if (Agent* const found = loop_->find(agent)) found->check(remote, peers);
  });
}

void NiceAgents::adopt_plain(AgentId agent, AddressFamily family) {
  thread_check_.check();
  loop_->post([this, agent, family] {
    if (Agent* const found = loop_->find(agent)) found->adopt_plain(family);
  });
}

void NiceAgents::close(AgentId agent) {
  thread_check_.check();
  loop_->post([this, agent] { loop_->close(agent); });
}

void NiceAgents::ask(Pulse& pulse, Time now) {
  thread_check_.check();
  loop_->ask(pulse, now);
}

}  // namespace vas::ice
