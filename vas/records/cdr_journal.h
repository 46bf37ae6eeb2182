// The journal of calls: what was admitted survives any crash, and leaves exactly one record.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "vas/base/result.h"
#include "vas/records/cdr.h"
#include "vas/secrets/sealer.h"

namespace vas::records {

// One entry of the file: [length u32][crc32 u32][kind u8][payload]. A torn tail is cut off at start.
enum class EntryKind : std::uint8_t { kStarted = 1, kUpdated = 2, kEnded = 3 };

struct JournalEntry {
  EntryKind kind = EntryKind::kStarted;
  std::string payload;  // kStarted, kUpdated: draft JSON, sealed where there is a key; kEnded: the record's
                        // JSON, whose "id" names the call
};

std::string encode(const JournalEntry& entry);
// Whole entries from the front of `file`; `valid_bytes` is where the first broken one begins.
std::vector<JournalEntry> decode(std::string_view file, std::size_t& valid_bytes);

// Append-only, with a writer thread of its own that commits whatever is queued as soon as the previous commit
// ends.
//
// `journal` holds the entries, `records.jsonl` beside it every finished record, one JSON a line, each once:
// at start the lines that a crash kept from it are added, and calls left open are closed as node-failure.
// forget_past() then lets the journal begin anew.
//
// Threads: start(), update(), end() from control; callbacks run on the writer's thread.
// Bounds:  the queue holds kMaxQueued entries. Beyond it start() refuses, so that no call is admitted without
// its
//          entry; what belongs to admitted calls is always taken, and an ending that the disk refuses is kept
//          until it takes it.
class CdrJournal {
 public:
  static constexpr std::size_t kMaxQueued = 100'000;
  // What nobody waits for may wait for company: one sync of the disk for many entries.
  static constexpr auto kLinger = std::chrono::milliseconds(5);
  static constexpr std::uint64_t kRenewAt = 64 << 20;  // bytes
  using Done = std::function<void(bool written)>;

  struct Opened;
  // Opens or makes both files in `folder`, and recovers what a dead process left open. Beyond `renew_at`
  // bytes the journal is replaced by one that holds the open calls only. Drafts, which hold live tokens, are
  // sealed with `sealer`, where there is one; it outlives the journal.
  static Result<Opened> open(const std::string& folder, std::uint64_t renew_at = kRenewAt,
                             const secrets::Sealer* sealer = nullptr);
  ~CdrJournal();  // writes what is queued

  void start(const CallRecord& record, Done done);
  void update(const CallRecord& record);
  void end(const CallRecord& record, Done done);
  // The calls of the process before are settled everywhere: the journal begins anew. Until then a crash finds
  // them again.
  void forget_past();

 private:
  struct Queued {
    std::string call;  // its id
    JournalEntry entry;
    Done done;
  };

  CdrJournal(std::string folder, std::uint64_t renew_at, const secrets::Sealer* sealer, int journal,
             int lines, std::uint64_t lines_bytes)
      : folder_(std::move(folder)),
        renew_at_(renew_at),
        sealer_(sealer),
        journal_(journal),
        lines_(lines),
        lines_bytes_(lines_bytes) {}
  std::string draft_of(const CallRecord& record) const;
  void enqueue(Queued queued);
  void run();
  bool write_journal(const std::vector<Queued>& batch);
  void write_lines(const std::vector<Queued>& batch);
  void keep_endings(std::vector<Queued>& batch);
  void renew();

  const std::string folder_;
  const std::uint64_t renew_at_;
  const secrets::Sealer* const sealer_;

  // The writer's.
  int journal_;
  const int lines_;
  std::uint64_t journal_bytes_ = 0;          // of whole entries
  std::uint64_t lines_bytes_;                // of whole lines
  std::string lines_that_wait_;              // the file could not take them yet
  std::map<std::string, std::string> open_;  // calls that have not ended, by id: their last draft

  // Shared.
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::vector<Queued> queue_;
  std::size_t awaited_ = 0;  // of the queue: somebody waits for them
  bool is_stopping_ = false;
  bool forgets_past_ = false;
  std::thread thread_;
};

struct CdrJournal::Opened {
  std::unique_ptr<CdrJournal> journal;
  std::vector<CallRecord> closed;  // calls that had no record, oldest first; records.jsonl has them now
  std::set<std::string> sessions;  // tokens of all calls of the process before
};

}  // namespace vas::records
