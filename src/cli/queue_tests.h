// What `gnt-debug test-jobqueue` tries: that the queue refuses what it should, minds dependencies,
// and tells of each job what became of it.
#pragma once

#include "cli/command.h"

namespace flotte::cli {

Outcome<int> test_job_queue(Call& call);

}  // namespace flotte::cli
