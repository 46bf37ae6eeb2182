#include "ice/candidate.h"

#include <algorithm>
#include <array>

#include "vas/base/text.h"

namespace vas::ice {
namespace {

constexpr std::array<std::string_view, 4> kTypeNames{"host", "srflx", "prflx", "relay"};

}  // namespace

std::string_view to_string(CandidateType type) { return kTypeNames[static_cast<std::size_t>(type)]; }

std::optional<Candidate> parse_candidate(std::string_view value) {
  // foundation component transport priority address port "typ" type ...
  enum { kComponent = 1, kTransport, kAddress = 4, kPort, kTyp, kType, kLeastWords };
  const auto words = split(value, ' ');
  if (words.size() < kLeastWords || words[kComponent] != "1" || words[kTyp] != "typ" ||
      !equals_ignoring_case(words[kTransport], "udp"))
    return {};
  const auto address = IpAddress::parse(words[kAddress]);
  const auto port = parse_number<std::uint16_t>(words[kPort]);
  const auto type = std::find(kTypeNames.begin(), kTypeNames.end(), words[kType]);
  if (!address || !port || type == kTypeNames.end()) return {};
  return Candidate{Endpoint{*address, *port}, static_cast<CandidateType>(type - kTypeNames.begin())};
}

CandidateType type_of(const std::vector<Candidate>& candidates, const Endpoint& address) {
  const auto found = std::find_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate& each) { return each.address == address; });
  return found == candidates.end() ? CandidateType::kPeerReflexive : found->type;
}

}  // namespace vas::ice
