// Whom a URI names. (RFC 3261 §19.1, RFC 3966)
#pragma once

#include <string>
#include <string_view>

namespace vas::signaling {

// The user of a sip: or sips: URI, or the number of a tel: URI, as numbers are compared: without parameters
// of the user (npdi, rn: RFC 4694; tgrp: RFC 4904; isub, ext, cpc, phone-context), without a password, with
// its escapes undone, and where it is a telephone number (tel:, `user=phone`, or a + in front) without visual
// separators. What its escapes hide and is no text stays escaped. Empty: the URI names nobody.
std::string user_of(std::string_view uri);

}  // namespace vas::signaling
