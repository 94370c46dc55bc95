// KeyFiles: the keys of jobs that have secrets, a file each, for the controller alone. Thread-safe.
#pragma once

#include "jobs/secrets.h"

namespace flotte::controller {

class KeyFiles final : public jobs::SecretKeys {
 public:
  explicit KeyFiles(std::string directory) : directory_(std::move(directory)) {}

  Result<void> keep(JobId job, std::string const& key) override;
  Result<std::map<JobId, std::string>> all() override;
  Result<void> destroy(JobId job) override;

 private:
  std::string path(JobId job) const;

  std::string directory_;
};

}  // namespace flotte::controller
