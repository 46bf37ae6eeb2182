// Every byte value in every field, from the wire to each place where text is written.
// (docs/signaling.md, "Bytes")
#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "signaling/gateway/policy/guard.h"
#include "signaling/gateway/policy/node_relay.h"
#include "signaling/gateway/trace/message_secrets.h"
#include "signaling/sdp/sdp.h"
#include "signaling/sip/via_editor.h"
#include "tests/support/strict_readers.h"
#include "vas/records/cdr.h"

namespace vas {
namespace {

using namespace signaling;
using test::is_strict_head;
using test::is_strict_json;
using test::is_strict_line;
using test::is_strict_sdp;

// Each byte alone, behind the lead of a two-byte character, and sequences that only look like UTF-8 or like
// an end.
std::vector<std::string> all_bytes() {
  std::vector<std::string> all = {
      "\xed\xa0\x80",     "\xc0\xaf", "\xf4\x90\x80\x80", "\xe2\x82", "\xe2\x82\xac",
      "\xf0\x9f\x93\x9e", "\r\n ",    "\r\n\t",           "\n ",      "\r ",
      "\r\r\n ",          "\t",       "\x1b[31m",         "\x00\r\n "};
  for (int byte = 0; byte < 256; ++byte) {
    all.push_back(std::string(1, static_cast<char>(byte)));
    all.push_back("\xc2" + std::string(1, static_cast<char>(byte)));
  }
  return all;
}

// `@` stands where the bytes go, in one field after the other.
const std::vector<std::string> kFields = {"INVITE sip:b@ob@h SIP/2.0",
                                          "Via: SIP/2.0/UDP h@;branch=z9hG4bK1",
                                          "Via: SIP/2.0/UDP h;branch=z9hG4bK1@",
                                          "Via: SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/TCP x@y;branch=z9",
                                          "From: \"Bo@b\" <sip:a@h>;tag=1",
                                          "From: Bo@b <sip:a@h>;tag=1",
                                          "From: <sip:a@a@h>;tag=1",
                                          "From: <sip:a@h>;tag=1@",
                                          "From: <sip:a@h;x=@>;tag=1",
                                          "To: \"Bo\\@b\" <sip:b@h>",
                                          "To: <sip:b@@h>",
                                          "Call-ID: c@h",
                                          "CSeq: 1@INVITE",
                                          "Contact: \"x@\" <sip:a@192.0.2.1>",
                                          "Contact: <sip:a@192.0.2.1;x=@>",
                                          "Record-Route: <sip:r@192.0.2.1;lr>",
                                          "Route: <sip:r@192.0.2.1;lr;x=@>",
                                          "Max-Forwards: 7@0",
                                          "User-Agent: a@phone",
                                          "Require: @",
                                          "Content-Type: application/@sdp",
                                          "X-Cloudonix-Session: 0123@4567",
                                          "X-Cloudonix-Domain: a@example",
                                          "X-Unk@nown: a",
                                          "Unknown: a@b",
                                          "Unknown@: a",
                                          "X-VAS-Source: @"};

std::string name_of(const std::string& line) { return line.substr(0, line.find_first_of(": ")); }

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

// The last @ of a line is not the bytes' place where it parts a user from a host.
std::string filled(const std::string& line, const std::string& bytes) {
  const auto places = std::count(line.begin(), line.end(), '@');
  const bool has_user = line.find("sip:") != std::string::npos;
  std::size_t at = line.find('@');
  if (has_user && places > 1 && line.find("=@") != std::string::npos) at = line.find("=@") + 1;
  return std::string(line).replace(at, 1, bytes + (has_user && places == 1 ? "@" : ""));
}

std::string message(const std::string& start, const std::string& field) {
  std::string text;
  const std::vector<std::string> lines = {start,
                                          "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
                                          "From: <sip:a@h>;tag=1",
                                          "To: <sip:b@h>;tag=2",
                                          "Call-ID: cid",
                                          "CSeq: 1 INVITE",
                                          "Contact: <sip:a@192.0.2.1>",
                                          "Max-Forwards: 70"};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const bool is_replaced = name_of(lines[i]) == name_of(field);
    if (!is_replaced) text += lines[i] + "\r\n";
  }
  if (field.starts_with("INVITE ")) return field + "\r\n" + text + "Content-Length: 0\r\n\r\n";
  return text + field + "\r\nContent-Length: 0\r\n\r\n";
}

class EveryByte : public testing::Test {
 protected:
  // What a record, a log line, a webhook and a trace make of the message's values.
  void write_values(const SipMessage& read, const std::string& text) {
    records::CallRecord record;
    record.id = "1";
    record.legs[0] = {.role = "caller", .was_present = true};
    for (const HeaderField& each : read.headers) {
      EXPECT_TRUE(is_strict_line(log::line("0123456789", "{}", each.line))) << text;
      record.call_ids.emplace_back(each.value);
    }
    record.from = record.to = record.termination_reason = value_of(read, HeaderName::kFrom);
    record.legs[0].uri = value_of(read, HeaderName::kContact);
    record.legs[0].user_agent = value_of(read, HeaderName::kUserAgent);
    write(record);
    EXPECT_TRUE(is_strict_json(to_text(boost::json::value(without_secrets(text))))) << text;
    EXPECT_EQ(without_secrets(text).size(), text.size());
  }

