#include "jobs/journal.h"

namespace flotte::jobs {

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

Result<Journal> decode_journal(std::string_view plan_text, std::vector<std::string> const& steps) {
  Journal journal;
  auto const plan = TRY(schema::parse(plan_text));
  auto const* format = plan.is_object() ? plan.get_object().if_contains("format") : nullptr;
  if (!format || *format != json::value(journal_format)) {
    return fail(ErrorCode::InternalError, "Its journal was written by another version of Flotte");
  }
  journal.plan = TRY(schema::decode<PlanRecord>(plan, schema::UnknownKeys::Refuse, "plan"));
  for (auto const& text : steps) {
    auto const where = fmt::format("step {}", journal.steps.size());
    journal.steps.push_back(TRY(
        schema::decode<StepRecord>(TRY(schema::parse(text)), schema::UnknownKeys::Refuse, where)));
  }
  return journal;
}

}  // namespace flotte::jobs
