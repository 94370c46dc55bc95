// What starts and stops an instance that is marked offline says.
#include <gtest/gtest.h>

#include "units/instance_deactivate_disks.h"
#include "units/instance_reboot.h"
#include "units/instance_shutdown.h"
#include "units/instance_startup.h"

namespace flotte::units {
namespace {

constexpr auto refusal =
    "Instance 'web1' is marked to be offline, can't use instance from outside down, up states; "
    "'gnt-instance modify --online web1' ends that";

model::Cluster a_cluster() {
  model::Settings settings;
  settings.enabled_hypervisors = {model::HypervisorKind::Fake};
  model::Instance instance{.uuid = InstanceId("i"), .name = "web1"};
  instance.primary_node = NodeId("node-1");
  instance.hypervisor = model::HypervisorKind::Fake;
  instance.admin_state = model::AdminState::Offline;
  model::Cluster cluster;
  cluster.put(settings);
  cluster.put(model::Node{.uuid = NodeId("node-1"), .name = "n1"});
  cluster.put(instance);
  return cluster;
}

template <class Unit>
std::string error_of(typename Unit::Op op) {
  op.instance_name = "web1";
  auto const plan = Unit::plan(op, a_cluster(), {});
  return plan ? "" : plan.error().message;
}

// A QEMU that hangs: the guest would be stopped and not start again.
TEST(InstanceReboot, stops_nothing_of_which_nobody_can_tell_whether_it_starts_again) {
  auto cluster = a_cluster();
  auto instance = *cluster.instance("web1").value();
  instance.admin_state = model::AdminState::Up;
  cluster.put(instance);
  InstanceReboot::Op const op{.instance_name = "web1", .reboot_type = "hard"};
  InstanceReboot::Facts facts{.running = rpc::RunningInstance{.name = "web1"},
                              .unknown = "Can't tell whether it would start: it hangs"};
  auto plan = InstanceReboot::plan(op, cluster, facts);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message,
            "Can't tell whether it would start: it hangs; so instance web1 is not stopped. "
            "'gnt-instance shutdown' and 'startup' don't mind");
  // Nothing is lost by trying to start what doesn't run.
  facts.running.reset();
  plan = InstanceReboot::plan(op, cluster, facts);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->warning, facts.unknown);
}

TEST(InstanceMarkedOffline, is_not_started_not_even_by_force) {
  EXPECT_EQ(error_of<InstanceStartup>({}), refusal);
  EXPECT_EQ(error_of<InstanceStartup>({.force = true}), refusal);
}

TEST(InstanceMarkedOffline, is_not_rebooted) {
  EXPECT_EQ(error_of<InstanceReboot>({.reboot_type = "hard"}), refusal);
}

TEST(InstanceMarkedOffline, is_stopped_only_by_force_and_stays_marked) {
  EXPECT_EQ(error_of<InstanceShutdown>({}), refusal);
  auto const plan =
      InstanceShutdown::plan({.instance_name = "web1", .force = true}, a_cluster(), {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_FALSE(plan->remember);
}

TEST(InstanceMarkedOffline, keeps_its_disks_active_unless_by_force) {
  EXPECT_EQ(error_of<InstanceDeactivateDisks>({}),
            "Instance 'web1' is marked to be offline, cannot shutdown disks; 'gnt-instance modify "
            "--online web1' ends that");
  EXPECT_EQ(error_of<InstanceDeactivateDisks>({.force = true}), "");
}

}  // namespace
}  // namespace flotte::units
