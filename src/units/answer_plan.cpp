#include "units/answer_plan.h"

namespace flotte::units {

schema::Fields AnswerPlan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&AnswerPlan::answer>("answer", "The rows.")};
  return table;
}

}  // namespace flotte::units
