// Responses that are a status and headers.
#pragma once

#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_tag.h>

#include <string>
#include <vector>

#include "signaling/sip/reason_phrase.h"
#include "signaling/sip/sip_event.h"
#include "signaling/ua/sofia_text.h"

namespace vas::signaling {

inline void respond(nta_incoming_t* request, int status, const std::vector<Header>& headers = {}) {
  const std::string lines = header_lines(headers);
  nta_incoming_treply(request, status, reason_phrase(status),
                      SIPTAG_HEADER_STR(lines.empty() ? nullptr : lines.c_str()), TAG_END());
}

// For what control is not asked about. As a callback's value: nta has nothing left to do.
inline int respond_and_release(nta_incoming_t* request, int status, const std::vector<Header>& headers = {}) {
  respond(request, status, headers);
  nta_incoming_destroy(request);
  return 0;
}

}  // namespace vas::signaling
