// Controller: wires the store, the node client, the job queue and the local socket together, for
// the life of the process.
//
// Made and ended by flotte-controllerd's main thread.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/paths.h"
#include "base/random.h"
#include "base/result.h"

namespace flotte::controller {

class Controller {
 public:
  // Opens the store, takes the leadership, resumes the jobs and listens. When it returns commands
  // are answered.
  static Result<std::unique_ptr<Controller>> create(Paths paths, Clock& clock, Random& random);
  // Stops listening, then the jobs: those that run go on after the next start. Guests are not
  // touched.
  ~Controller();

  // For a watchdog: does not return while a thread sits on what everybody needs.
  bool is_alive() const;

 private:
  struct Parts;
  explicit Controller(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace flotte::controller
