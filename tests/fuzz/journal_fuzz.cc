// A journal file, torn or overwritten in any way; and what its entries hold.
#include <cstdlib>

#include "vas/records/cdr.h"
#include "vas/records/journal_format.h"

namespace {

using namespace vas::records;

void check(bool is_true) {
  if (!is_true) std::abort();
}

void read_all(std::string_view file) {
  const DecodedJournal decoded = decode(file);
  check(decoded.valid_bytes <= file.size());
  for (const JournalEntry& entry : decoded.entries) {
    (void)salvage(entry.payload);
    (void)parse_draft_json(entry.payload);
    (void)parse_last_sign(entry.payload);
  }
  for (const std::string_view piece : decoded.damaged) (void)salvage(piece);
}

// Whatever stands between two entries, or becomes of one byte, both others are found. (The input may hold
// entries of its own.)
void damage(std::string_view bytes) {
  const std::string first = encode({EntryKind::kStarted, R"({"id":"1"})"});
  const std::string last = encode({EntryKind::kEnded, R"({"id":"2"})"});
  const auto entries = decode(first + std::string(bytes) + last).entries;
  check(!entries.empty() && entries.front().payload == R"({"id":"1"})");
  // What may begin an entry of its own can also be made to reach over the last one.
  if (bytes.size() < 2 || bytes.find_first_of("\xf5{") != std::string_view::npos) return;
  std::string middle = encode({EntryKind::kUpdated, std::string(bytes.substr(2))});
  char& hit = middle[static_cast<unsigned char>(bytes[0]) % middle.size()];
  hit = static_cast<char>(hit ^ (bytes[1] | 1));
  const auto around = decode(first + middle + last).entries;
  check(around.size() >= 2 && around.front().payload == R"({"id":"1"})" &&
        around.back().payload == R"({"id":"2"})");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  read_all(file);
  (void)parse_draft_json(file);
  (void)salvage(file);
  const std::string encoded = encode({EntryKind::kStarted, std::string(file)});
  check(size > kMaxEntryBytes || decode(encoded).entries.size() == 1);
  damage(file);
  return 0;
}
