// Text out of sofia-sip's structures, copied: nothing of a sip_t outlives its callback.
#pragma once

#include <sofia-sip/sip.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signaling/gateway/gateway.h"
#include "signaling/sip/sip_event.h"
#include "signaling/ua/sofia_handles.h"

namespace vas::signaling {

std::string text(const char* from);  // empty for null
std::string url_text(const url_t* url);
std::string header_text(const sip_header_t* header);                   // the value alone
std::string unknown_header(const sip_t* sip, std::string_view name);   // empty where it is not there
std::string unknown_headers(const sip_t* sip, std::string_view name);  // all of that name, comma-separated
std::optional<std::string> sdp_of(const sip_t* sip);
std::vector<std::string> uris_of(const sip_record_route_t* route);  // each as `<uri>`
std::string unsupported_of(const sip_require_t* require);           // option tags that we do not know
// Of an INFO: what belongs to its body, or says what it is for (RFC 6086 §4).
std::vector<Header> info_headers_of(const sip_t* sip);
// Of its response: what would have been taken (RFC 3261 §21.4.6, §21.4.13; RFC 6086 §3.3).
std::vector<Header> acceptance_of(const sip_t* sip);
std::string reasons_of(const sip_t* sip);                       // all that may be passed on
std::optional<std::uint32_t> retry_after_of(const sip_t* sip);  // seconds, a day at most

// Header lines for SIPTAG_HEADER_STR. One that is no printable text is left out:
// no CR or LF is ever written.
std::string header_lines(const std::vector<Header>& headers);

// A From or To value with its tag.
std::string with_tag(const std::string& value, std::string_view tag);

// Our Contact towards a peer of `flow`; a sips: URI where it asked with one (RFC 3261 §12.1.1).
std::string contact_text(const Gateway& gateway, const Flow& flow, bool is_sips);

}  // namespace vas::signaling
