// The kernel's fast path: loads relay.bpf.c, attaches it, and gives workers the entries that it relays by.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "bridge/kernel/clsact_filter.h"
#include "bridge/leg/leg_config.h"
#include "bridge/leg/relay_entry.h"

struct relay_bpf;

namespace vas::bridge {

// The entries are shared memory with the kernel (relay_entry.h says who may write what).
//
// Threads:  open and close from control; attach from the next hop keeper; keep_alive from any worker; the
//           rest from the worker that owns the entry's port.
// Lifetime: the attachments end with the process, however it ends: by the kernel where it links programs to
//           interfaces (Linux 6.6), else by a guardian process (clsact_filter.h).
class KernelRelay {
 public:
  struct Config {
    std::uint16_t first_port = 0;
    std::uint16_t last_port = 0;
    int leg_packets_per_second = kLegPacketsPerSecond;
    bool in_driver = false;    // by XDP too, at interfaces whose driver runs it itself
    bool uses_clsact = false;  // even where programs can be linked; elsewhere it is used anyway
  };
  // The error says what is missing: privilege, or the kernel's support.
  static Result<std::unique_ptr<KernelRelay>> open(const Config& config);
  ~KernelRelay();
  KernelRelay(const KernelRelay&) = delete;
  KernelRelay& operator=(const KernelRelay&) = delete;

  // Watches what comes in by this interface; safe to call again. False if that is refused.
  bool attach(std::uint32_t ifindex);
  bool is_in_driver(std::uint32_t ifindex) const;

  // The kernel relays for kAlive after each call, then no more until the next: a process that hangs, or is
  // gone in a way that leaves its filters behind, relays nothing.
  static constexpr Duration kAlive = std::chrono::seconds(5);
  void keep_alive(Time now);

  const char* hook() const { return guardian_ ? "clsact" : "tcx"; }

  // `entry` is complete but for owner and active.
  void install(std::uint16_t port, const relay_entry& entry);
  // A consistent copy of an entry that is at work.
  void read(std::uint16_t port, relay_entry& out) const;
  // After it the kernel no longer touches the entry; `out` is how it left it.
  void withdraw(std::uint16_t port, relay_entry& out);
  // Another next hop for an entry that is at work.
  void set_hop(std::uint16_t port, std::uint64_t destination_mac, std::uint64_t source_mac);

 private:
  class Attachment;

  KernelRelay(const Config& config, relay_bpf* program, relay_entry* entries, std::size_t bytes);
  bool attach_to_ingress(std::uint32_t ifindex, int& link);
  relay_entry& entry(std::uint16_t port) { return entries_[(port - config_.first_port) / 2]; }
  const relay_entry& entry(std::uint16_t port) const { return entries_[(port - config_.first_port) / 2]; }

  const Config config_;
  relay_bpf* const program_;
  relay_entry* const entries_;
  const std::size_t bytes_;
  std::unique_ptr<ClsactGuardian> guardian_;  // where programs cannot be linked
  std::map<std::uint32_t, std::unique_ptr<Attachment>> attachments_;
};

}  // namespace vas::bridge
