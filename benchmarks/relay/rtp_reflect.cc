// rtp-reflect INTERFACE FIRST-PORT: sends UDP packets to FIRST-PORT and above back, by tc alone,
// until it is stopped.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "bridge/kernel/tcx.h"
#include "reflect.skel.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: rtp-reflect INTERFACE FIRST-PORT\n");
    return 2;
  }
  reflect_bpf* program = reflect_bpf__open();
  if (program == nullptr) return 1;
  program->rodata->first_port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  if (reflect_bpf__load(program) != 0) return 1;
  const int link =
      vas::bridge::link_to_ingress(if_nametoindex(argv[1]), bpf_program__fd(program->progs.reflect));
  if (link < 0) {
    std::perror("rtp-reflect");
    return 1;
  }
  pause();  // the link ends with the process
}
