// STUN messages as ICE uses them: reading, checking, writing. (RFC 8489; attributes of RFC 8445 §7.1)
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/endpoint.h"

namespace vas::ice {

enum class StunClass : std::uint8_t { kRequest, kIndication, kSuccess, kError };

enum class StunAttribute : std::uint16_t {
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kErrorCode = 0x0009,
  kUnknownAttributes = 0x000a,
  kXorMappedAddress = 0x0020,
  kPriority = 0x0024,
  kUseCandidate = 0x0025,
  kFingerprint = 0x8028,
  kIceControlled = 0x8029,
  kIceControlling = 0x802a,
};

using StunTransaction = std::array<std::uint8_t, 12>;

//   0                   1                   2                   3
//   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |0 0|  class and method (14)    |    bytes behind the header    |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |                   magic cookie 0x2112A442                     |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |                   transaction id (96 bits)                    |
//  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//  |   attributes: type (16), length (16), value, padding to 32    |
//
// Lifetime: borrows the datagram it was parsed from.
class StunMessage {
 public:
  // Type, length, magic cookie and transaction (RFC 8489 §5).
  static constexpr std::size_t kHeaderBytes = 20;
  // RFC 8489 §5.
  static constexpr std::uint32_t kMagicCookie = 0x2112a442;

  // Any bytes at all. Nothing unless it is a whole Binding message whose last attribute is a FINGERPRINT that
  // is right: ICE always has one, and it tells STUN from what only looks like it.
  static std::optional<StunMessage> parse(Bytes datagram);

  StunClass kind() const { return kind_; }
  const StunTransaction& transaction() const { return transaction_; }

  // The first of that type that stands before MESSAGE-INTEGRITY: what is behind it proves nothing.
  std::optional<Bytes> find(StunAttribute type) const;
  std::optional<std::string_view> username() const;
  std::optional<Endpoint> xor_mapped_address() const;  // for tests: we ask no STUN server
  // One that must be understood and is not by us (RFC 8489 §6.3.1).
  std::optional<std::uint16_t> unknown_attribute() const;

  // Whether MESSAGE-INTEGRITY is there and was made with this password, compared in constant time.
  bool is_signed_with(std::string_view password) const;

 private:
  StunMessage(Bytes datagram, StunClass kind) : datagram_(datagram), kind_(kind) {}

  Bytes datagram_;
  StunClass kind_;
  StunTransaction transaction_{};
  std::size_t integrity_at_ = 0;  // 0: none
};

// By the header alone, of any bytes at all: not all who send keep-alives put a FINGERPRINT into them.
bool is_stun(Bytes datagram);                // whole, whatever its method
bool is_binding_request(Bytes datagram);     // RFC 5626 §4.4.2
bool is_binding_indication(Bytes datagram);  // a keep-alive, which proves nothing (RFC 8445 §11)
// Of what is_stun().
StunTransaction transaction_of(Bytes datagram);

// Writes one into a buffer that is large enough: kMaxBytes are for all that we say.
class StunWriter {
 public:
  // Header and the attributes of a response: an address, MESSAGE-INTEGRITY and FINGERPRINT are less than half
  // of it.
  static constexpr std::size_t kMaxBytes = 256;

  StunWriter(MutableBytes out, StunClass kind, const StunTransaction& transaction);

  void add(StunAttribute type, Bytes value);
  void add_xor_mapped_address(const Endpoint& endpoint);
  void add_error(int code, std::string_view reason);
  // The last two, in this order. Returns the message.
  Bytes sign(std::string_view password);
  // Or nothing more: outside of ICE.
  Bytes finish();

 private:
  void set_length(std::size_t behind);

  MutableBytes out_;
  std::size_t size_ = StunMessage::kHeaderBytes;
};

}  // namespace vas::ice
