// The kernel's ingress hook that programs are linked to (Linux 6.6):
// a link ends with the process that holds it.
#pragma once

#include <bpf/bpf.h>

#include <cstdint>

namespace vas::bridge {

// A descriptor of the link, or less than 0 with errno set: EINVAL where the kernel does not know the hook.
inline int link_to_ingress(std::uint32_t ifindex, int program) {
  constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);  // newer than Debian 12's headers
  return bpf_link_create(program, static_cast<int>(ifindex), kTcxIngress, nullptr);
}

}  // namespace vas::bridge
