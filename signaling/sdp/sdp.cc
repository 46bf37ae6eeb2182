#include "signaling/sdp/sdp.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace vas::signaling {
namespace {

// More than a SIP message has room for.
constexpr std::size_t kMaxTextBytes = 64 * 1024;
// A fingerprint or a key is a hundred bytes or two.
constexpr std::size_t kMaxLineBytes = 1024;
// One of audio is used; a conference phone offers a handful.
constexpr std::size_t kMaxMediaLines = 16;
// There are 128 payload types, and phones offer a dozen.
constexpr std::size_t kMaxFormats = 64;

// One a suite; there are a dozen, and some say each with two keys.
constexpr std::size_t kMaxCryptoAttributes = 16;
constexpr std::size_t kMaxCandidates = 32;
constexpr std::array<std::string_view, 6> kProtocolNames{
    "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"};
constexpr std::array<std::string_view, 3> kSetupNames{"actpass", "active", "passive"};
constexpr std::array<std::string_view, 4> kWeakHashes{"sha-1", "sha-224", "md5", "md2"};

std::optional<MediaProtocol> protocol_named(std::string_view name) {
  return named<MediaProtocol>(kProtocolNames, name);
}

bool is_ice_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '/';
}

// One media line with what belongs to it, as text.
struct Section {
  std::string_view media;  // value of m=
  std::string_view connection;
  std::vector<std::string_view> attributes;
};

std::optional<IpAddress> parse_connection(std::string_view value) {
  // "IN IP4 192.0.2.1"; a multicast TTL behind a slash is no call of ours.
  const auto words = split(value, ' ');
  if (words.size() != 3 || words[0] != "IN") return {};
  return IpAddress::parse(words[2]);
}

// "rtpmap:111 opus/48000/2" and the like: what follows `name:` and the payload type.
std::optional<std::string_view> format_attribute(const Section& section, std::string_view name,
                                                 std::string_view payload_type) {
  for (const std::string_view attribute : section.attributes) {
    if (!attribute.starts_with(name) || attribute.size() <= name.size() || attribute[name.size()] != ':')
      continue;
    const std::string_view rest = attribute.substr(name.size() + 1);
    const auto blank = rest.find(' ');
    if (blank != std::string_view::npos && rest.substr(0, blank) == payload_type)
      return trim(rest.substr(blank + 1));
  }
  return {};
}

std::optional<std::string_view> value_attribute(const Section& section, std::string_view name) {
  for (const std::string_view attribute : section.attributes) {
    if (attribute == name) return std::string_view{};
    if (attribute.starts_with(name) && attribute[name.size()] == ':')
      return trim(attribute.substr(name.size() + 1));
  }
  return {};
}

std::optional<AudioFormat> parse_format(const Section& section, std::string_view text) {
  const auto payload_type = parse_number<std::uint8_t>(text);
  if (!payload_type || *payload_type > 127) return {};
  AudioFormat format{.payload_type = {*payload_type},
                     .fmtp = std::string(format_attribute(section, "fmtp", text).value_or(""))};
  const auto rtpmap = format_attribute(section, "rtpmap", text);
  if (!rtpmap) {
    const auto codec = media::codec_by_static_payload_type(format.payload_type);
    if (!codec) return {};
    format.codec = *codec;
    format.clock_rate = media::info_of(*codec).clock_rate;
    return format;
  }
  const auto parts = split(*rtpmap, '/');
  const auto codec = media::codec_by_name(trim(parts[0]));
  const auto clock_rate =
      parts.size() < 2 ? std::optional<std::uint32_t>() : parse_number<std::uint32_t>(trim(parts[1]));
  if (!codec || !clock_rate) return {};
  const std::uint32_t own_clock = media::info_of(*codec).clock_rate;
  const bool is_audio = media::is_audio(*codec);
  // Some write how often G722 samples, and mean what everybody means (RFC 3551 §4.5.2).
  const bool is_sampling_rate = *codec == media::Codec::kG722 && *clock_rate == 16000;
  const bool has_known_clock =
      is_audio ? *clock_rate == own_clock || is_sampling_rate : *clock_rate >= 8000 && *clock_rate <= 96000;
  if (!has_known_clock) return {};
  format.codec = *codec;
  format.clock_rate = is_audio ? own_clock : *clock_rate;
  return format;
}

Direction parse_direction(const Section& session, const Section& section) {
  constexpr std::pair<std::string_view, Direction> kNames[] = {{"sendrecv", {true, true}},
                                                               {"sendonly", {true, false}},
                                                               {"recvonly", {false, true}},
                                                               {"inactive", {false, false}}};
  for (const Section* each : {&section, &session}) {
    for (const auto& [name, direction] : kNames) {
      if (std::find(each->attributes.begin(), each->attributes.end(), name) != each->attributes.end())
        return direction;
    }
  }
  return {};
}

