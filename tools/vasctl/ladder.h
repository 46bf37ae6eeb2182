// A call's SIP messages for people: who said what to whom, and the same as a capture file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"

namespace vas::vasctl {

struct Message {
  std::string at;  // RFC 3339
  std::string transport;
  Endpoint from;
  Endpoint to;
  std::string text;
};

// Of the API's trace.
Result<std::vector<Message>> parse_trace(std::string_view json);

// One column a party, one arrow a message.
std::string ladder(const std::vector<Message>& messages);

// A pcap file of raw IP packets, each message as one UDP datagram whatever it came over: Wireshark and sngrep
// then show it without keys or streams to put together. (LINKTYPE_RAW)
std::string pcap(const std::vector<Message>& messages);

}  // namespace vas::vasctl
