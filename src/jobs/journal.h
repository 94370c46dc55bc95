// The journal of one running opcode: its plan and its steps, each written before it is done, with
// what undoes it.
//
// Stored under /journal/<job>/: `plan`, and `step/<n>`, each a line of JSON behind its CRC-32. Used
// by the executor; not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "jobs/job_context.h"
#include "store/store.h"

namespace flotte::jobs {

// Journals of another format are set aside by name.
constexpr std::int64_t journal_format = 2;

// The outcome of a step that has ended: its answer, or the error that apply() saw.
struct StepRecord {
  std::string says;
  std::optional<CallData> call;  // none: a change of the configuration, or jobs submitted
  std::optional<Undo> undo;
  bool is_done = false;
  json::value reply;
  std::optional<std::string> error;  // of a step that failed

  static schema::Fields fields();
};

struct PlanRecord {
  std::int64_t format = journal_format;
  std::string op_id;
  std::int64_t op_index = 0;
  json::value plan;
  // From here on steps are undone if the job fails.
  std::int64_t kept_before = 0;
  // The job has failed and is being undone; the error that it ends with.
  std::optional<json::value> undoing;
  // Steps whose undo failed. A job that has any is shown, and not resumed.
  std::vector<std::int64_t> stuck;
  // None: the opcode has no hooks of its own.
  std::optional<HooksLeft> hooks;
  // What it held while it did all this. Computed anew they could be others: it may have renamed or
  // removed what they are called after. None: an older version wrote it.
  std::optional<json::array> locks;

  static schema::Fields fields();
};

struct Journal {
  PlanRecord plan;
  std::vector<StepRecord> steps;
};

std::string journal_prefix(JobId job);
std::string journal_plan_key(JobId job);
std::string journal_step_key(JobId job, std::size_t step);
std::string job_key(JobId job);
std::string archive_key(JobId job);

// One entry as it is stored.
std::string seal(json::object const& entry);
Result<json::value> unseal(std::string_view stored);
// One that is larger than a value may be is stored in parts, under "<key>.0001" and so on.
void put_entry(store::Txn& txn, std::string const& key, json::object const& entry);
// Instead of one that may have been larger, and need not be sealed.
void replace_entry(store::Txn& txn, std::string const& key, std::string const& stored);
std::vector<store::KeyValue> join_parts(std::vector<store::KeyValue> stored);
// All that is stored below journal_prefix(), in order of key. The error says for people what is
// wrong with it.
Result<Journal> decode_journal(JobId job, std::vector<store::KeyValue> stored);

}  // namespace flotte::jobs
