// Relays as many packets as it is told: tests/packet_path_cost.py counts the instructions.
#include <cstdlib>

#include "tests/support/relayed_call.h"

int main(int argc, char** argv) {
  vas::bridge::RelayedCall call;
  for (long i = argc > 1 ? std::atol(argv[1]) : 0; i > 0; --i) call.relay_next();
}
