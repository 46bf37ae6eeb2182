// One simulated party: dials or answers, presents a token, speaks, listens, hangs up.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"

namespace vas::caller {

struct CallerOptions {
  std::string dial;  // sip:user@address:port; empty: wait for a call
  Endpoint listen;   // SIP; port 0: any
  std::string from = "caller";
  std::string token;
  std::string domain;
  std::vector<std::int16_t> audio;
  std::string codec = "PCMU";
  std::string press;       // DTMF, a second after the answer
  double seconds = 5;      // to talk before hanging up; 0: until the other side does
  double wait = 60;        // for the call to come, or to be answered
  int reject = 0;          // respond to a call with this code instead
  bool announces = false;  // print the SIP address on standard error when ready
};

struct CallerReport {
  std::string outcome;  // "answered", "rejected", "no-answer", "no-call"
  int status = 0;
  double talked_s = 0;
  std::string ended_by;  // "us", "them"
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::int64_t lost = 0;
  double jitter_max_ms = 0;
  double tone_hz = 0;
  double tone_share = 0;
  std::string digits;
  std::vector<std::int16_t> heard;
};

// Blocks until the call is over. An error text instead of a report: it could not even start.
std::optional<std::string> run_caller(const CallerOptions& options, CallerReport& report);

}  // namespace vas::caller
