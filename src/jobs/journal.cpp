#include "jobs/journal.h"

#include <boost/crc.hpp>
#include <boost/json/serialize.hpp>

namespace flotte::jobs {
namespace {

constexpr std::size_t part_bytes = 1'000'000;
constexpr std::size_t seal_size = 9;  // eight hex digits and a space

std::uint32_t crc_of(std::string_view text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  return crc.checksum();
}

void put_parts(store::Txn& txn, std::string const& key, std::string const& text) {
  txn.put(key, text.substr(0, part_bytes));
  for (std::size_t part = 1; part * part_bytes < text.size(); ++part) {
    txn.put(fmt::format("{}.{:04}", key, part), text.substr(part * part_bytes, part_bytes));
  }
}

}  // namespace

using schema::Field;
using schema::field;
using schema::Fields;

Fields CallData::fields() {
  static constexpr Field table[] = {
      field<&CallData::node>("node", "UUID of the node."),
      field<&CallData::call>("call", "Name of the call."),
      field<&CallData::arguments>("arguments", "Its arguments."),
  };
  return table;
}

Fields Undo::fields() {
  static constexpr Field table[] = {
      field<&Undo::call>("call", "A node call."),
      field<&Undo::remove_instance>("remove_instance", "An instance to take out again."),
      field<&Undo::is_seen_to>("is_seen_to", "Somebody else sees to it where it fails."),
      field<&Undo::put_instance>("put_instance", "An instance to put back as it was."),
  };
  return table;
}

Fields StepRecord::fields() {
  static constexpr Field table[] = {
      field<&StepRecord::says>("says", "What it does, for people."),
      field<&StepRecord::call>("call", "The node call."),
      field<&StepRecord::undo>("undo", "What undoes it."),
      field<&StepRecord::is_done>("is_done", "Whether it has ended."),
      field<&StepRecord::reply>("reply", "Its answer."),
      field<&StepRecord::error>("error", "Its error."),
  };
  return table;
}

Fields PlanRecord::fields() {
  static constexpr Field table[] = {
      field<&PlanRecord::format>("format", "Format of the journal."),
      field<&PlanRecord::op_id>("op_id", "The opcode."),
      field<&PlanRecord::op_index>("op_index", "Its place in the job."),
      field<&PlanRecord::plan>("plan", "What it will do."),
      field<&PlanRecord::kept_before>("kept_before", "Steps before are not undone."),
      field<&PlanRecord::undoing>("undoing", "The error after which it is undone."),
      field<&PlanRecord::stuck>("stuck", "Steps that could not be undone."),
      field<&PlanRecord::hooks>("hooks", "Hooks that run when it is done."),
      field<&PlanRecord::locks>("locks", "What it holds."),
  };
  return table;
}

std::string journal_prefix(JobId job) {
  return fmt::format("/journal/{:012}/", number(job));
}
std::string journal_plan_key(JobId job) {
  return journal_prefix(job) + "plan";
}
std::string journal_step_key(JobId job, std::size_t step) {
  return fmt::format("{}step/{:06}", journal_prefix(job), step);
}
std::string job_key(JobId job) {
  return fmt::format("/jobs/{:012}", number(job));
}
std::string archive_key(JobId job) {
  return fmt::format("/archive/{:012}", number(job));
}

std::string seal(json::object const& entry) {
  auto const text = json::serialize(entry);
  return fmt::format("{:08x} {}", crc_of(text), text);
}

Result<json::value> unseal(std::string_view stored) {
  if (stored.starts_with('{')) {
    return fail(ErrorCode::InternalError, "was written by an older version of Flotte");
  }
  if (stored.size() <= seal_size || stored[seal_size - 1] != ' ') {
    return fail(ErrorCode::InternalError, "is no entry of a journal");
  }
  auto const text = stored.substr(seal_size);
  if (stored.substr(0, seal_size - 1) != fmt::format("{:08x}", crc_of(text))) {
    return fail(ErrorCode::InternalError, "is damaged: its checksum is wrong");
  }
  return schema::parse(text);
}

void put_entry(store::Txn& txn, std::string const& key, json::object const& entry) {
  auto const text = seal(entry);
  // It grows, and never becomes half of what it was.
  if (text.size() > part_bytes / 2) txn.delete_prefix(key + ".");
  put_parts(txn, key, text);
}

void replace_entry(store::Txn& txn, std::string const& key, std::string const& stored) {
  txn.delete_prefix(key + ".");
  put_parts(txn, key, stored);
}

std::vector<store::KeyValue> join_parts(std::vector<store::KeyValue> stored) {
  std::vector<store::KeyValue> whole;
  for (auto& kv : stored) {
    auto const dot = kv.key.rfind('.');
    auto const is_part =
        dot != std::string::npos && !whole.empty() && kv.key.substr(0, dot) == whole.back().key;
    if (is_part) {
      whole.back().value += kv.value;
    } else {
      whole.push_back(std::move(kv));
    }
  }
  return whole;
}

Result<Journal> decode_journal(JobId job, std::vector<store::KeyValue> stored) {
  auto const entries = join_parts(std::move(stored));
  auto const prefix = journal_prefix(job);
  Journal journal;
  bool has_plan = false;
  for (auto const& kv : entries) {
    auto const name = kv.key.substr(prefix.size());
    auto const bad = [&](std::string_view why) {
      return fail(ErrorCode::InternalError, "{} of its journal {}", name, why);
    };
    auto const entry = unseal(kv.value);
    if (!entry) return bad(entry.error().message);
    if (name == "plan") {
      auto const* format = entry->is_object() ? entry->get_object().if_contains("format") : nullptr;
      if (!format || *format != json::value(journal_format)) {
        return bad("was written by a newer version of Flotte");
      }
      auto plan = schema::decode<PlanRecord>(*entry);
      if (!plan) return bad(plan.error().message);
      if (plan->locks) {
        if (auto const locks = decode_locks(*plan->locks); !locks) {
          return bad(locks.error().message);
        }
      }
      journal.plan = std::move(*plan);
      has_plan = true;
    } else if (name.starts_with("step/")) {
      if (kv.key != journal_step_key(job, journal.steps.size())) {
        return fail(ErrorCode::InternalError, "Step {} of its journal is missing",
                    journal.steps.size());
      }
      auto step = schema::decode<StepRecord>(*entry);
      if (!step) return bad(step.error().message);
      journal.steps.push_back(std::move(*step));
    } else {
      return bad("is an entry of an unknown kind");
    }
  }
  if (!has_plan) return fail(ErrorCode::InternalError, "The plan of its journal is missing");
  return journal;
}

}  // namespace flotte::jobs