// Of the media line, or of the session for all lines.
std::optional<std::string_view> either_attribute(const Section& session, const Section& section,
                                                 std::string_view name) {
  const auto own = value_attribute(section, name);
  return own ? own : value_attribute(session, name);
}

std::vector<std::string_view> values_of(const Section& section, std::string_view name) {
  std::vector<std::string_view> values;
  for (const std::string_view attribute : section.attributes) {
    if (attribute.starts_with(name) && attribute.size() > name.size() && attribute[name.size()] == ':')
      values.push_back(trim(attribute.substr(name.size() + 1)));
  }
  return values;
}

// RFC 8842 §4: letters, digits, +, /, - and _.
bool is_tls_id(std::string_view text) {
  // RFC 8842 §4.
  constexpr std::size_t kShortest = 20, kLongest = 255;
  return text.size() >= kShortest && text.size() <= kLongest &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_ice_char(c) || c == '-' || c == '_'; });
}

// The name of the hash of one `a=fingerprint` that is none of ours, if it has one.
std::string weak_hash_of(std::string_view fingerprint) {
  const std::string name = to_lower(fingerprint.substr(0, fingerprint.find(' ')));
  const bool is_weak = std::find(kWeakHashes.begin(), kWeakHashes.end(), name) != kWeakHashes.end();
  return is_weak ? name : std::string();
}

// Of several fingerprints each that we can check will do; those of a media line stand in place of the
// session's (RFC 8122 §5).
void parse_dtls(const Section& session, const Section& section, AudioDescription& audio) {
  auto lines = values_of(section, "fingerprint");
  if (lines.empty()) lines = values_of(session, "fingerprint");
  DtlsDescription dtls;
  for (const std::string_view line : lines) {
    if (auto known = media::CertificateFingerprint::parse(line)) dtls.fingerprints.add(std::move(*known));
    if (audio.weak_hash.empty()) audio.weak_hash = weak_hash_of(line);
  }
  const auto setup =
      named<DtlsSetup>(kSetupNames, either_attribute(session, section, "setup").value_or("actpass"));
  if (dtls.fingerprints.is_empty() || !setup) return;
  audio.weak_hash.clear();
  dtls.setup = *setup;
  const auto tls_id = either_attribute(session, section, "tls-id").value_or("");
  if (is_tls_id(tls_id)) dtls.tls_id = tls_id;
  audio.dtls = std::move(dtls);
}

// RFC 8839 §5.4: letters, digits, + and /; ufrag 4 to 256, password 22 to 256.
std::optional<IceDescription> parse_ice(const Section& session, const Section& section) {
  constexpr std::size_t kLongest = 256, kShortestUfrag = 4, kShortestPassword = 22;
  const auto ufrag = either_attribute(session, section, "ice-ufrag").value_or("");
  const auto password = either_attribute(session, section, "ice-pwd").value_or("");
  const bool is_good = ufrag.size() >= kShortestUfrag && ufrag.size() <= kLongest &&
                       password.size() >= kShortestPassword && password.size() <= kLongest &&
                       std::all_of(ufrag.begin(), ufrag.end(), is_ice_char) &&
                       std::all_of(password.begin(), password.end(), is_ice_char);
  if (!is_good) return {};
  IceDescription ice{
      std::string(ufrag), std::string(password), value_attribute(session, "ice-lite").has_value(), {}};
  constexpr std::string_view kCandidate = "candidate:";
  for (const std::string_view attribute : section.attributes) {
    if (!attribute.starts_with(kCandidate) || ice.candidates.size() == kMaxCandidates) continue;
    if (const auto candidate = ice::parse_candidate(attribute.substr(kCandidate.size())))
      ice.candidates.push_back(*candidate);
  }
  return ice;
}

void parse_grouping(const Section& session, const Section& section, AudioDescription& audio) {
  // It is said back: no more of a peer's bytes than it needs.
  constexpr std::size_t kLongestMid = 64;
  const auto mid = value_attribute(section, "mid").value_or("");
  const bool is_token = mid.find_first_of(" \t") == std::string_view::npos && mid.size() <= kLongestMid;
  if (mid.empty() || !is_token) return;
  audio.mid = mid;
  const auto words = split(value_attribute(session, "group").value_or(""), ' ');
  audio.is_bundled =
      words.front() == "BUNDLE" && std::find(words.begin() + 1, words.end(), mid) != words.end();
}

