#include "signaling/sip/message_lines.h"

#include "base/text.h"

namespace vas::signaling {

void append_line(std::string& out, std::string_view line) {
  const std::size_t begin = out.size();
  if (is_printable(line)) {
    out += line;
  } else {
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line.substr(i, 2) == "\r\n") continue;
      out += line[i] == '\n' || line[i] == '\t' ? ' ' : line[i];
    }
    out.replace(begin, std::string::npos, with_stand_ins(std::string_view(out).substr(begin), '?'));
  }
  out += "\r\n";
}

void append_start_line(std::string& out, const SipMessage& message) {
  constexpr std::string_view kVersion = "SIP/2.0";
  std::string line(message.start_line);
  if (message.is_request()) {
    if (equals_ignoring_case(message.version(), kVersion))
      line.replace(line.size() - kVersion.size(), kVersion.size(), kVersion);
  } else if (starts_with_ignoring_case(line, kVersion)) {
    line.replace(0, kVersion.size(), kVersion);
    if (line.size() == kVersion.size() + std::string_view(" 200").size()) line += ' ';
  }
  append_line(out, line);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) append_line(out, std::string(name) + ": " + std::string(value));
}

std::string with_received(const Via& via, const Flow& source) {
  std::string text;
  const auto pieces = split(via.text, ';');
  text += trim(pieces[0]);
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    const std::string_view name = trim(pieces[i].substr(0, pieces[i].find('=')));
    if (equals_ignoring_case(name, "received") || equals_ignoring_case(name, "rport")) continue;
    text += ";";
    text += trim(pieces[i]);
  }
  text += ";received=" + to_string(source.peer.address);
  if (via.has_rport) text += ";rport=" + std::to_string(source.peer.port);
  return text;
}

}  // namespace vas::signaling
