// The plan of an opcode that only answers: the rows it found when it looked.
#pragma once

#include "schema/schema.h"

namespace flotte::units {

struct AnswerPlan {
  schema::json::array answer;

  static schema::Fields fields();
};

}  // namespace flotte::units
