// Session descriptions: reading what a peer says of its media, writing what we say. (RFC 8866, RFC 3264)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/endpoint.h"
#include "ice/agent/candidate.h"
#include "media/codec/codec.h"
#include "media/srtp/dtls_context.h"
#include "signaling/sdp/sdes.h"

namespace vas::signaling {

// From the describing party's own view: sendonly is {true, false}.
struct Direction {
  bool sends = true;
  bool receives = true;
  friend bool operator==(Direction, Direction) = default;
};

struct AudioFormat {
  media::PayloadType payload_type;
  media::Codec codec = media::Codec::kPcmu;
  std::uint32_t clock_rate = 8000;
  std::string fmtp;  // as written, may be empty
  friend bool operator==(const AudioFormat&, const AudioFormat&) = default;
};

// What the media line says of its transport (RFC 3551, RFC 4585, RFC 3711, RFC 5124, RFC 5764).
enum class MediaProtocol { kRtpAvp, kRtpAvpf, kRtpSavp, kRtpSavpf, kUdpTlsRtpSavp, kUdpTlsRtpSavpf };
constexpr bool is_dtls(MediaProtocol protocol) { return protocol >= MediaProtocol::kUdpTlsRtpSavp; }

enum class DtlsSetup { kActpass, kActive, kPassive };  // RFC 8842 §5.1

struct DtlsDescription {
  media::CertificateFingerprints fingerprints;  // one at least
  DtlsSetup setup = DtlsSetup::kActpass;
  std::string tls_id;  // names the association (RFC 8842 §4); empty: none
  friend bool operator==(const DtlsDescription&, const DtlsDescription&) = default;
};

// RFC 8839 §5. A lite side answers checks wherever they come from: candidates only tell what a path is.
struct IceDescription {
  std::string ufrag;
  std::string password;
  bool is_lite = false;
  std::vector<ice::Candidate> candidates;  // the first of them; of a lite side's own none are needed
  friend bool operator==(const IceDescription&, const IceDescription&) = default;
};

// The audio line that a call uses: only formats that we know, in the peer's order.
struct AudioDescription {
  Endpoint rtp;  // unspecified address: c=0.0.0.0, hold as RFC 2543 wrote it
  Endpoint rtcp;
  bool rtcp_mux = false;
  Direction direction;
  std::vector<AudioFormat> formats;
  std::optional<int> ptime_ms;
  std::optional<int> maxptime_ms;  // RFC 8866 §6.4: more in a packet the party cannot take
  MediaProtocol protocol = MediaProtocol::kRtpAvp;
  std::vector<CryptoAttribute> crypto;  // those that we speak, in the peer's order
  std::optional<DtlsDescription> dtls;  // whatever the protocol is called
  std::string weak_hash;                // of its fingerprints, where we take none of them: "sha-1"
  std::optional<IceDescription> ice;
  std::optional<media::Ssrc> ssrc;  // what we send under (RFC 5576); a peer's is not read
  std::string mid;                  // RFC 5888; empty: none
  bool is_bundled = false;          // its mid stands in a BUNDLE group (RFC 9143)
  friend bool operator==(const AudioDescription&, const AudioDescription&) = default;

  bool has_audio_codec() const;  // one that talks: no telephone-event, no CN
};

// A media line, kept so that an answer can name each in its order.
struct MediaLine {
  std::string kind;      // "audio", "video"
  std::string protocol;  // "RTP/AVP"
  std::string formats;   // as written
};

// Bounds: 64 KiB of text, 16 media lines, 64 formats a line, 1 KiB a line;
//         more is no session description to us.
struct SessionDescription {
  std::vector<MediaLine> lines;
  std::optional<std::size_t>
      audio_line;  // the first audio line over RTP or SRTP with a port: the one that `audio` describes
  AudioDescription audio;

  // Any text at all. A host name in `c=` makes the line unusable: names are not resolved here.
  static std::optional<SessionDescription> parse(std::string_view text);
};

// Names one side of one dialog's session; the version goes up with every change (RFC 3264 §8).
struct SdpOrigin {
  std::uint64_t id = 0;
  std::uint64_t version = 0;
};

// `audio.rtp` is our own address here. RTCP is on the next port, or the same with rtcp_mux.
std::string write_offer(const SdpOrigin& origin, const AudioDescription& audio);

// Answers `offer` line by line: its audio line with `audio`, every other with port 0 (RFC 3264 §6).
std::string write_answer(const SdpOrigin& origin, const SessionDescription& offer,
                         const AudioDescription& audio);

}  // namespace vas::signaling
