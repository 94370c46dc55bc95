// What a queue reads when its controller starts: the jobs, and the journals of those that were in
// the middle of their work. What can't be trusted is set aside by name.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "base/log.h"
#include "jobs/job_queue.h"
#include "jobs/keys.h"
#include "jobs/row.h"
#include "net/sealing.h"
#include "opcodes/opcode.h"
#include "store/store.h"

namespace flotte::jobs {
namespace {

// So often a job may end the controller before it is not gone on with any more.
constexpr std::size_t crashes_max = 3;

// The number behind the prefix of a key; what is no number counts as 0.
JobId id_in(std::string_view key, std::string_view prefix) {
  std::int64_t id = 0;
  std::from_chars(key.data() + prefix.size(), key.data() + key.size(), id);
  return JobId{id};
}

// Stands for one that can't be read.
Job unknown_job(JobId id) {
  Job job;
  job.id = id;
  job.ops.emplace_back().input = {{"OP_ID", "OP_UNREADABLE"}};
  return job;
}

}  // namespace

Result<void> JobQueue::load(std::vector<std::string> const& crashes) {
  for (auto const& kv : TRY(seams_.store.range_prefix(jobs_prefix))) load_job(kv.key, kv.value);
  for (auto const& kv : TRY(seams_.store.range_prefix(serial_key))) {
    auto const serial = schema::parse(kv.value);
    if (serial && serial->is_int64()) last_id_ = std::max(last_id_, serial->get_int64());
  }
  is_drained_ = !TRY(seams_.store.range_prefix(drain_key)).empty();
  TRY(take_note_of(crashes));
  TRY(load_journals());
  TRY(load_wishes());
  for (auto const& [id, row] : rows_) {
    if (is_final(row->job.status())) {
      row->log = JobLog::of_ended();
      continue;
    }
    to_ask_.insert(id);
    load_log(*row);
  }
  TRY(load_secrets());
  TRY(seal_what_is_clear());
  return forget_secrets_of_ended();
}

// Older versions stored secrets as they were given, or sealed those of opcodes and left those of
// journals.
Result<void> JobQueue::seal_what_is_clear() {
  constexpr std::string_view done_key = "/queue/sealed";
  constexpr std::string_view done = "\"with journals\"";
  auto const before = TRY(seams_.store.range_prefix(done_key));
  if (!before.empty() && before.front().value == done) return {};
  for (auto& [id, row] : rows_) {
    auto secrets = row->secrets;
    auto const known = secrets.size();
    for (auto& op : row->job.ops) take_secrets(op.input, secrets);
    store::Txn txn;
    auto const is_clear = secrets.size() > known;
    auto const has_clear_journal = TRY(seal_journal(*row, secrets, txn));
    if (!is_clear && !has_clear_journal) continue;
    txn.put(job_key(id), json::serialize(encode(row->job)));
    row->log.save(id, txn);
    if (is_clear && !is_final(row->job.status())) {
      row->secrets = std::move(secrets);
      row->has_secrets = true;
      TRY(seal_secrets(*row, txn));
    }
    TRY(seams_.store.txn(txn));
    row->log.saved();
  }
  for (auto const& kv : TRY(seams_.store.range_prefix(archive_prefix))) {
    auto const parsed = schema::parse(kv.value);
    auto job = parsed ? decode_job(*parsed) : Result<Job>(Failure(parsed.error()));
    json::array secrets;
    for (std::size_t i = 0; job && i < job->ops.size(); ++i) {
      take_secrets(job->ops[i].input, secrets);
    }
    if (secrets.empty()) continue;
    store::Txn txn;
    txn.put(kv.key, json::serialize(encode(*job)));
    TRY(seams_.store.txn(txn));
  }
  store::Txn txn;
  txn.put(std::string(done_key), std::string(done));
  TRY(seams_.store.txn(txn));
  return {};
}

// Also one that nobody goes on from. True: it had some.
Result<bool> JobQueue::seal_journal(Row& row, json::array const& secrets, store::Txn& txn) {
  if (secrets.empty()) return false;
  bool has_any = false;
  auto entries = join_parts(TRY(seams_.store.range_prefix(journal_prefix(row.job.id))));
  for (auto& kv : entries) {
    auto entry = unseal(kv.value);
    auto is_clear = false;
    for (auto const& op : row.job.ops) {
      is_clear |= entry && entry->is_object() ? mark_secrets(*entry, op.input, secrets)
                                              : mark_secrets(kv.value, op.input, secrets);
    }
    if (!is_clear) continue;
    if (entry && entry->is_object()) kv.value = seal(entry->get_object());
    replace_entry(txn, kv.key, kv.value);
    has_any = true;
  }
  if (has_any && row.journal) row.journal = TRY(decode_journal(row.job.id, std::move(entries)));
  return has_any;
}

// Into memory. Those of jobs that have ended, too: in their journals they may stand in clear.
Result<void> JobQueue::load_secrets() {
  auto const keys = TRY(seams_.keys.all());
  store::Txn txn;
  std::set<JobId> needed;
  for (auto const& kv : TRY(seams_.store.range_prefix(secrets_prefix))) {
    auto const id = id_in(kv.key, secrets_prefix);
    auto const found = rows_.find(id);
    if (found == rows_.end()) {
      txn.remove(kv.key);
      continue;
    }
    needed.insert(id);
    found->second->has_secrets = true;
    auto const key = keys.find(id);
    auto const text = net::unsealed(kv.value, key == keys.end() ? "" : key->second);
    auto const secrets = text ? schema::parse(*text) : Result<json::value>(Failure(text.error()));
    if (secrets && secrets->is_array()) {
      found->second->secrets = secrets->get_array();
    } else {
      log::error("The secrets of job {} can't be read: {}", number(id),
                 secrets ? "they are no list" : secrets.error().message);
    }
  }
  if (!txn.operations.empty()) TRY(seams_.store.txn(txn));
  for (auto const& [id, key] : keys) {
    if (!needed.contains(id)) destroy_key(id);
  }
  return {};
}

// As if their controller had not died just then.
Result<void> JobQueue::forget_secrets_of_ended() {
  store::Txn txn;
  std::vector<Row*> ended;
  for (auto const& [id, row] : rows_) {
    if (!row->has_secrets || !is_final(row->job.status())) continue;
    txn.remove(secrets_key(id));
    ended.push_back(row.get());
  }
  if (!ended.empty()) TRY(seams_.store.txn(txn));
  for (auto* row : ended) {
    destroy_key(row->job.id);
    row->secrets = {};
    row->has_secrets = false;
  }
  return {};
}

// A job goes on although what it said can't be read.
void JobQueue::load_log(Row& row) {
  auto const stored = seams_.store.range_prefix(log_prefix(row.job.id));
  auto const loaded = stored ? row.log.load(*stored) : Result<void>(Failure(stored.error()));
  if (!loaded) log::error("The log of job {}: {}", number(row.job.id), loaded.error().message);
  row.log.take_over(row.job);
}

// What a thread that works for the job is to be blamed with when it crashes.
std::string JobQueue::blame_line(JobId id) const {
  return fmt::format("{} {}\n", leader_epoch_, number(id));
}

// A controller crashes once: the same epoch told twice counts once, should this one die before it
// could forget what it was told.
Result<void> JobQueue::take_note_of(std::vector<std::string> const& crashes) {
  store::Txn txn;
  for (auto const& line : crashes) {
    std::int64_t epoch = 0;
    std::int64_t id = 0;
    std::istringstream words(line);
    // The last line may be half written.
    if (!(words >> epoch >> id)) continue;
    auto const found = rows_.find(JobId{id});
    if (found == rows_.end() || is_final(found->second->job.status())) continue;
    auto& job = found->second->job;
    if (std::ranges::find(job.crashed_epochs, epoch) != job.crashed_epochs.end()) continue;
    log::error("Job {} ended the controller of epoch {}", id, epoch);
    job.crashed_epochs.push_back(epoch);
    txn.put(job_key(job.id), json::serialize(encode(job)));
  }
  if (!txn.operations.empty()) TRY(seams_.store.txn(txn));
  for (auto const& [id, row] : rows_) {
    if (row->job.crashed_epochs.size() < crashes_max || is_final(row->job.status())) continue;
    set_aside(*row, fmt::format("It ended the controller {} times (epochs {})",
                                row->job.crashed_epochs.size(),
                                fmt::join(row->job.crashed_epochs, ", ")));
  }
  return {};
}

Result<void> JobQueue::load_wishes() {
  for (auto const& kv : TRY(seams_.store.range_prefix(wishes_prefix))) {
    auto const found = rows_.find(id_in(kv.key, wishes_prefix));
    if (found == rows_.end() || is_final(found->second->job.status())) {
      log::error("{} is of no job that waits or runs", kv.key);
      continue;
    }
    auto& row = *found->second;
    auto const stored = schema::parse(kv.value);
    auto wish = stored ? schema::decode<Wish>(*stored) : Result<Wish>(Failure(stored.error()));
    if (!wish) {
      set_aside(row, fmt::format("What was asked of it can't be read: {}", wish.error().message));
      continue;
    }
    row.wish = *wish;
    row.apply_priority();
  }
  return {};
}

Result<void> JobQueue::load_journals() {
  std::map<JobId, std::vector<store::KeyValue>> journals;
  for (auto& kv : TRY(seams_.store.range_prefix(all_journals_prefix))) {
    journals[id_in(kv.key, all_journals_prefix)].push_back(std::move(kv));
  }
  for (auto const& [id, entries] : journals) {
    auto const found = rows_.find(id);
    if (found == rows_.end()) {
      auto row = std::make_unique<Row>();
      row->job = unknown_job(id);
      last_id_ = std::max(last_id_, number(id));
      set_aside(*row, "There is a journal of it, but no job");
      rows_[id] = std::move(row);
      continue;
    }
    auto& row = *found->second;
    if (!row.job.set_aside.empty()) continue;
    if (is_final(row.job.status())) {
      row.leaves_journal = true;
      continue;
    }
    auto journal = decode_journal(id, entries);
    auto const op_id = opcodes::op_id_of(row.op().input);
    if (!journal) {
      set_aside(row, journal.error().message);
    } else if (!units_.find(op_id)) {
      set_aside(row, fmt::format("Its opcode {} does not exist in this version of Flotte", op_id));
    } else if (journal->plan.op_id != op_id ||
               journal->plan.op_index != static_cast<std::int64_t>(row.current)) {
      set_aside(row, fmt::format("Its journal is of {}, it is at {}", journal->plan.op_id, op_id));
    } else {
      row.journal = std::move(*journal);
    }
  }
  return {};
}

// It counts as failed, holds no lock, and stays until somebody has looked at it and archives it.
void JobQueue::set_aside(Row& row, std::string why) {
  log::error("Job {} is set aside: {}", number(row.job.id), why);
  auto const result = encode_error(
      {ErrorCode::InternalError,
       fmt::format("The job is set aside: {}. Look at 'gnt-job info {}' and at what it worked on, "
                   "then archive it",
                   why, number(row.job.id)),
       ErrorClass::Exec},
      ErrorClass::Exec);
  for (auto i = row.current; i < row.job.ops.size(); ++i) {
    if (is_final(row.job.ops[i].status)) continue;
    row.job.ops[i].status = Status::Error;
    row.job.ops[i].result = result;
  }
  row.job.set_aside = std::move(why);
  // Nobody goes on from it.
  row.journal.reset();
}

void JobQueue::load_job(std::string const& key, std::string const& text) {
  auto const parsed = schema::parse(text);
  auto job = parsed ? decode_job(*parsed) : Result<Job>(Failure(parsed.error()));
  auto const id = id_in(key, jobs_prefix);
  if (job && (job->id != id || job->ops.empty())) {
    job = fail(ErrorCode::InternalError, "it is no job {}", number(id));
  }
  last_id_ = std::max(last_id_, number(id));
  if (!job) {
    auto row = std::make_unique<Row>();
    row->job = unknown_job(id);
    row->unreadable = text;
    set_aside(*row, fmt::format("It can't be read: {}", job.error().message));
    rows_[id] = std::move(row);
    return;
  }
  auto row = std::make_unique<Row>();
  for (auto& op : job->ops) {
    if (!is_final(op.status)) op.status = Status::Queued;
  }
  while (row->current + 1 < job->ops.size() && is_final(job->ops[row->current].status)) {
    ++row->current;
  }
  row->job = std::move(*job);
  rows_[id] = std::move(row);
}

}  // namespace flotte::jobs
