// rtp-reflect INTERFACE FIRST-PORT: sends UDP packets to FIRST-PORT and above back, by tc alone, until it is
// stopped.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

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
  constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
  const int link = bpf_link_create(bpf_program__fd(program->progs.reflect),
                                   static_cast<int>(if_nametoindex(argv[1])), kTcxIngress, nullptr);
  if (link < 0) {
    std::perror("rtp-reflect");
    return 1;
  }
  pause();  // the link ends with the process
}
