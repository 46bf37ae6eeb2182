// The sockets of media.
#pragma once

#include "base/endpoint.h"
#include "bridge/leg/leg_config.h"

namespace vas::bridge {

void set_media_options(int descriptor, AddressFamily family, PortUse use);

// A socket of UDP that does not block; -1, with errno, where there is none to be had.
int bind_udp(const Endpoint& local, PortUse use);

}  // namespace vas::bridge
