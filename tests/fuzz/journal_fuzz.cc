// A journal file, torn or overwritten in any way; and what its entries hold.
#include <cstdlib>

#include "vas/records/cdr_journal.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vas::records;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  std::size_t valid_bytes = 0;
  (void)decode(file, valid_bytes);
  if (valid_bytes > size) std::abort();
  (void)parse_draft_json(file);
  const JournalEntry entry{EntryKind::kStarted, std::string(file)};
  const std::string encoded = encode(entry);
  if (file.size() < 1000 && decode(encoded, valid_bytes).size() != 1) std::abort();
  return 0;
}
