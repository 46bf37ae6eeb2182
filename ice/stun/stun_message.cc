#include "ice/stun/stun_message.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <boost/crc.hpp>

#include "base/check.h"

namespace vas::ice {
namespace {

// RFC 8489 §18.2.
constexpr std::uint16_t kBindingMethod = 0x001;
// "STUN", which the CRC is mixed with (RFC 8489 §14.7).
constexpr std::uint32_t kFingerprintMask = 0x5354554e;
// Type and length (RFC 8489 §14).
constexpr std::size_t kAttributeHeaderBytes = 4;
// HMAC-SHA1 (RFC 8489 §14.5).
constexpr std::size_t kIntegrityBytes = 20;
// CRC-32 (RFC 8489 §14.7).
constexpr std::size_t kFingerprintBytes = 4;
// From here on an attribute that is not known may be passed over (RFC 8489 §14).
constexpr std::uint16_t kFirstOptional = 0x8000;

using Mac = std::array<std::uint8_t, kIntegrityBytes>;

constexpr std::size_t padded(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }
constexpr std::uint16_t number_of(StunAttribute type) { return static_cast<std::uint16_t>(type); }

// The class's two bits stand inside the method's (RFC 8489 §5).
constexpr std::uint16_t type_of(StunClass kind) {
  const auto bits = static_cast<std::uint16_t>(kind);
  return static_cast<std::uint16_t>(kBindingMethod | (bits & 1) << 4 | (bits & 2) << 7);
}

struct Attribute {
  std::uint16_t type = 0;
  std::size_t at = 0;  // of its header
  Bytes value;
  std::size_t next = 0;
};

std::optional<Attribute> attribute_at(Bytes datagram, std::size_t at) {
  if (datagram.size() < at + kAttributeHeaderBytes) return {};
  const std::size_t bytes = load_u16(datagram, at + 2);
  const std::size_t next = at + kAttributeHeaderBytes + padded(bytes);
  if (datagram.size() < next) return {};
  return Attribute{load_u16(datagram, at), at, datagram.subspan(at + kAttributeHeaderBytes, bytes), next};
}

// What a check covers has a header that says: up to and with this attribute.
std::array<std::uint8_t, StunMessage::kHeaderBytes> header_up_to(Bytes datagram, std::size_t end) {
  std::array<std::uint8_t, StunMessage::kHeaderBytes> header{};
  std::copy_n(datagram.begin(), header.size(), header.begin());
  store_u16(header, 2, static_cast<std::uint16_t>(end - StunMessage::kHeaderBytes));
  return header;
}

std::uint32_t fingerprint_of(Bytes datagram, std::size_t at) {
  const auto header = header_up_to(datagram, at + kAttributeHeaderBytes + kFingerprintBytes);
  boost::crc_32_type crc;
  crc.process_bytes(header.data(), header.size());
  crc.process_bytes(datagram.data() + header.size(), at - header.size());
  return static_cast<std::uint32_t>(crc.checksum()) ^ kFingerprintMask;
}

Mac integrity_of(Bytes datagram, std::size_t at, std::string_view password) {
  const auto header = header_up_to(datagram, at + kAttributeHeaderBytes + kIntegrityBytes);
  std::array<std::uint8_t, 2048> covered{};
  VAS_CHECK(at <= covered.size(), "parse() refuses what is larger");
  std::copy(header.begin(), header.end(), covered.begin());
  std::copy(datagram.begin() + header.size(), datagram.begin() + static_cast<std::ptrdiff_t>(at),
            covered.begin() + header.size());
  Mac mac{};
  unsigned length = 0;
  HMAC(EVP_sha1(), password.data(), static_cast<int>(password.size()), covered.data(), at, mac.data(),
       &length);
  return mac;
}

}  // namespace

std::optional<StunMessage> StunMessage::parse(Bytes datagram) {
  // STUN is short: anything longer is none.
  constexpr std::size_t kMaxMessage = 2048;
  if (datagram.size() > kMaxMessage || !is_stun(datagram)) return {};
  const std::uint16_t type = load_u16(datagram, 0);
  constexpr std::array kKinds{StunClass::kRequest, StunClass::kIndication, StunClass::kSuccess,
                              StunClass::kError};
  const auto kind =
      std::find_if(kKinds.begin(), kKinds.end(), [&](StunClass each) { return type_of(each) == type; });
  if (kind == kKinds.end()) return {};

  StunMessage message(datagram, *kind);
  message.transaction_ = transaction_of(datagram);
  std::size_t at = kHeaderBytes;
  while (at < datagram.size()) {
    const auto attribute = attribute_at(datagram, at);
    if (!attribute) return {};
    if (attribute->type == number_of(StunAttribute::kFingerprint)) {
      const bool is_right = attribute->next == datagram.size() &&
                            attribute->value.size() == kFingerprintBytes &&
                            load_u32(attribute->value, 0) == fingerprint_of(datagram, at);
      return is_right ? std::optional(message) : std::nullopt;
    }
    if (attribute->type == number_of(StunAttribute::kMessageIntegrity) && message.integrity_at_ == 0) {
      if (attribute->value.size() != kIntegrityBytes) return {};
      message.integrity_at_ = at;
    }
    at = attribute->next;
  }
  return {};
}

std::optional<Bytes> StunMessage::find(StunAttribute type) const {
  const std::size_t end = integrity_at_ != 0 ? integrity_at_ : datagram_.size();
  for (std::size_t at = kHeaderBytes; at < end;) {
    const Attribute attribute = *attribute_at(datagram_, at);  // parse() went this way
    if (attribute.type == number_of(type)) return attribute.value;
    at = attribute.next;
  }
  return {};
}

std::optional<std::string_view> StunMessage::username() const {
  const auto value = find(StunAttribute::kUsername);
  if (!value) return {};
  return as_text(*value);
}

std::optional<Endpoint> StunMessage::xor_mapped_address() const {
  const auto value = find(StunAttribute::kXorMappedAddress);
  if (!value || (value->size() != 8 && value->size() != 20)) return {};
  const bool is_ipv4 = (*value)[1] == 1 && value->size() == 8;
  if (!is_ipv4 && ((*value)[1] != 2 || value->size() != 20)) return {};
  Endpoint endpoint{.address = {.family = is_ipv4 ? AddressFamily::kIpv4 : AddressFamily::kIpv6},
                    .port = static_cast<std::uint16_t>(load_u16(*value, 2) ^ (kMagicCookie >> 16))};
  for (std::size_t i = 4; i < value->size(); ++i)
    endpoint.address.bytes[i - 4] =
        static_cast<std::uint8_t>((*value)[i] ^ datagram_[i]);  // cookie, transaction
  return endpoint;
}

std::optional<std::uint16_t> StunMessage::unknown_attribute() const {
  constexpr std::array kKnown{StunAttribute::kUsername,          StunAttribute::kMessageIntegrity,
                              StunAttribute::kErrorCode,         StunAttribute::kPriority,
                              StunAttribute::kUnknownAttributes, StunAttribute::kXorMappedAddress,
                              StunAttribute::kUseCandidate};
  const std::size_t end = integrity_at_ != 0 ? integrity_at_ : datagram_.size();
  for (std::size_t at = kHeaderBytes; at < end;) {
    const Attribute attribute = *attribute_at(datagram_, at);
    const bool is_known = std::any_of(kKnown.begin(), kKnown.end(),
                                      [&](StunAttribute each) { return number_of(each) == attribute.type; });
    if (attribute.type < kFirstOptional && !is_known) return attribute.type;
    at = attribute.next;
  }
  return {};
}

bool StunMessage::is_signed_with(std::string_view password) const {
  if (integrity_at_ == 0) return false;
  const Mac mac = integrity_of(datagram_, integrity_at_, password);
  return CRYPTO_memcmp(mac.data(), datagram_.data() + integrity_at_ + kAttributeHeaderBytes, mac.size()) == 0;
}

bool is_stun(Bytes datagram) {
  constexpr std::size_t kHeaderBytes = StunMessage::kHeaderBytes;
  return datagram.size() >= kHeaderBytes && (datagram[0] & 0xc0) == 0 &&
         load_u32(datagram, 4) == StunMessage::kMagicCookie &&
         load_u16(datagram, 2) == datagram.size() - kHeaderBytes && datagram.size() % 4 == 0;
}

bool is_binding_request(Bytes datagram) {
  return is_stun(datagram) && load_u16(datagram, 0) == type_of(StunClass::kRequest);
}

bool is_binding_indication(Bytes datagram) {
  return is_stun(datagram) && load_u16(datagram, 0) == type_of(StunClass::kIndication);
}

StunTransaction transaction_of(Bytes datagram) {
  StunTransaction transaction;
  std::copy_n(datagram.begin() + 8, transaction.size(), transaction.begin());
  return transaction;
}

StunWriter::StunWriter(MutableBytes out, StunClass kind, const StunTransaction& transaction) : out_(out) {
  VAS_CHECK(out.size() >= kMaxBytes, "there is room for any message of ours");
  store_u16(out_, 0, type_of(kind));
  store_u32(out_, 4, StunMessage::kMagicCookie);
  std::copy(transaction.begin(), transaction.end(), out_.begin() + 8);
}

void StunWriter::set_length(std::size_t behind) {
  store_u16(out_, 2, static_cast<std::uint16_t>(size_ + behind - StunMessage::kHeaderBytes));
}

void StunWriter::add(StunAttribute type, Bytes value) {
  VAS_CHECK(size_ + kAttributeHeaderBytes + padded(value.size()) <= out_.size(), "our messages are short");
  store_u16(out_, size_, number_of(type));
  store_u16(out_, size_ + 2, static_cast<std::uint16_t>(value.size()));
  const MutableBytes room = out_.subspan(size_ + kAttributeHeaderBytes, padded(value.size()));
  std::fill(room.begin(), room.end(), std::uint8_t{0});
  std::copy(value.begin(), value.end(), room.begin());
  size_ += kAttributeHeaderBytes + room.size();
}

void StunWriter::add_xor_mapped_address(const Endpoint& endpoint) {
  const bool is_ipv4 = endpoint.address.family == AddressFamily::kIpv4;
  std::array<std::uint8_t, 20> value{};
  value[1] = is_ipv4 ? 1 : 2;
  store_u16(value, 2, static_cast<std::uint16_t>(endpoint.port ^ (StunMessage::kMagicCookie >> 16)));
  const std::size_t bytes = is_ipv4 ? 8 : 20;
  for (std::size_t i = 4; i < bytes; ++i)
    value[i] = static_cast<std::uint8_t>(endpoint.address.bytes[i - 4] ^ out_[i]);
  add(StunAttribute::kXorMappedAddress, Bytes(value).first(bytes));
}

void StunWriter::add_error(int code, std::string_view reason) {
  std::array<std::uint8_t, 64> value{};
  value[2] = static_cast<std::uint8_t>(code / 100);
  value[3] = static_cast<std::uint8_t>(code % 100);
  const std::size_t text = std::min(reason.size(), value.size() - 4);
  std::copy_n(reason.begin(), text, value.begin() + 4);
  add(StunAttribute::kErrorCode, Bytes(value).first(4 + text));
}

Bytes StunWriter::sign(std::string_view password) {
  const Mac mac = integrity_of(out_, size_, password);
  add(StunAttribute::kMessageIntegrity, mac);
  std::array<std::uint8_t, kFingerprintBytes> fingerprint{};
  store_u32(fingerprint, 0, fingerprint_of(out_, size_));
  add(StunAttribute::kFingerprint, fingerprint);
  return finish();
}

Bytes StunWriter::finish() {
  set_length(0);
  return out_.first(size_);
}

}  // namespace vas::ice
