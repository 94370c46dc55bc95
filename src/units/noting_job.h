// For the tests of units only: a job that notes what is done. A step whose words are `failing`
// fails.
#pragma once

#include <cstdlib>

#include "jobs/job_context.h"

namespace flotte::units {

class NotingJob final : public jobs::JobContext {
 public:
  explicit NotingJob(std::string failing = "") : failing_(std::move(failing)) {}

  Result<void> commit(std::string says, std::function<Result<void>(store::ClusterEdit&)> const&,
                      std::optional<jobs::Undo>) override {
    done.push_back(std::move(says));
    return {};
  }
  Result<void> keep() override {
    done.emplace_back("keep");
    return {};
  }
  void hold_cancel(bool) override {}
  void log(std::string text) override { told.push_back(std::move(text)); }
  Result<json::array> submit(std::vector<json::array>) override { return json::array(); }
  std::vector<jobs::HookReport> run_post_hooks() override { return {}; }
  std::shared_ptr<model::Cluster const> cluster() override {
    return std::make_shared<model::Cluster const>();
  }
  Clock& clock() override { return clock_; }
  Result<void> sleep(std::chrono::nanoseconds) override { return {}; }
  JobId id() const override { return JobId{1}; }
  std::vector<std::string> rewrite_ssconf() override { return {}; }

  std::vector<std::string> done;
  std::vector<std::string> told;

 private:
  Result<json::value> run_step(std::string says, jobs::CallData, jobs::StepOptions) override {
    if (says == failing_) return fail(ErrorCode::EnvironmentError, "no such device");
    done.push_back(std::move(says));
    return json::value(json::object());
  }
  rpc::Node& nodes() override { std::abort(); }
  rpc::CallContext read_context() override { return {}; }

  std::string failing_;
  SystemClock clock_;
};

}  // namespace flotte::units
