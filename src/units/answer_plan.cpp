#include "units/answer_plan.h"

namespace flotte::units {

schema::Fields AnswerPlan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&AnswerPlan::answer>("answer", "The rows."),
      schema::field<&AnswerPlan::warnings>("warnings", "What could not be seen."),
  };
  return table;
}

schema::json::value tell(AnswerPlan const& plan, jobs::JobContext& job) {
  for (auto const& warning : plan.warnings) job.warn(warning);
  return plan.answer;
}

}  // namespace flotte::units
