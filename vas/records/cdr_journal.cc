#include "vas/records/cdr_journal.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/write_all.h"

namespace vas::records {
namespace {

constexpr int kJournalFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
constexpr std::string_view kDraft = "draft";  // where a sealed token belongs
// Before a disk that has refused an entry is tried again.
constexpr auto kRetryPause = std::chrono::milliseconds(200);

CallRecord unreadable(const Salvaged& salvaged) {
  CallRecord record{.id = salvaged.id, .session = salvaged.session};
  record.recovery = Recovery::kUnreadable;
  return record;
}

struct Recovered {
  std::map<std::string, CallRecord> open;                  // started, never ended
  std::vector<std::pair<std::string, std::string>> ended;  // id and JSON
  std::set<std::string> sessions;                          // of both
  std::optional<LastSign> sign;
  std::size_t damaged = 0;        // pieces
  std::uint64_t valid_bytes = 0;  // less what was torn
  std::uint64_t bytes = 0;
  const secrets::Sealer* sealer = nullptr;

  std::set<std::string> ids() const;
  std::string open_token(const std::string& session) const;
  void apply(const JournalEntry& entry);
  void adopt_damaged(Salvaged call);
};

std::set<std::string> Recovered::ids() const {
  std::set<std::string> all;
  for (const auto& [id, draft] : open) all.insert(id);
  for (const auto& [id, json] : ended) all.insert(id);
  return all;
}

// Of this version, or of one that sealed nothing. Empty where it cannot be opened.
std::string Recovered::open_token(const std::string& session) const {
  if (!secrets::Sealer::is_sealed(session)) return session;
  const auto opened = sealer != nullptr ? sealer->open(session, kDraft) : std::nullopt;
  return opened.value_or(std::string());
}

void Recovered::apply(const JournalEntry& entry) {
  if (entry.kind == EntryKind::kAlive) {
    if (const auto told = parse_last_sign(entry.payload)) sign = told;
    return;
  }
  auto salvaged = salvage(entry.payload);
  if (salvaged.empty()) return;
  salvaged.front().session = open_token(salvaged.front().session);
  sessions.insert(salvaged.front().session);
  const std::string& id = salvaged.front().id;
  if (entry.kind == EntryKind::kEnded) {
    open.erase(id);
    ended.emplace_back(id, entry.payload);
    return;
  }
  auto draft = parse_draft_json(entry.payload);
  if (draft) sessions.insert(draft->session = open_token(draft->session));
  draft ? (void)open.insert_or_assign(draft->id, std::move(*draft))
        : (void)open.emplace(id, unreadable(salvaged.front()));
}

// Its other entries, where there are some, say more.
void Recovered::adopt_damaged(Salvaged call) {
  call.session = open_token(call.session);
  if (!call.session.empty() && !sessions.insert(call.session).second) return;  // one call has one token
  const bool is_ended =
      std::any_of(ended.begin(), ended.end(), [&](const auto& each) { return each.first == call.id; });
  if (!is_ended) open.emplace(call.id, unreadable(call));
}

Recovered replay(const std::string& path, const secrets::Sealer* sealer) {
  Recovered recovered{.sealer = sealer};
  const std::string file = read_file(path);
  const DecodedJournal decoded = decode(file);
  for (const JournalEntry& entry : decoded.entries) recovered.apply(entry);
  for (const std::string_view piece : decoded.damaged) {
    for (const Salvaged& call : salvage(piece)) recovered.adopt_damaged(call);
  }
  recovered.sessions.erase("");
  recovered.damaged = decoded.damaged.size();
  recovered.valid_bytes = decoded.valid_bytes;
  recovered.bytes = file.size();
  return recovered;
}

void tell_damage(const std::string& path, const Recovered& recovered) {
  if (recovered.valid_bytes != recovered.bytes)
    log::warn("", "the call journal ended in {} torn bytes; they are dropped",
              recovered.bytes - recovered.valid_bytes);
  if (recovered.damaged == 0) return;
  const std::string kept = path + ".damaged";
  std::error_code failure;
  std::filesystem::copy_file(path, kept, std::filesystem::copy_options::overwrite_existing, failure);
  log::error("",
             "the call journal is damaged in {} places: calls named there have records with `recovery: "
             "unreadable` where "
             "nothing else is known of them; everything else was read. {}. Look at the disk (docs/health.md)",
             recovered.damaged,
             failure ? "It could not be copied: " + failure.message() : "A copy is in " + kept);
}

// The journal's own endings have their lines, if they have them, among the last that were written since it
// began: each of them stands in it, as a draft at the least, which is more than a quarter of its line.
std::uint64_t bytes_of_lines_since(const Recovered& recovered) { return 4 * recovered.bytes + (1 << 20); }

}  // namespace

Result<CdrJournal::Opened> CdrJournal::open(const std::string& folder, std::uint64_t renew_at,
                                            std::uint64_t rotate_at, const secrets::Sealer* sealer) {
  const std::string journal_path = folder + "/calls.journal";
  const Recovered recovered = replay(journal_path, sealer);
  tell_damage(journal_path, recovered);
  auto lines = RecordFiles::open(folder, rotate_at);
  if (!lines) return Error{lines.error()};
  const auto known = recovered.bytes == 0
                         ? std::set<std::string>()
                         : lines->ids_in_last(bytes_of_lines_since(recovered), recovered.ids());

  Opened opened{.sessions = recovered.sessions};
  bool all_written = true;
  const auto add = [&](const std::string& id, const std::string& json) {
    if (!known.contains(id)) all_written = all_written && lines->append(json + "\n");
  };
  for (const auto& [id, json] : recovered.ended) add(id, json);
  for (const auto& [id, draft] : recovered.open) {
    CallRecord record = draft;
    close_after_node_failure(record, recovered.sign);
    add(id, to_json(record));
    if (!known.contains(id)) opened.closed.push_back(std::move(record));
  }
  if (!all_written || !lines->sync())
    return Error{"cannot write " + folder + "/records.jsonl: " + std::strerror(errno)};

  const int journal = ::open(journal_path.c_str(), kJournalFlags, 0600);
  if (journal < 0 || ::ftruncate(journal, static_cast<off_t>(recovered.valid_bytes)) != 0) {
    const Error error{"cannot write " + journal_path + ": " + std::strerror(errno)};
    if (journal >= 0) ::close(journal);
    return error;
  }
  opened.journal.reset(new CdrJournal(folder, renew_at, sealer, journal, std::move(*lines)));
  opened.journal->journal_bytes_ = recovered.valid_bytes;
  opened.journal->thread_ = std::thread([raw = opened.journal.get()] { raw->run(); });
  pthread_setname_np(opened.journal->thread_.native_handle(), "vas-journal");
  return opened;
}

CdrJournal::~CdrJournal() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wakeup_.notify_one();
  thread_.join();
  ::close(journal_);
}

