// Any bytes into every writer of text: JSON, records, log lines, SIP headers, SDP; what comes out is read by
// readers that forgive nothing. (docs/signaling.md, "Bytes")
#include <cstdlib>

#include "base/json.h"
#include "base/log.h"
#include "signaling/gateway/trace/message_secrets.h"
#include "signaling/sdp/sdp.h"
#include "signaling/sip/message_lines.h"
#include "tests/support/strict_readers.h"
#include "vas/records/cdr.h"

namespace {

using namespace vas;
using namespace vas::signaling;

void require(bool condition) {
  if (!condition) std::abort();
}

void write_json(const std::string& text) {
  require(
      test::is_strict_json(to_text(boost::json::object{{text, boost::json::array{text, {{"a", text}}}}})));
  // What is well-formed comes back as it was.
  if (test::is_strict_utf8(text))
    require(boost::json::parse(to_text(boost::json::value(text))) == boost::json::value(text));
  records::CallRecord record;
  record.id = "1";
  record.from = record.to = record.domain = record.termination_reason = text;
  record.call_ids = {text};
  record.legs[0] = {.role = "caller", .uri = text, .user_agent = text, .was_present = true};
  require(test::is_strict_json(to_json(record)));
  const std::string draft = to_draft_json(record);
  require(test::is_strict_json(draft) && records::parse_draft_json(draft).has_value());
}

void write_lines(const std::string& text) {
  require(test::is_strict_line(log::line(text, "{}", text)));
  require(test::is_strict_line(printable(text)));
  if (test::is_strict_line(text)) require(printable(text) == text && is_printable(text));
  const std::string hidden = with_stand_ins(text, '?');
  require(hidden.size() == text.size() && test::is_strict_line(hidden));
  std::string head = "OPTIONS sip:x SIP/2.0\r\n";
  append_line(head, "X: " + text);
  append_header(head, "Y", text);
  require(test::is_strict_head(head + "\r\n"));
  require(without_secrets(text).size() == text.size());
}

void write_sdp(const std::string& text) {
  AudioDescription audio{.rtp = *Endpoint::parse("198.51.100.1:4000")};
  audio.formats = {{.fmtp = text}};
  audio.mid = text;
  audio.is_bundled = true;
  audio.ice = IceDescription{text, text, true, {}};
  require(test::is_strict_sdp(write_offer({1, 1}, audio)));
  SessionDescription offer;
  offer.lines = {{text, text, text}};
  require(test::is_strict_sdp(write_answer({1, 1}, offer, audio)));
  if (const auto read = SessionDescription::parse(text)) {
    audio = read->audio;
    audio.rtp = *Endpoint::parse("198.51.100.1:4000");
    require(test::is_strict_sdp(write_answer({1, 1}, *read, audio)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  write_json(text);
  write_lines(text);
  write_sdp(text);
  return 0;
}
