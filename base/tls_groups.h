// The groups of key exchange that we take and offer, wherever TLS or DTLS is spoken.
#pragma once

namespace vas {

// What every browser, phone and carrier has, for OpenSSL's `set1_groups_list`. OpenSSL's own list goes up to
// ffdhe8192 and P-521, and the peer chooses from it: 160 ms of CPU for one hello that costs it nothing.
inline constexpr const char* kTlsGroups = "X25519:P-256:P-384";

}  // namespace vas
