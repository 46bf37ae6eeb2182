#include "ice/agent/candidate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace vas::ice {
namespace {

constexpr std::array<std::string_view, 4> kTypeNames{"host", "srflx", "prflx", "relay"};

}  // namespace

std::string_view to_string(CandidateType type) { return kTypeNames[static_cast<std::size_t>(type)]; }

std::optional<Candidate> parse_candidate(std::string_view value) {
  // foundation component transport priority address port "typ" type ...
  enum { kFoundation, kComponent, kTransport, kPriority, kAddress, kPort, kTyp, kType, kLeastWords };
  const auto words = split(value, ' ');
  if (words.size() < kLeastWords || words[kComponent] != "1" || words[kTyp] != "typ" ||
      !equals_ignoring_case(words[kTransport], "udp"))
    return {};
  constexpr std::size_t kLongestFoundation = 32;  // RFC 8839 §5.1
  const auto priority = parse_number<std::uint32_t>(words[kPriority]);
  const auto address = IpAddress::parse(words[kAddress]);
  const auto port = parse_number<std::uint16_t>(words[kPort]);
  const auto type = std::find(kTypeNames.begin(), kTypeNames.end(), words[kType]);
  const bool is_good = !words[kFoundation].empty() && words[kFoundation].size() <= kLongestFoundation &&
                       priority.value_or(0) != 0 && address && !address->is_unspecified() &&
                       port.value_or(0) != 0 && type != kTypeNames.end();
  if (!is_good) return {};
  return Candidate{.address = {*address, *port},
                   .type = static_cast<CandidateType>(type - kTypeNames.begin()),
                   .foundation = std::string(words[kFoundation]),
                   .priority = *priority};
}

std::string to_sdp(const Candidate& candidate) {
  std::string text =
      fmt::format("{} 1 udp {} {} {} typ {}", candidate.foundation, candidate.priority,
                  to_string(candidate.address.address), candidate.address.port, to_string(candidate.type));
  if (candidate.related.is_set())
    text += fmt::format(" raddr {} rport {}", to_string(candidate.related.address), candidate.related.port);
  return text;
}

std::optional<Endpoint> default_address(const std::vector<Candidate>& candidates, AddressFamily family) {
  const auto rank = [&](const Candidate& each) {
    constexpr std::array kByType{1, 0, 3, 2};  // by CandidateType
    return std::pair(each.address.address.family != family, kByType[static_cast<std::size_t>(each.type)]);
  };
  const auto best =
      std::min_element(candidates.begin(), candidates.end(),
                       [&](const Candidate& one, const Candidate& two) { return rank(one) < rank(two); });
  return best != candidates.end() ? std::optional(best->address) : std::nullopt;
}

CandidateType type_of(const std::vector<Candidate>& candidates, const Endpoint& address) {
  const auto found = std::find_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate& each) { return each.address == address; });
  return found == candidates.end() ? CandidateType::kPeerReflexive : found->type;
}

}  // namespace vas::ice