  void write(const records::CallRecord& record) {
    EXPECT_TRUE(is_strict_json(to_json(record)));
    const std::string draft = to_draft_json(record);
    EXPECT_TRUE(is_strict_json(draft)) << draft;
    EXPECT_TRUE(records::parse_draft_json(draft)) << draft;
  }

  FlowSigner signer_;
  ViaEditor editor_{signer_, *Endpoint::parse("127.0.0.1:7001"), {*Endpoint::parse("127.0.0.1:7002")}};
  NodeRelay relay_{signer_, "secret"};
  Flow source_{Transport::kUdp, *Endpoint::parse("203.0.113.5:61000"), 0};
};

TEST_F(EveryByte, OfARequestIsRefusedOrGoesOnAsText) {
  std::size_t passed = 0, refused_ones = 0;
  for (const std::string& field : kFields) {
    for (const std::string& bytes : all_bytes()) {
      const std::string text = message("INVITE sip:bob@h SIP/2.0", filled(field, bytes));
      const auto read = SipMessage::parse(text);
      if (!read) continue;
      write_values(*read, text);
      const auto refused = check_request(*read, text.size());
      if (!refused) {
        ++passed;
        const std::string edited = editor_.request_to_stack(*read, source_);
        EXPECT_TRUE(is_strict_head(edited)) << edited;
        EXPECT_TRUE(is_strict_head(
            relay_.forwarded(*read, source_, "z9hG4bKb", source_, {source_.peer, true, false})));
        for (const HeaderField& each : read->headers) {
          if (each.name != HeaderName::kOther) {
            EXPECT_TRUE(test::is_strict_utf8(each.value)) << text;
          }
        }
      } else if (refused->status != 0) {
        ++refused_ones;
        EXPECT_TRUE(is_strict_head(stateless_response(*read, source_, *refused, signer_))) << text;
      }
    }
  }
  EXPECT_GT(passed, 2000u);
  EXPECT_GT(refused_ones, 2000u);
}

TEST_F(EveryByte, OfAResponseIsDroppedOrGoesOnAsText) {
  const std::string branch = "z9hG4bKx.0";
  const std::string via = "Via: SIP/2.0/UDP h;branch=" + branch + "." + signer_.keyed_hash(branch) +
                          ".bound\r\nVia: SIP/2.0/UDP i;branch=z9";
  std::size_t passed = 0;
  for (const char* field : {"Server: a@b", "User-Agent: a@b", "Reason: SIP;text=\"@\"", "To: <sip:b>;tag=2@",
                            "From: <sip:a>;tag=@", "Call-ID: c@", "Contact: <sip:a@>", "CSeq: 1@INVITE",
                            "Record-Route: <sip:a;x=@>", "Warning: 399 h \"@\"", "Subject: @", "X@: y"}) {
    for (const std::string& bytes : all_bytes()) {
      for (const bool is_phrase : {false, true}) {
        const std::string line = replaced(field, "@", is_phrase ? "" : bytes);
        std::string text = message("SIP/2.0 200 O" + (is_phrase ? bytes : "") + "K", line);
        text = replaced(text, "Via: SIP/2.0/UDP h;branch=z9hG4bK1", via);
        const auto read = SipMessage::parse(text);
        if (!read || check_response(*read)) continue;
        const auto edited = editor_.response_to_stack(*read, source_);
        ASSERT_TRUE(edited) << text;
        ++passed;
        EXPECT_TRUE(is_strict_head(edited->text)) << edited->text;
        EXPECT_EQ(SipMessage::parse(edited->text)->status(), 200) << text;
        write_values(*read, text);
      }
    }
  }
  EXPECT_GT(passed, 2000u);
}

TEST_F(EveryByte, OfADescriptionPutsNoLineIntoTheOtherPartys) {
  const std::string clean =
      "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=a@\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=group:BUNDLE x@\r\n"
      "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event@/8000\r\na=fmtp:101 0-@16\r\na=mid:x@\r\n"
      "a=ice-ufrag:abcd@\r\na=ice-pwd:0123456789012345678901@\r\na=ptime:20@\r\n"
      "m=vi@deo 0 RTP/@AVP 3@1\r\n";
  const std::string injected = "a=crypto:1 INJECTED";
  std::size_t read = 0;
  for (std::size_t place = clean.find('@'); place != std::string::npos; place = clean.find('@', place + 1)) {
    for (const std::string& bytes : all_bytes()) {
      std::string text = std::string(clean).replace(
          place, 1, bytes.find('\n') == std::string::npos ? bytes + injected : bytes);
      text.erase(std::remove(text.begin(), text.end(), '@'), text.end());
      const auto description = SessionDescription::parse(text);
      if (!description) continue;
      ++read;
      AudioDescription ours = description->audio;
      ours.rtp = *Endpoint::parse("198.51.100.1:4000");
      for (const std::string& written :
           {write_offer({1, 1}, ours), write_answer({1, 1}, *description, ours)}) {
        EXPECT_TRUE(is_strict_sdp(written)) << written;
        EXPECT_EQ(written.find("\n" + injected), std::string::npos) << written;
      }
    }
  }
  EXPECT_GT(read, 2000u);
}

// The second door: the writers by themselves, whoever calls them.
TEST_F(EveryByte, IsHarmlessToEachWriterByItself) {
  for (const std::string& bytes : all_bytes()) {
    const std::string value = "a" + bytes + "z";
    records::CallRecord record;
    record.id = record.from = record.to = record.domain = record.caller_id = record.session = value;
    record.call_ids = {value, value};
    record.route.push_back({.address = value, .number = value});
    record.legs[0] = {.role = "caller", .uri = value, .user_agent = value, .was_present = true};
    write(record);
    EXPECT_TRUE(is_strict_json(to_text(boost::json::object{{value, boost::json::array{value}}})));
    EXPECT_TRUE(is_strict_line(log::line(value, "{}", value)));
    AudioDescription audio{.rtp = *Endpoint::parse("198.51.100.1:4000")};
    audio.formats = {{.fmtp = value}};
    audio.mid = value;
    audio.is_bundled = true;
    audio.ice = IceDescription{value, value, true, {}};
    EXPECT_TRUE(is_strict_sdp(write_offer({1, 1}, audio)));
    SessionDescription offer;
    offer.lines = {{value, value, value}};
    EXPECT_TRUE(is_strict_sdp(write_answer({1, 1}, offer, audio)));
  }
}

}  // namespace
}  // namespace vas