// The id stays readable: of a damaged draft it is what a record can still name.
std::string CdrJournal::draft_of(const CallRecord& record) const {
  if (sealer_ == nullptr || record.session.empty()) return to_draft_json(record);
  CallRecord draft = record;
  draft.session = sealer_->seal(record.session, kDraft);
  return to_draft_json(draft);
}

void CdrJournal::start(const CallRecord& record, Done done) {
  thread_check_.check();
  Queued queued{record.id, {EntryKind::kStarted, draft_of(record)}, std::move(done)};
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < kMaxQueued) {
      queue_.push_back(std::move(queued));
      wakeup_.notify_one();
      return;
    }
  }
  queued.done(false);
}

void CdrJournal::update(const CallRecord& record) {
  thread_check_.check();
  enqueue({record.id, {EntryKind::kUpdated, draft_of(record)}, {}});
}

void CdrJournal::end(const CallRecord& record, Done done) {
  thread_check_.check();
  enqueue({record.id, {EntryKind::kEnded, to_json(record)}, std::move(done)});
}

void CdrJournal::forget_past() {
  thread_check_.check();
  const std::lock_guard lock(mutex_);
  forgets_past_ = true;
  wakeup_.notify_one();
}

void CdrJournal::enqueue(Queued queued) {
  const std::lock_guard lock(mutex_);
  awaited_ += queued.done ? 1 : 0;
  queue_.push_back(std::move(queued));
  if (awaited_ != 0 || queue_.size() == 1) wakeup_.notify_one();
}

void CdrJournal::ask(Time now) {
  {
    const std::lock_guard lock(mutex_);
    pulse_.ask(now);
  }
  wakeup_.notify_one();
}

// Nothing in `batch` when a sign of life is due, or a confirmation. False at the end.
bool CdrJournal::wait_for_work(std::vector<Queued>& batch, bool& forgets) {
  batch.clear();
  std::unique_lock lock(mutex_);
  const auto has_work = [this] {
    return is_stopping_ || !queue_.empty() || forgets_past_ || pulse_.is_asked();
  };
  if (gives_signs_ && !open_.empty()) {
    wakeup_.wait_for(lock, std::max(Duration::zero(), next_sign_ - monotonic_now()), has_work);
  } else {
    wakeup_.wait(lock, has_work);
  }
  forgets = std::exchange(forgets_past_, false);
  if (queue_.empty()) return !is_stopping_ || forgets;
  wakeup_.wait_for(lock, kLinger, [&] { return is_stopping_ || awaited_ != 0 || forgets; });
  batch.swap(queue_);
  awaited_ = 0;
  return true;
}

void CdrJournal::run() {
  std::vector<Queued> batch;
  for (bool forgets = false; wait_for_work(batch, forgets);) {
    if (!batch.empty() || forgets) work(batch, forgets);
    if (pulse_.is_asked()) probe();
    if (gives_signs_ && !open_.empty() && monotonic_now() >= next_sign_) give_sign();
  }
}

void CdrJournal::work(std::vector<Queued>& batch, bool forgets) {
  const bool written = write_journal(batch);
  if (written) {
    write_lines(batch);
    if (forgets || journal_bytes_ > renew_at_) renew();
  } else {
    keep_endings(batch);
  }
  gives_signs_ = gives_signs_ || forgets;
  for (const Queued& each : batch) {
    if (each.done) each.done(written);
  }
}

