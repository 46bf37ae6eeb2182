#include "media/srtp/srtp_mki.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace vas::media {
namespace {

// It stands before the tag of suites that have one, which does not cover it; behind all else in AEAD suites,
// whose tag is a part of what is encrypted.
class IdentifierPlace {
 public:
  explicit IdentifierPlace(const SrtpKey& key) : bytes_(key.identifier().bytes) {
    const SrtpSuiteShape& shape = shape_of(key.suite());
    rtp_tag_ = shape.is_aead ? 0 : shape.rtp_tag_bytes;
    rtcp_tag_ = shape.is_aead ? 0 : shape.rtcp_tag_bytes;
    std::uint64_t value = key.identifier().value;
    for (std::size_t at = bytes_; at > 0 && value != 0; value >>= 8)
      text_[--at] = static_cast<std::uint8_t>(value);
  }

  std::size_t bytes() const { return bytes_; }
  std::size_t rtp_tag() const { return rtp_tag_; }
  std::size_t rtcp_tag() const { return rtcp_tag_; }

  void put(PacketBuffer& packet, std::size_t tag) const {
    const std::size_t at = packet.size() - tag;
    packet.resize(packet.size() + bytes_);
    std::uint8_t* const place = packet.bytes().data() + at;
    std::memmove(place + bytes_, place, tag);
    std::copy_n(text_.begin(), bytes_, place);
  }
  // False, and nothing changed, where another stands there.
  bool strip(PacketBuffer& packet, std::size_t tag) const {
    if (packet.size() < bytes_ + tag) return false;
    std::uint8_t* const place = packet.bytes().data() + packet.size() - tag - bytes_;
    if (!std::equal(place, place + bytes_, text_.begin())) return false;
    std::memmove(place, place + bytes_, tag);
    packet.resize(packet.size() - bytes_);
    return true;
  }

 private:
  std::size_t bytes_;
  std::size_t rtp_tag_ = 0;
  std::size_t rtcp_tag_ = 0;
  std::array<std::uint8_t, MasterKeyIdentifier::kLongest> text_{};
};

constexpr std::size_t kSuitesAdd = 20;  // a tag, and SRTCP's index

class NamingProtector final : public SrtpProtector {
 public:
  NamingProtector(std::unique_ptr<SrtpProtector> inner, const SrtpKey& key)
      : inner_(std::move(inner)), place_(key) {}

  SrtpResult protect(PacketBuffer& rtp) override {
    if (!has_room(rtp)) return SrtpResult::kNoRoom;
    const SrtpResult result = inner_->protect(rtp);
    if (result == SrtpResult::kOk) place_.put(rtp, place_.rtp_tag());
    return result;
  }
  SrtpResult protect_rtcp(PacketBuffer& compound) override {
    if (!has_room(compound)) return SrtpResult::kNoRoom;
    const SrtpResult result = inner_->protect_rtcp(compound);
    if (result == SrtpResult::kOk) place_.put(compound, place_.rtcp_tag());
    return result;
  }
  std::vector<SrtpStreamState> state() const override { return inner_->state(); }
  void restore(const std::vector<SrtpStreamState>& state) override { inner_->restore(state); }

 private:
  // Before an index is used up.
  bool has_room(const PacketBuffer& packet) const { return packet.room() >= place_.bytes() + kSuitesAdd; }

  const std::unique_ptr<SrtpProtector> inner_;
  const IdentifierPlace place_;
};

class NamedUnprotector final : public SrtpUnprotector {
 public:
  NamedUnprotector(std::unique_ptr<SrtpUnprotector> inner, const SrtpKey& key)
      : inner_(std::move(inner)), place_(key) {}

  SrtpResult unprotect(PacketBuffer& rtp) override {
    return place_.strip(rtp, place_.rtp_tag()) ? inner_->unprotect(rtp) : SrtpResult::kUnauthenticated;
  }
  SrtpResult unprotect_rtcp(PacketBuffer& compound) override {
    return place_.strip(compound, place_.rtcp_tag()) ? inner_->unprotect_rtcp(compound)
                                                     : SrtpResult::kUnauthenticated;
  }
  std::vector<SrtpStreamState> state() const override { return inner_->state(); }
  void restore(const std::vector<SrtpStreamState>& state) override { inner_->restore(state); }

 private:
  const std::unique_ptr<SrtpUnprotector> inner_;
  const IdentifierPlace place_;
};

}  // namespace

std::unique_ptr<SrtpProtector> with_identifier(std::unique_ptr<SrtpProtector> inner, const SrtpKey& key) {
  return std::make_unique<NamingProtector>(std::move(inner), key);
}

std::unique_ptr<SrtpUnprotector> with_identifier(std::unique_ptr<SrtpUnprotector> inner, const SrtpKey& key) {
  return std::make_unique<NamedUnprotector>(std::move(inner), key);
}

}  // namespace vas::media