std::optional<AudioDescription> parse_audio(const Section& session, const Section& section,
                                            const std::vector<std::string_view>& words) {
  const auto port = parse_number<std::uint16_t>(words[1].substr(0, words[1].find('/')));
  const auto address = parse_connection(section.connection.empty() ? session.connection : section.connection);
  if (!port || *port == 0 || !address) return {};

  AudioDescription audio{.rtp = {*address, *port}, .rtcp = {*address, static_cast<std::uint16_t>(*port + 1)}};
  audio.rtcp_mux = value_attribute(section, "rtcp-mux").has_value();
  if (const auto rtcp =
          value_attribute(section, "rtcp")) {  // RFC 3605: "53020 IN IP4 192.0.2.1" or the port alone
    const auto blank = rtcp->find(' ');
    const auto rtcp_port = parse_number<std::uint16_t>(rtcp->substr(0, blank));
    const auto rtcp_address =
        blank == std::string_view::npos ? address : parse_connection(rtcp->substr(blank + 1));
    if (rtcp_port && *rtcp_port != 0 && rtcp_address) audio.rtcp = {*rtcp_address, *rtcp_port};
  }
  if (audio.rtcp_mux) audio.rtcp = audio.rtp;
  audio.direction = parse_direction(session, section);
  audio.ice = parse_ice(session, section);
  // RFC 2543's hold; with ICE it only says that no address is known yet (RFC 8840 §4.1.1).
  if (address->is_unspecified() && !audio.ice) audio.direction.receives = false;
  if (const auto ptime = value_attribute(section, "ptime")) audio.ptime_ms = parse_number<int>(*ptime);
  if (audio.ptime_ms && (*audio.ptime_ms < 1 || *audio.ptime_ms > 200)) audio.ptime_ms.reset();
  if (const auto maxptime = value_attribute(section, "maxptime"))
    audio.maxptime_ms = parse_number<int>(*maxptime);
  if (audio.maxptime_ms && (*audio.maxptime_ms < 1 || *audio.maxptime_ms > 1000)) audio.maxptime_ms.reset();

  audio.protocol = *protocol_named(words[2]);
  parse_dtls(session, section, audio);
  parse_grouping(session, section, audio);
  for (const std::string_view attribute : section.attributes) {
    if (!attribute.starts_with("crypto:") || audio.crypto.size() == kMaxCryptoAttributes) continue;
    if (const auto crypto = parse_crypto(attribute.substr(attribute.find(':') + 1)))
      audio.crypto.push_back(*crypto);
  }

  for (std::size_t i = 3; i < words.size(); ++i) {
    const auto format = parse_format(section, words[i]);
    const auto same = [&](const AudioFormat& each) { return each.payload_type == format->payload_type; };
    if (format && std::none_of(audio.formats.begin(), audio.formats.end(), same))
      audio.formats.push_back(*format);
  }
  return audio;
}

// Splits text into the session's section and one for each m= line. Nothing when it breaks a bound, or where a
// media line or an address is no text. An attribute that is none, one with a CR among them, which ends a line
// for another reader, is as though it had not come (docs/signaling.md, "Bytes").
std::optional<std::vector<Section>> parse_sections(std::string_view text) {
  std::vector<Section> sections(1);
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (line.size() > kMaxLineBytes || line.size() < 2 || line[1] != '=') return {};
    const std::string_view value = line.substr(2);
    const bool is_text = is_printable(value);
    switch (line[0]) {
      case 'm':
        if (sections.size() > kMaxMediaLines || !is_text) return {};
        sections.push_back({.media = value});
        break;
      case 'c':
        if (!is_text) return {};
        sections.back().connection = value;
        break;
      case 'a':
        if (is_text) sections.back().attributes.push_back(value);
        break;
      default: break;
    }
  }
  return sections;
}

// Text of a peer's inside a line of ours: none of its bytes ends the line.
std::string as_line(std::string_view text) { return with_stand_ins(text, '?'); }

// A lite side is its own and only candidate.
void append_ice(std::string& out, const IceDescription& ice, const Endpoint& rtp) {
  out += fmt::format("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", as_line(ice.ufrag), as_line(ice.password));
  if (ice.candidates.empty())
    out += fmt::format("a=candidate:{}\r\n", ice::to_sdp(ice::Candidate{.address = rtp}));
  for (const ice::Candidate& each : ice.candidates)
    out += fmt::format("a=candidate:{}\r\n", ice::to_sdp(each));
  out += "a=end-of-candidates\r\n";
}

// RFC 8866 §5.7: one for each media description where the session has none.
std::string connection_line(const IpAddress& address) {
  return fmt::format("c=IN {} {}\r\n", address.family == AddressFamily::kIpv4 ? "IP4" : "IP6",
                     to_string(address));
}

