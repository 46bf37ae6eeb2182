#include "bridge/kernel/kernel_relay.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <thread>

#include "base/clock.h"
#include "bridge/io/packet_io.h"
#include "bridge/kernel/tcx.h"
#include "relay.skel.h"

namespace vas::bridge {
namespace {

int keep_quiet(libbpf_print_level, const char*, va_list) { return 0; }

std::uint32_t load(const std::uint32_t& word) {
  return std::atomic_ref(const_cast<std::uint32_t&>(word)).load(std::memory_order_seq_cst);
}

std::uint64_t load(const __u64& word) {
  return std::atomic_ref(const_cast<__u64&>(word)).load(std::memory_order_seq_cst);
}

Error refused(const char* what, int error) {
  std::string text = std::string(what) + ": " + std::strerror(error);
  if (error == EPERM || error == EACCES) text += " (it needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)";
  return Error{std::move(text)};
}

}  // namespace

// One interface's; detaches when it goes.
class KernelRelay::Attachment {
 public:
  Attachment(int link, int driver_link) : link_(link), driver_link_(driver_link) {}
  ~Attachment() {
    if (link_ >= 0) ::close(link_);
    if (is_in_driver()) ::close(driver_link_);
  }
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;
  bool is_in_driver() const { return driver_link_ >= 0; }

 private:
  const int link_;         // -1: the guardian's
  const int driver_link_;  // -1: none
};

Result<std::unique_ptr<KernelRelay>> KernelRelay::open(const Config& config) {
  libbpf_set_print(keep_quiet);
  relay_bpf* program = relay_bpf__open();
  if (program == nullptr) return refused("the relay program cannot be opened", errno);
  const std::size_t entries = (static_cast<std::size_t>(config.last_port) - config.first_port) / 2 + 1;
  program->rodata->first_port = config.first_port;
  program->rodata->last_port = config.last_port;
  program->rodata->most_packets = static_cast<std::uint32_t>(config.leg_packets_per_second);
  program->rodata->largest_datagram = PacketIo::kLargestDatagram;
  program->rodata->loopback_ifindex = if_nametoindex("lo");
  bpf_map__set_max_entries(program->maps.relays, static_cast<std::uint32_t>(entries));
  if (const int error = relay_bpf__load(program); error != 0) {
    relay_bpf__destroy(program);
    return refused("the kernel does not load the relay program", -error);
  }
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t bytes = (entries * sizeof(relay_entry) + page - 1) / page * page;
  void* memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(program->maps.relays), 0);
  if (memory == MAP_FAILED) {
    const int reason = errno;
    relay_bpf__destroy(program);
    return refused("the relay map cannot be shared", reason);
  }
  std::unique_ptr<KernelRelay> relay(
      new KernelRelay(config, program, static_cast<relay_entry*>(memory), bytes));
  // Whether attaching is allowed shows at the first interface; loopback is always there.
  if (!relay->attach(program->rodata->loopback_ifindex))
    return refused("the relay program cannot be attached", errno);
  relay->keep_alive(monotonic_now());
  return relay;
}

KernelRelay::KernelRelay(const Config& config, relay_bpf* program, relay_entry* entries, std::size_t bytes)
    : config_(config), program_(program), entries_(entries), bytes_(bytes) {}

KernelRelay::~KernelRelay() {
  attachments_.clear();
  guardian_.reset();
  munmap(entries_, bytes_);
  relay_bpf__destroy(program_);
}

bool KernelRelay::attach(std::uint32_t ifindex) {
  if (attachments_.contains(ifindex)) return true;
  int link = -1;
  if (!attach_to_ingress(ifindex, link)) return false;
  int driver_link = -1;
  if (config_.in_driver) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
    driver_link = bpf_link_create(bpf_program__fd(program_->progs.relay_in_driver), static_cast<int>(ifindex),
                                  BPF_XDP, &options);
  }
  attachments_[ifindex] = std::make_unique<Attachment>(link, driver_link);
  return true;
}

bool KernelRelay::attach_to_ingress(std::uint32_t ifindex, int& link) {
  const int program = bpf_program__fd(program_->progs.relay);
  if (!config_.uses_clsact && !guardian_) {
    link = link_to_ingress(ifindex, program);
    if (link >= 0) return true;
    if (errno != EINVAL) return false;
  }
  if (!guardian_) {
    auto guardian = ClsactGuardian::start();
    if (!guardian) return false;
    guardian_ = std::move(*guardian);
  }
  errno = guardian_->attach(ifindex, program);
  return errno == 0;
}

void KernelRelay::keep_alive(Time now) {
  const std::chrono::nanoseconds until = (now + kAlive).time_since_epoch();
  std::atomic_ref(program_->bss->alive_until_ns)
      .store(static_cast<std::uint64_t>(until.count()), std::memory_order_relaxed);
}

bool KernelRelay::is_in_driver(std::uint32_t ifindex) const {
  const auto found = attachments_.find(ifindex);
  return found != attachments_.end() && found->second->is_in_driver();
}

void KernelRelay::install(std::uint16_t port, const relay_entry& filled) {
  relay_entry& shared = entry(port);
  std::memcpy(reinterpret_cast<char*>(&shared) + offsetof(relay_entry, near),
              reinterpret_cast<const char*>(&filled) + offsetof(relay_entry, near),
              sizeof(relay_entry) - offsetof(relay_entry, near));
  std::atomic_ref(shared.active).store(1, std::memory_order_seq_cst);
}

void KernelRelay::read(std::uint16_t port, relay_entry& out) const {
  const relay_entry& shared = entry(port);
  constexpr int kTries = 8;  // a packet comes in between once, hardly twice
  for (int i = 0; i < kTries; ++i) {
    const std::uint64_t before = load(shared.receive.packets);
    if (load(shared.owner) != 0) continue;
    std::memcpy(&out, &shared, sizeof out);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (load(shared.owner) == 0 && load(shared.receive.packets) == before) return;
  }
  std::memcpy(&out, &shared, sizeof out);
}

void KernelRelay::withdraw(std::uint16_t port, relay_entry& out) {
  relay_entry& shared = entry(port);
  std::atomic_ref(shared.active).store(0, std::memory_order_seq_cst);
  while (load(shared.owner) != 0) std::this_thread::yield();  // less than a microsecond, on another CPU
  std::memcpy(&out, &shared, sizeof out);
}

void KernelRelay::set_hop(std::uint16_t port, std::uint64_t destination_mac, std::uint64_t source_mac) {
  relay_entry& shared = entry(port);
  std::atomic_ref(shared.source_mac).store(source_mac, std::memory_order_relaxed);
  std::atomic_ref(shared.destination_mac).store(destination_mac, std::memory_order_release);
}

}  // namespace vas::bridge
