// What can be told from a ClientHello before there is an association, and the cookie that shows that who sent
// it receives what we send there. (RFC 6347 §4.2.1)
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/endpoint.h"

namespace vas::media {

//  record: type (1), version (2), epoch (2), sequence (6), length (2)
//  handshake: type (1), length (3), message_seq (2), fragment_offset (3), fragment_length (3)
//  hello: version (2), random (32), session_id (1+n), cookie (1+n), ...
//
// Lifetime: borrows the datagram it was parsed from.
struct ClientHello {
  // RFC 5246 §7.4.1.2.
  static constexpr std::size_t kRandomBytes = 32;

  // Nothing unless the datagram begins with one, or with the first piece of one, that is not encrypted.
  static std::optional<ClientHello> parse(Bytes datagram);

  Bytes record_sequence;  // six bytes
  Bytes random;
  Bytes cookie;
  bool is_whole = false;  // it is all in this datagram
};

// True for a datagram of whole records that a handshake consists of. Alerts are not among them: before there
// are keys anybody can send one, and a peer that means it ends its side anyway. Nor are sealed records that
// are too short to be any, to which some versions of OpenSSL respond with an alert that ends the peer's
// association (CVE-2026-75806).
bool may_be_handshake(Bytes datagram);

// Threads: one at a time. Copies know each other's.
class HelloCookies {
 public:
  HelloCookies();  // of a key of its own

  bool is_right(const Endpoint& source, const ClientHello& hello) const;
  // A HelloVerifyRequest: one datagram, smaller than any hello.
  std::vector<std::uint8_t> request(const Endpoint& source, const ClientHello& hello) const;

 private:
  // RFC 6347 §4.2.1 allows 255.
  static constexpr std::size_t kCookieBytes = 20;
  using Cookie = std::array<std::uint8_t, kCookieBytes>;
  Cookie cookie_of(const Endpoint& source, const ClientHello& hello) const;

  std::array<std::uint8_t, 32> key_{};
};

}  // namespace vas::media
