#include "vas/records/journal_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <optional>

#include "base/bytes.h"

namespace vas::records {
namespace {

constexpr std::string_view kMagic = "\xf5VJ\x02";
// Length and checksum of four bytes each, and the kind.
constexpr std::size_t kOldHeaderBytes = 9;
constexpr std::size_t kHeaderBytes = kMagic.size() + kOldHeaderBytes;
constexpr std::string_view kIdBegins = "{\"id\":\"";
constexpr std::string_view kSessionBegins = "\"session\":\"";
constexpr std::size_t kMaxId = 256;           // of a call, or its token, which may be sealed
constexpr std::size_t kMaxSalvaged = 10'000;  // calls in one damaged piece

std::uint32_t checksum(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

struct Found {
  JournalEntry entry;
  std::size_t bytes = 0;
};

// [length][crc][kind][payload], which both formats end with.
std::optional<Found> read_body(std::string_view rest) {
  if (rest.size() < kOldHeaderBytes) return {};
  const std::size_t length = load_u32(as_bytes(rest), 0);
  if (length > kMaxEntryBytes || rest.size() < kOldHeaderBytes + length) return {};
  const std::string_view body = rest.substr(kOldHeaderBytes - 1, 1 + length);
  const auto kind = static_cast<std::uint8_t>(body[0]);
  if (kind < 1 || kind > 4 || checksum(body) != load_u32(as_bytes(rest), 4)) return {};
  return Found{{static_cast<EntryKind>(kind), std::string(body.substr(1))}, kOldHeaderBytes + length};
}

// A checksum over each place of a damaged file would take hours:
// an old entry holds JSON, which is seen at once.
bool may_be_old(std::string_view rest) {
  if (rest.size() < kOldHeaderBytes + 2 || rest[kOldHeaderBytes] != '{') return false;
  const std::size_t length = load_u32(as_bytes(rest), 0);
  return length >= 2 && length <= kMaxEntryBytes && rest.size() >= kOldHeaderBytes + length &&
         rest[kOldHeaderBytes + length - 1] == '}';
}

std::optional<Found> read_entry(std::string_view rest) {
  if (rest.starts_with(kMagic)) {
    auto found = read_body(rest.substr(kMagic.size()));
    if (found) found->bytes += kMagic.size();
    return found;
  }
  return may_be_old(rest) ? read_body(rest) : std::nullopt;
}

std::size_t find_entry(std::string_view file, std::size_t from) {
  for (std::size_t at = from; at < file.size(); ++at) {
    const std::string_view rest = file.substr(at);
    const bool may_begin = rest.starts_with(kMagic) || may_be_old(rest);
    if (may_begin && read_entry(rest)) return at;
  }
  return file.size();
}

// The last entry, which says that it is longer than what is there: a crash came while it was written.
bool is_torn(std::string_view tail) {
  const bool is_empty =
      tail.find_first_not_of('\0') == std::string_view::npos;  // room that a crash left unwritten
  if (tail.size() < kHeaderBytes || is_empty) return true;
  const std::string_view body = tail.starts_with(kMagic) ? tail.substr(kMagic.size()) : tail;
  const std::size_t length = load_u32(as_bytes(body), 0);
  return length <= kMaxEntryBytes && body.size() < kOldHeaderBytes + length;
}

// The value that begins behind `begins` at `at`; empty when it is none of ours.
std::string value_at(std::string_view text, std::size_t at) {
  const auto end = text.find('"', at);
  if (end == std::string_view::npos || end - at > kMaxId) return {};
  const std::string_view value = text.substr(at, end - at);
  const bool is_plain = std::ranges::all_of(value, [](char c) { return c >= ' ' && c < 0x7f && c != '\\'; });
  return is_plain ? std::string(value) : std::string();
}

Salvaged salvage_one(std::string_view piece) {
  Salvaged salvaged;
  if (const auto id = piece.find(kIdBegins); id != std::string_view::npos)
    salvaged.id = value_at(piece, id + kIdBegins.size());
  if (const auto session = piece.find(kSessionBegins); session != std::string_view::npos)
    salvaged.session = value_at(piece, session + kSessionBegins.size());
  if (salvaged.id.empty() && !salvaged.session.empty())
    salvaged.id = fmt::format("damaged-{:08x}", checksum(piece));
  return salvaged;
}

}  // namespace

std::string encode(const JournalEntry& entry) {
  const std::string body = std::string(1, static_cast<char>(entry.kind)) + entry.payload;
  std::string header(kOldHeaderBytes - 1, '\0');
  MutableBytes bytes(reinterpret_cast<std::uint8_t*>(header.data()), header.size());
  store_u32(bytes, 0, static_cast<std::uint32_t>(entry.payload.size()));
  store_u32(bytes, 4, checksum(body));
  return std::string(kMagic) + header + body;
}

DecodedJournal decode(std::string_view file) {
  DecodedJournal decoded;
  for (std::size_t at = 0; at < file.size();) {
    if (auto found = read_entry(file.substr(at))) {
      decoded.entries.push_back(std::move(found->entry));
      at += found->bytes;
      decoded.valid_bytes = at;
      continue;
    }
    const std::size_t next = find_entry(file, at + 1);
    const std::string_view piece = file.substr(at, next - at);
    at = next;
    if (next == file.size() && is_torn(piece)) break;
    decoded.damaged.push_back(piece);
    decoded.valid_bytes = at;
  }
  return decoded;
}

std::vector<Salvaged> salvage(std::string_view damaged) {
  std::vector<Salvaged> all;
  for (std::size_t at = 0; at < damaged.size() && all.size() < kMaxSalvaged;) {
    const auto next = damaged.find(kIdBegins, at + 1);
    Salvaged salvaged = salvage_one(damaged.substr(at, next - at));
    if (!salvaged.id.empty()) all.push_back(std::move(salvaged));
    at = next;
  }
  return all;
}

}  // namespace vas::records
