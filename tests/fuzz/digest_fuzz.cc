// A carrier's challenges, and servers' names: nothing of them comes back out that ends a line.
#include <cstdlib>

#include "base/host_port.h"
#include "base/text.h"
#include "signaling/sip/digest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vas;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto challenge = signaling::DigestChallenge::parse(text)) {
    const std::string answer =
        digest_response(*challenge, {"user", "secret", ""}, "INVITE", "sip:a@b", "0123", 1);
    if (has_control_characters(answer) || answer.find("secret") != std::string::npos) {
      // The realm may say "secret" itself.
      if (has_control_characters(answer) || text.find("secret") == std::string_view::npos) std::abort();
    }
  }
  for (const auto& challenge : signaling::challenges_in(text)) {
    const auto& realm = challenge.realm;
    if (has_control_characters(realm) || has_control_characters(challenge.nonce)) std::abort();
  }
  if (const auto server = HostPort::parse(text)) {
    const auto again = HostPort::parse(to_string(*server));
    if (!again || *again != *server) std::abort();
  }
  return 0;
}
