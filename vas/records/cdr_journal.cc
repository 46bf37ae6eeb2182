#include "vas/records/cdr_journal.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <boost/crc.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "vas/base/bytes.h"
#include "vas/base/json.h"
#include "vas/base/log.h"

namespace vas::records {
namespace {

constexpr std::size_t kHeaderBytes = 9;
constexpr std::size_t kMaxEntryBytes = 1 << 20;

std::uint32_t checksum(std::string_view kind_and_payload) {
  boost::crc_32_type crc;
  crc.process_bytes(kind_and_payload.data(), kind_and_payload.size());
  return crc.checksum();
}

std::string field_of(std::string_view json_text, std::string_view field) {
  const auto object = parse_object(json_text);
  return object ? text_field(*object, field) : std::string();
}

std::string id_of(std::string_view json_text) { return field_of(json_text, "id"); }

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Ids of the records in the file, less a last line that a crash cut short: that is cut off.
std::set<std::string> ids_in_lines(const std::string& path) {
  std::set<std::string> ids;
  std::string text = read_file(path);
  const auto last_end = text.rfind('\n');
  const std::size_t whole = last_end == std::string::npos ? 0 : last_end + 1;
  if (whole != text.size()) {
    std::error_code ignored;
    std::filesystem::resize_file(path, whole, ignored);
    text.resize(whole);
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) ids.insert(id_of(line));
  return ids;
}

struct Recovered {
  std::map<std::string, CallRecord> open;                  // started, never ended
  std::vector<std::pair<std::string, std::string>> ended;  // id and JSON
  std::set<std::string> sessions;                          // of both
};

Recovered replay(const std::string& path) {
  Recovered recovered;
  std::size_t valid_bytes = 0;
  const std::string file = read_file(path);
  for (const JournalEntry& entry : decode(file, valid_bytes)) {
    if (entry.kind == EntryKind::kEnded) {
      const std::string id = id_of(entry.payload);
      recovered.open.erase(id);
      recovered.ended.emplace_back(id, entry.payload);
      recovered.sessions.insert(field_of(entry.payload, "session"));
    } else if (auto draft = parse_draft_json(entry.payload)) {
      recovered.sessions.insert(draft->session);
      recovered.open.insert_or_assign(draft->id, std::move(*draft));
    }
  }
  if (valid_bytes != file.size()) {
    log::warn("", "the call journal ended in {} torn bytes; they are dropped", file.size() - valid_bytes);
  }
  return recovered;
}

}  // namespace

std::string encode(const JournalEntry& entry) {
  std::string bytes(kHeaderBytes, '\0');
  const std::string body = std::string(1, static_cast<char>(entry.kind)) + entry.payload;
  MutableBytes header(reinterpret_cast<std::uint8_t*>(bytes.data()), kHeaderBytes);
  store_u32(header, 0, static_cast<std::uint32_t>(entry.payload.size()));
  store_u32(header, 4, checksum(body));
  bytes.resize(kHeaderBytes - 1);
  return bytes + body;
}

std::vector<JournalEntry> decode(std::string_view file, std::size_t& valid_bytes) {
  std::vector<JournalEntry> entries;
  valid_bytes = 0;
  while (file.size() - valid_bytes >= kHeaderBytes) {
    const std::string_view rest = file.substr(valid_bytes);
    const std::size_t length = load_u32(as_bytes(rest), 0);
    if (length > kMaxEntryBytes || rest.size() < kHeaderBytes + length) break;
    const std::string_view body = rest.substr(kHeaderBytes - 1, 1 + length);
    const auto kind = static_cast<std::uint8_t>(body[0]);
    if (checksum(body) != load_u32(as_bytes(rest), 4) || kind < 1 || kind > 3) break;
    entries.push_back({static_cast<EntryKind>(kind), std::string(body.substr(1))});
    valid_bytes += kHeaderBytes + length;
  }
  return entries;
}

Result<CdrJournal::Opened> CdrJournal::open(const std::string& folder) {
  const std::string journal_path = folder + "/calls.journal";
  const std::string lines_path = folder + "/records.jsonl";
  const Recovered recovered = replay(journal_path);
  const auto known = ids_in_lines(lines_path);

  const int lines = ::open(lines_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  if (lines < 0) return Error{"cannot write " + lines_path + ": " + std::strerror(errno)};
  Opened opened{.sessions = recovered.sessions};
  bool all_written = true;
  const auto add = [&](const std::string& id, const std::string& json) {
    if (!known.contains(id)) all_written = all_written && write_all(lines, json + "\n");
  };
  for (const auto& [id, json] : recovered.ended) add(id, json);
  for (const auto& [id, draft] : recovered.open) {
    CallRecord record = draft;
    close_after_node_failure(record);
    add(id, to_json(record));
    if (!known.contains(id)) opened.closed.push_back(std::move(record));
  }
  if (!all_written || fdatasync(lines) != 0) {
    ::close(lines);
    return Error{"cannot write " + lines_path + ": " + std::strerror(errno)};
  }

  const int journal = ::open(journal_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0640);
  if (journal < 0) {
    ::close(lines);
    return Error{"cannot write " + journal_path + ": " + std::strerror(errno)};
  }
  opened.journal.reset(new CdrJournal(journal, lines));
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
  ::close(lines_);
}

void CdrJournal::start(const CallRecord& record, Done done) {
  bool is_full = false;
  {
    const std::lock_guard lock(mutex_);
    is_full = queue_.size() >= kMaxQueued;
    if (!is_full) queue_.push_back({{EntryKind::kStarted, to_draft_json(record)}, std::move(done)});
  }
  if (is_full) return done(false);
  wakeup_.notify_one();
}

void CdrJournal::update(const CallRecord& record) {
  const std::lock_guard lock(mutex_);
  queue_.push_back({{EntryKind::kUpdated, to_draft_json(record)}, {}});
  wakeup_.notify_one();
}

void CdrJournal::end(const CallRecord& record, Done done) {
  const std::lock_guard lock(mutex_);
  queue_.push_back({{EntryKind::kEnded, to_json(record)}, std::move(done)});
  wakeup_.notify_one();
}

void CdrJournal::run() {
  for (;;) {
    std::vector<Queued> batch;
    {
      std::unique_lock lock(mutex_);
      wakeup_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    const bool written = write_batch(batch);
    if (!written) log::error("", "the call journal could not be written: {}", std::strerror(errno));
    for (const Queued& each : batch) {
      if (each.done) each.done(written);
    }
  }
}

bool CdrJournal::write_batch(const std::vector<Queued>& batch) {
  std::string entries;
  std::string lines;
  for (const Queued& each : batch) {
    entries += encode(each.entry);
    if (each.entry.kind == EntryKind::kEnded) lines += each.entry.payload + "\n";
  }
  // The journal first: a line that a crash keeps from records.jsonl is added from it at the next start.
  return write_all(journal_, entries) && fdatasync(journal_) == 0 && write_all(lines_, lines);
}

}  // namespace vas::records