// While all is well it is enough that the disk has room; after a failure something has to be written.
void CdrJournal::probe() {
  std::error_code failure;
  const auto space = std::filesystem::space(folder_, failure);
  const bool is_full = failure || space.available < kLeastFree;
  if (is_full && !std::exchange(is_full_, true))
    log::error("", "the disk of {} is full: less than {} KiB are left (docs/health.md)", folder_,
               kLeastFree / 1024);
  is_full_ = is_full;
  if (is_full_) {
    pulse_.fail(monotonic_now());
  } else if (pulse_.is_failing() && give_sign()) {
    write_lines({});
    if (!pulse_.is_failing()) log::info("", "the call journal is written again");
  }
  pulse_.confirm();
}

bool CdrJournal::give_sign() {
  const Time now = monotonic_now();
  next_sign_ = now + kSignEach;
  return append(encode({EntryKind::kAlive, to_json(LastSign{wall_now(), now})}));
}

bool CdrJournal::append(const std::string& entries) {
  if (write_all(journal_, entries) && fdatasync(journal_) == 0) {
    journal_bytes_ += entries.size();
    if (lines_that_wait_.empty() && !is_full_) pulse_.succeed();
    return true;
  }
  if (!pulse_.is_failing()) log::error("", "the call journal could not be written: {}", std::strerror(errno));
  pulse_.fail(monotonic_now());
  // Nothing is to come after a torn entry.
  (void)!::ftruncate(journal_, static_cast<off_t>(journal_bytes_));
  return false;
}

bool CdrJournal::write_journal(const std::vector<Queued>& batch) {
  std::string entries;
  for (const Queued& each : batch) entries += encode(each.entry);
  if (!append(entries)) return false;
  const Time now = monotonic_now();
  for (const Queued& each : batch) {
    if (each.entry.kind == EntryKind::kEnded) {
      just_ended_.emplace_back(now, each.entry.payload);
      just_ended_bytes_ += each.entry.payload.size();
      open_.erase(each.call);
    } else {
      open_.insert_or_assign(each.call, each.entry.payload);
    }
  }
  while (!just_ended_.empty() &&
         (now - just_ended_.front().first > kEndedIsKept || just_ended_bytes_ > renew_at_ / 4)) {
    just_ended_bytes_ -= just_ended_.front().second.size();
    just_ended_.pop_front();
  }
  return true;
}

// After the journal: a line that a crash keeps from records.jsonl is added from it at the next start.
void CdrJournal::write_lines(const std::vector<Queued>& batch) {
  for (const Queued& each : batch) {
    if (each.entry.kind == EntryKind::kEnded) lines_that_wait_ += each.entry.payload + "\n";
  }
  if (!lines_.append(lines_that_wait_)) {
    if (!pulse_.is_failing())
      log::error("", "records.jsonl could not be written: {}; its lines wait", std::strerror(errno));
    pulse_.fail(monotonic_now());
    return;
  }
  lines_that_wait_.clear();
  if (!is_full_) pulse_.succeed();
}

// The disk refused: new calls are told so, a draft is as good as the one before,
// but an ending is never given up.
void CdrJournal::keep_endings(std::vector<Queued>& batch) {
  const auto kept = std::stable_partition(
      batch.begin(), batch.end(), [](const Queued& each) { return each.entry.kind != EntryKind::kEnded; });
  std::unique_lock lock(mutex_);
  if (is_stopping_) return;
  for (auto each = kept; each != batch.end(); ++each) awaited_ += each->done ? 1 : 0;
  queue_.insert(queue_.begin(), std::make_move_iterator(kept), std::make_move_iterator(batch.end()));
  batch.erase(kept, batch.end());
  wakeup_.wait_for(lock, kRetryPause, [this] { return is_stopping_; });
}

// A new journal with the open calls, and those that ended just now, takes the old one's place. Only when all
// lines are out: until then the old one is what they would be recovered from.
void CdrJournal::renew() {
  if (!lines_that_wait_.empty() || !lines_.sync()) return;
  const std::string path = folder_ + "/calls.journal";
  const std::string fresh_path = path + ".new";
  std::string entries;
  for (const auto& [call, draft] : open_) entries += encode({EntryKind::kStarted, draft});
  for (const auto& [ended_at, record] : just_ended_) entries += encode({EntryKind::kEnded, record});
  const int fresh = ::open(fresh_path.c_str(), kJournalFlags | O_TRUNC, 0600);
  const bool is_good = fresh >= 0 && write_all(fresh, entries) && fdatasync(fresh) == 0 &&
                       std::rename(fresh_path.c_str(), path.c_str()) == 0;
  if (!is_good) {
    log::error("", "the call journal could not be renewed: {}; the old one goes on", std::strerror(errno));
    if (fresh >= 0) ::close(fresh);
    return;
  }
  const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    (void)!fsync(folder);
    ::close(folder);
  }
  ::close(std::exchange(journal_, fresh));
  journal_bytes_ = entries.size();
}

}  // namespace vas::records
