// The journal of calls: what was admitted survives any crash, and leaves exactly one record.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/pulse.h"
#include "base/result.h"
#include "base/thread_check.h"
#include "vas/records/cdr.h"
#include "vas/records/journal_format.h"
#include "vas/records/record_files.h"
#include "vas/secrets/sealer.h"

namespace vas::records {

// Keeps the calls that are open, and the entries that wait for the disk. It decides whether one more call may
// begin, when entries are committed and when the file begins anew. What a call does, and what a record is
// worth to anybody, it need not know.
//
// Append-only, with a writer thread of its own that commits whatever is queued as soon
// as the previous commit ends.
//
// `journal` holds the entries, `records.jsonl` beside it every finished record, one JSON a line, each once:
// at start the lines that a crash kept from it are added, and calls left open are closed as node-failure.
// forget_past() then lets the journal begin anew. From then on an entry each kSignEach says that the process
// lives, while calls are open: what a crash cuts short lasted until then at least.
//
// Threads: start(), update(), end() from control; callbacks run on the writer's thread.
// Bounds:  the queue holds kMaxQueued entries. Beyond it start() refuses, so that no call is admitted without
//          its entry; what belongs to admitted calls is always taken, and an ending that the disk refuses is
//          kept until it takes it.
class CdrJournal {
 public:
  // Minutes of entries, while the disk stalls.
  static constexpr std::size_t kMaxQueued = 100'000;
  // What nobody waits for may wait for company: one sync of the disk for many entries.
  static constexpr auto kLinger = std::chrono::milliseconds(5);
  static constexpr std::uint64_t kRenewAt = 64 << 20;  // bytes
  // A crash takes that much of each open call's duration at most.
  static constexpr auto kSignEach = std::chrono::seconds(5);
  // The store must know by then that the call's token is used: a commit takes milliseconds, a retry fractions
  // of a second.
  static constexpr Duration kEndedIsKept = std::chrono::seconds(10);
  static constexpr std::uint64_t kLeastFree =
      1 << 20;  // bytes of the disk, below which the journal is not well
  using Done = std::function<void(bool written)>;

  struct Opened;
  // Opens or makes both files in `folder`, and recovers what a dead process left open. Beyond `renew_at`
  // bytes the journal is replaced by one that holds the open calls only. The tokens in drafts, which live,
  // are sealed with `sealer`, where there is one; it outlives the journal.
  static Result<Opened> open(const std::string& folder, std::uint64_t renew_at = kRenewAt,
                             std::uint64_t rotate_at = RecordFiles::kRotateAt,
                             const secrets::Sealer* sealer = nullptr);
  ~CdrJournal();  // writes what is queued

  void start(const CallRecord& record, Done done);
  void update(const CallRecord& record);
  void end(const CallRecord& record, Done done);
  // The calls of the process before are settled everywhere: the journal begins anew. Until then a crash finds
  // them again.
  void forget_past();

  // The writer's pulse. Whoever asks it makes the writer look whether the disk would take an entry.
  void ask(Time now);
  const Pulse& pulse() const { return pulse_; }

 private:
  struct Queued {
    std::string call;  // its id
    JournalEntry entry;
    Done done;
  };

  CdrJournal(std::string folder, std::uint64_t renew_at, const secrets::Sealer* sealer, int journal,
             RecordFiles lines)
      : folder_(std::move(folder)),
        renew_at_(renew_at),
        sealer_(sealer),
        journal_(journal),
        lines_(std::move(lines)) {}
  std::string draft_of(const CallRecord& record) const;
  void enqueue(Queued queued);
  void run();
  bool wait_for_work(std::vector<Queued>& batch, bool& forgets);
  void work(std::vector<Queued>& batch, bool forgets);
  void probe();
  bool append(const std::string& entries);
  bool give_sign();
  bool write_journal(const std::vector<Queued>& batch);
  void write_lines(const std::vector<Queued>& batch);
  void keep_endings(std::vector<Queued>& batch);
  void renew();

  const std::string folder_;
  const std::uint64_t renew_at_;
  const secrets::Sealer* const sealer_;

  // The writer's.
  int journal_;
  RecordFiles lines_;
  std::uint64_t journal_bytes_ = 0;  // of whole entries
  bool gives_signs_ = false;         // none is written behind what another process left
  Time next_sign_{};
  bool is_full_ = false;                     // its disk
  std::string lines_that_wait_;              // the file could not take them yet
  std::map<std::string, std::string> open_;  // calls that have not ended, by id: their last draft
  // Of calls that ended a moment ago, oldest first: the store may not know yet that their tokens are used.
  std::deque<std::pair<Time, std::string>> just_ended_;
  std::size_t just_ended_bytes_ = 0;  // a quarter of renew_at_ at most

  // Shared.
  Pulse pulse_;
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::vector<Queued> queue_;
  std::size_t awaited_ = 0;  // of the queue: somebody waits for them
  bool is_stopping_ = false;
  bool forgets_past_ = false;
  ThreadCheck thread_check_{"CdrJournal"};
  std::thread thread_;
};

struct CdrJournal::Opened {
  std::unique_ptr<CdrJournal> journal;
  std::vector<CallRecord> closed;  // calls that had no record, oldest first; records.jsonl has them now
  std::set<std::string> sessions;  // tokens of all calls of the process before
};

}  // namespace vas::records
