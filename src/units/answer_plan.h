// The plan of an opcode that only answers: the rows it found when it looked.
#pragma once

#include "jobs/job_context.h"

namespace flotte::units {

struct AnswerPlan {
  schema::json::array answer;
  std::vector<std::string> warnings;  // of what could not be seen

  static schema::Fields fields();
};

// The warnings go into the job's log, the rows are its result.
schema::json::value tell(AnswerPlan const& plan, jobs::JobContext& job);

}  // namespace flotte::units
