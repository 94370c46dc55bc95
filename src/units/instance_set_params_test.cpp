#include "units/instance_set_params.h"

#include <gtest/gtest.h>

namespace flotte::units {
namespace {

std::string error_of(model::AdminState state, bool offline) {
  model::Cluster cluster;
  cluster.put(model::Instance{.uuid = InstanceId("i"), .name = "web1", .admin_state = state});
  opcodes::InstanceSetParams op;
  op.instance_name = "web1";
  op.ignore_ipolicy = true;
  op.offline = offline;
  auto const plan = InstanceSetParams::plan(op, cluster, {});
  return plan ? "" : plan.error().message;
}

TEST(InstanceSetParams, only_what_should_not_run_changes_to_offline_or_online) {
  using enum model::AdminState;
  EXPECT_EQ(error_of(Down, true), "");
  EXPECT_EQ(error_of(Offline, false), "");
  EXPECT_EQ(error_of(Up, true), "Instance 'web1' is marked to be up, can't change to offline");
  // It would go on running, unwished.
  EXPECT_EQ(error_of(Up, false), "Instance 'web1' is marked to be up, can't change to online");
}

}  // namespace
}  // namespace flotte::units
