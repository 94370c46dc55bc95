// For tests of the node daemon only: a hypervisor with which nothing happens.
#pragma once

#include "node/hypervisor/hypervisor.h"

namespace flotte::node {

class StillHypervisor : public Hypervisor {
 public:
  Result<rpc::HypervisorAdvice> check(rpc::InstanceSpec const&) override {
    return rpc::HypervisorAdvice{};
  }
  Result<void> start(rpc::InstanceSpec const&, std::vector<std::string> const&, bool) override {
    return {};
  }
  Result<void> stop(std::string const&, std::chrono::seconds) override { return {}; }
  Result<void> soft_reboot(std::string const&) override { return {}; }
  Result<void> resize_disk(std::string const&, rpc::DiskSpec const&, MiB) override { return {}; }
  Result<void> adjust(rpc::InstanceSpec const&, std::vector<std::string> const&,
                      GoesOn const&) override {
    return {};
  }
  std::vector<std::string> asked() override { return {}; }
  std::optional<rpc::InstanceSpec> lacking(std::string const&) override { return {}; }
  Result<void> balloon(std::string const&, MiB) override { return {}; }
  bool is_running(std::string const&) override { return true; }
  bool uses(std::string const&, DiskId const&) override { return true; }
  Result<std::vector<rpc::RunningInstance>> list(std::vector<std::string> const&) override {
    return std::vector<rpc::RunningInstance>();
  }
};

}  // namespace flotte::node