void append_audio(std::string& out, const AudioDescription& audio) {
  out +=
      fmt::format("m=audio {} {}", audio.rtp.port, kProtocolNames[static_cast<std::size_t>(audio.protocol)]);
  for (const AudioFormat& format : audio.formats) out += fmt::format(" {}", format.payload_type.value);
  out += "\r\n" + connection_line(audio.rtp.address);
  for (const AudioFormat& format : audio.formats) {
    const media::CodecInfo& info = media::info_of(format.codec);
    out += fmt::format("a=rtpmap:{} {}/{}{}\r\n", format.payload_type.value, info.name, format.clock_rate,
                       info.channels == 2 ? "/2" : "");
    if (!format.fmtp.empty())
      out += fmt::format("a=fmtp:{} {}\r\n", format.payload_type.value, as_line(format.fmtp));
  }
  if (audio.ptime_ms) out += fmt::format("a=ptime:{}\r\n", *audio.ptime_ms);
  if (audio.maxptime_ms) out += fmt::format("a=maxptime:{}\r\n", *audio.maxptime_ms);
  if (audio.rtcp_mux) out += "a=rtcp-mux\r\n";
  for (const CryptoAttribute& each : audio.crypto) out += fmt::format("a=crypto:{}\r\n", to_string(each));
  if (!audio.mid.empty()) out += fmt::format("a=mid:{}\r\n", as_line(audio.mid));
  if (audio.dtls) {
    for (const media::CertificateFingerprint& each : audio.dtls->fingerprints.all())
      out += fmt::format("a=fingerprint:{}\r\n", each.text());
    out += fmt::format("a=setup:{}\r\n", kSetupNames[static_cast<std::size_t>(audio.dtls->setup)]);
    if (!audio.dtls->tls_id.empty()) out += fmt::format("a=tls-id:{}\r\n", as_line(audio.dtls->tls_id));
  }
  if (audio.ice) append_ice(out, *audio.ice, audio.rtp);
  if (audio.ssrc) out += fmt::format("a=ssrc:{} cname:{}\r\n", audio.ssrc->value, media::kCname);
  const Direction direction = audio.direction;
  out += direction.sends ? (direction.receives ? "a=sendrecv\r\n" : "a=sendonly\r\n")
                         : (direction.receives ? "a=recvonly\r\n" : "a=inactive\r\n");
}

std::string session_lines(const SdpOrigin& origin, const AudioDescription& audio) {
  const IpAddress& address = audio.rtp.address;
  const char* family = address.family == AddressFamily::kIpv4 ? "IP4" : "IP6";
  std::string out = fmt::format("v=0\r\no=vas {} {} IN {} {}\r\ns=-\r\nt=0 0\r\n", origin.id, origin.version,
                                family, to_string(address));
  if (audio.is_bundled) out += fmt::format("a=group:BUNDLE {}\r\n", as_line(audio.mid));
  if (audio.ice && audio.ice->is_lite) out += "a=ice-lite\r\n";
  return out;
}

}  // namespace

bool AudioDescription::has_audio_codec() const {
  return std::any_of(formats.begin(), formats.end(),
                     [](const AudioFormat& each) { return media::is_audio(each.codec); });
}

std::optional<SessionDescription> SessionDescription::parse(std::string_view text) {
  if (text.size() > kMaxTextBytes || !text.starts_with("v=0")) return {};
  const auto sections = parse_sections(text);
  if (!sections || sections->size() < 2) return {};

  SessionDescription description;
  for (std::size_t i = 1; i < sections->size(); ++i) {
    const Section& section = (*sections)[i];
    const auto words = split(trim(section.media), ' ');
    if (words.size() < 4 || words.size() > 3 + kMaxFormats) return {};
    const auto formats_at = static_cast<std::size_t>(words[3].data() - section.media.data());
    description.lines.push_back(
        {std::string(words[0]), std::string(words[2]), std::string(section.media.substr(formats_at))});

    const bool may_be_ours = !description.audio_line && words[0] == "audio" && protocol_named(words[2]);
    if (!may_be_ours) continue;
    // RFC 8866 §5.7. Of a line that is refused nobody needs one, and many leave it out.
    const bool lacks_address = section.connection.empty() && sections->front().connection.empty();
    if (lacks_address && words[1] != "0") return {};
    if (const auto audio = parse_audio(sections->front(), section, words)) {
      description.audio = *audio;
      description.audio_line = i - 1;
    }
  }
  return description;
}

std::string write_offer(const SdpOrigin& origin, const AudioDescription& audio) {
  std::string out = session_lines(origin, audio);
  append_audio(out, audio);
  return out;
}

std::string write_answer(const SdpOrigin& origin, const SessionDescription& offer,
                         const AudioDescription& audio) {
  std::string out = session_lines(origin, audio);
  for (std::size_t i = 0; i < offer.lines.size(); ++i) {
    const MediaLine& line = offer.lines[i];
    if (offer.audio_line == i) {
      append_audio(out, audio);
    } else {
      out +=
          fmt::format("m={} 0 {} {}\r\n", as_line(line.kind), as_line(line.protocol), as_line(line.formats));
      out += connection_line(audio.rtp.address);
    }
  }
  return out;
}

}  // namespace vas::signaling
