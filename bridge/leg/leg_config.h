// What signaling decided of a leg's media: plain values that travel to the leg's worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/time.h"
#include "ice/agent/candidate.h"
#include "ice/agent/ice_lite.h"
#include "media/codec/codec.h"
#include "media/rtp/receive_stats.h"
#include "media/rtp/rtp_types.h"
#include "media/srtp/dtls_session.h"
#include "media/srtp/srtp_suite.h"

namespace vas::bridge {

inline constexpr int kTosExpeditedForwarding = 0xb8;  // of all media that is sent: DSCP EF, RFC 3246

// RTP of a party that is relayed in a second: ten times what 10 ms of audio in a packet make.
inline constexpr int kLegPacketsPerSecond = 1000;

struct BridgeId {
  std::uint64_t value = 0;
  friend auto operator<=>(BridgeId, BridgeId) = default;
};

// A two-party bridge's sides: leg A called, leg B was called.
enum class LegSide : std::uint8_t { kA, kB };

constexpr LegSide other(LegSide side) { return side == LegSide::kA ? LegSide::kB : LegSide::kA; }
constexpr std::size_t index_of(LegSide side) { return static_cast<std::size_t>(side); }

// Whether a leg has a pair of ports of its own, or shares one with its worker's other legs, which tells them
// apart by ICE.
enum class PortUse : std::uint8_t { kOwn, kShared };

struct LegFormat {
  media::PayloadType payload_type;
  media::Codec codec = media::Codec::kPcmu;
  std::uint32_t clock_rate = 8000;
  friend bool operator==(const LegFormat&, const LegFormat&) = default;
};

// Under which key the party sends, and under which it is sent (RFC 3711).
struct LegSrtp {
  media::SrtpKey inbound;
  media::SrtpKey outbound;
  friend bool operator==(const LegSrtp&, const LegSrtp&) = default;
};

// Or: they are agreed by DTLS, with a certificate of these fingerprints (RFC 5763).
struct LegDtls {
  media::DtlsRole role = media::DtlsRole::kServer;
  media::CertificateFingerprints peer;
  std::string tls_id;  // the party's name of the association (RFC 8842 §4); empty: it gives none
  friend bool operator==(const LegDtls&, const LegDtls&) = default;
};

// The party proves by ICE where it is. Lite: it checks, we respond. Full: an agent finds the path, and hands
// its socket over.
struct LegIce {
  ice::IceCredentials local;
  ice::IceCredentials remote;
  bool is_full = false;
  ice::IceRole role = ice::IceRole::kControlled;
  std::vector<ice::Candidate> peers;  // of the party; a lite side has no use for them
  friend bool operator==(const LegIce&, const LegIce&) = default;
};

enum class Component : std::uint8_t { kRtp, kRtcp };  // which of a leg's two sockets

struct LegConfig {
  // What the party's SDP promised to receive at. An unspecified address is sent nothing (RFC 3264 §8.4).
  Endpoint far_rtp;
  Endpoint far_rtcp;
  bool rtcp_mux = false;

  // Who else may take the latch: the address that the leg's SIP comes from; anybody, by configuration only.
  std::optional<IpAddress> signaling_address;
  bool latches_to_anyone = false;
  bool must_show = false;  // SDP's address is sent nothing until media came from it: a private one
  bool symmetric = true;   // false: the party sends from another port than it receives at

  bool sends = true;     // the party's direction lets it send media
  bool receives = true;  // the party's direction lets us send media to it
  std::vector<LegFormat> formats;
  std::optional<LegSrtp> srtp;  // neither this nor DTLS: plain RTP
  std::optional<LegDtls> dtls;
  std::optional<LegIce> ice;  // then far_rtp and far_rtcp mean nothing, and without rtcp_mux there is no RTCP
  friend bool operator==(const LegConfig&, const LegConfig&) = default;
};

// One source's packets from one address.
struct HeardStream {
  Endpoint source;
  media::Ssrc ssrc;
  friend bool operator==(const HeardStream&, const HeardStream&) = default;
};

// What a leg counted: the record's figures. What is not known is absent, never 0.
struct LegStats {
  media::ReceiveSummary received;
  std::uint64_t sent_packets = 0;
  std::uint64_t sent_bytes = 0;
  std::uint64_t sent_by_kernel = 0;  // of sent_packets: by the fast path

  // What the party's RTCP said of the stream we sent it.
  std::optional<std::int64_t> reported_lost;
  std::optional<double> reported_jitter_ms;
  std::optional<double> reported_jitter_max_ms;
  std::optional<double> round_trip_ms;

  std::uint32_t telephone_events = 0;
  std::optional<media::Codec> codec;  // of the last audio packet
  std::optional<double> ptime_ms;     // between the timestamps of successive audio packets
  std::optional<media::SrtpSuite> srtp;
  Endpoint media_endpoint;           // where its media went at last
  std::optional<HeardStream> heard;  // whom the latch took last

  std::uint64_t refused_source = 0;        // RTP from an address that nothing proved
  std::uint64_t unknown_payload_type = 0;  // RTP of a payload type that was not negotiated
  std::uint64_t malformed = 0;
  std::uint64_t oversized = 0;        // datagrams larger than what is read
  std::uint64_t unauthenticated = 0;  // SRTP and SRTCP that the party's key does not open
  std::uint64_t replayed = 0;         // SRTP and SRTCP that was there before
  std::uint64_t overrun = 0;          // did not fit into the sockets' receive buffers: we were too slow
  std::uint64_t expired = 0;          // TTL used up: a loop
  std::uint64_t over_limit = 0;       // RTP beyond what a leg may send in a second
};

}  // namespace vas::bridge
