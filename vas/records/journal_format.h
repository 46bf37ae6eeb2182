// The journal's file: its entries, and how they are found again in a file that is damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vas::records {

// One entry of the file: [magic 4][length u32][crc32 u32][kind u8][payload]. The first byte of the magic
// stands in no text, so that the next entry is found behind a damaged one. Earlier versions wrote no magic;
// their entries are read too.
enum class EntryKind : std::uint8_t {
  kStarted = 1,
  kUpdated = 2,
  kEnded = 3,
  kAlive = 4,  // the process lived at this time, and with it every call that is open
};

struct JournalEntry {
  EntryKind kind = EntryKind::kStarted;
  // kStarted, kUpdated: draft JSON; kEnded: the record's JSON, whose "id" names the call; kAlive: LastSign's.
  std::string payload;
};

// Bounds: a payload of kMaxEntryBytes; a longer one is not believed.
inline constexpr std::size_t kMaxEntryBytes = 1 << 20;

std::string encode(const JournalEntry& entry);

// Lifetime: the damaged pieces are borrowed from the file's bytes.
struct DecodedJournal {
  std::vector<JournalEntry> entries;      // all whole ones, in their order
  std::vector<std::string_view> damaged;  // what lies between and behind them, and is not torn
  std::size_t valid_bytes = 0;            // without an entry that a crash cut short at the end
};
DecodedJournal decode(std::string_view file);

// What can still be said of the calls in a damaged piece: our JSON begins with `{"id":"`.
struct Salvaged {
  std::string id;
  std::string session;
};
std::vector<Salvaged> salvage(std::string_view damaged);

}  // namespace vas::records
