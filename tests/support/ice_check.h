// A connectivity check as a controlling full side sends it.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "ice/agent/ice_lite.h"
#include "ice/stun/stun_message.h"

namespace vas::ice {

struct CheckFields {
  std::string username;  // RFC 8445 §7.2.2: the checked side's ufrag first
  std::string password;  // of the checked side
  bool chooses = true;   // USE-CANDIDATE
};

inline std::vector<std::uint8_t> build_check(const CheckFields& fields) {
  std::array<std::uint8_t, StunWriter::kMaxBytes> buffer{};
  StunWriter writer(buffer, StunClass::kRequest, {7, 7, 7});
  writer.add(StunAttribute::kUsername, as_bytes(fields.username));
  writer.add(StunAttribute::kIceControlling, std::array<std::uint8_t, 8>{});
  if (fields.chooses) writer.add(StunAttribute::kUseCandidate, {});
  const Bytes bytes = writer.sign(fields.password);
  return {bytes.begin(), bytes.end()};
}

inline std::vector<std::uint8_t> build_check(const IceCredentials& checked, const IceCredentials& checks) {
  return build_check({checked.ufrag + ":" + checks.ufrag, checked.password});
}

}  // namespace vas::ice
