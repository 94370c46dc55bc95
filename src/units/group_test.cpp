// Node groups: their units, and that what a group has of its own counts.
#include <gmock/gmock.h>

#include "units/group_add.h"
#include "units/group_assign_nodes.h"
#include "units/group_remove.h"
#include "units/group_rename.h"
#include "units/group_set_params.h"
#include "units/instance_steps.h"

namespace flotte::units {
namespace {

using ::testing::HasSubstr;

model::Cluster a_cluster() {
  model::Settings settings;
  settings.enabled_disk_templates = {model::DiskTemplate::Plain};
  settings.ipolicy = model::default_ipolicy();
  settings.diskparams = {{"plain", json::object{{"stripes", 2}}}};
  model::Cluster cluster;
  cluster.put(settings);
  cluster.put(model::Group{.uuid = GroupId("g-1"), .name = "default"});
  cluster.put(model::Group{.uuid = GroupId("g-2"), .name = "rack2"});
  cluster.put(model::Node{.uuid = NodeId("n-1"), .name = "n1", .group = GroupId("g-1")});
  cluster.put(model::Node{.uuid = NodeId("n-2"), .name = "n2", .group = GroupId("g-1")});
  model::Instance instance{.uuid = InstanceId("i-1"), .name = "web1"};
  instance.primary_node = NodeId("n-1");
  instance.disk_template = model::DiskTemplate::Plain;
  instance.disks = {model::Disk{.uuid = DiskId("d-1"), .size = MiB{2048}}};
  instance.nics = {model::Nic{}};
  instance.beparams = {{"maxmem", 512}, {"minmem", 512}};
  cluster.put(instance);
  return cluster;
}

template <class Unit>
std::string error_of(typename Unit::Op const& op, model::Cluster const& cluster = a_cluster()) {
  auto const plan = Unit::plan(op, cluster, {});
  return plan ? "" : plan.error().message;
}

TEST(GroupAdd, takes_what_it_is_given) {
  opcodes::GroupAdd const op{.group_name = "rack3",
                             .alloc_policy = "last_resort",
                             .ndparams = json::object{{"ssh_port", "2222"}},
                             .diskparams = json::object{{"plain", json::object{{"stripes", "3"}}}},
                             .ipolicy = json::object{{"vcpu-ratio", 2.5}}};
  auto const plan = GroupAdd::plan(op, a_cluster(), {.uuid = GroupId("g-3"), .now = 7});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->group.uuid.text(), "g-3");
  EXPECT_EQ(plan->group.alloc_policy, "last_resort");
  EXPECT_EQ(plan->group.ndparams, (json::object{{"ssh_port", 2222}}));
  EXPECT_EQ(plan->group.diskparams, (json::object{{"plain", json::object{{"stripes", 3}}}}));
  EXPECT_EQ(plan->group.ipolicy, (json::object{{"vcpu-ratio", 2.5}}));
}

TEST(GroupAdd, what_is_wrong_is_named) {
  EXPECT_EQ(error_of<GroupAdd>({.group_name = "rack2"}),
            "Desired group name 'rack2' already exists as a node group (UUID: g-2)");
  EXPECT_THAT(error_of<GroupAdd>({.group_name = "two words"}), HasSubstr("Invalid group name"));
  EXPECT_THAT(error_of<GroupAdd>({.group_name = "x", .alloc_policy = "never"}),
              HasSubstr("'never': preferred, last_resort or unallocable"));
  EXPECT_EQ(error_of<GroupAdd>({.group_name = "x", .ndparams = json::object{{"nosuch", 1}}}),
            "Unknown parameter 'nosuch'");
  EXPECT_EQ(error_of<GroupAdd>({.group_name = "x", .diskparams = json::object{{"pony", {}}}}),
            "Unknown disk template 'pony'");
}

TEST(GroupPolicy, what_is_wrong_is_named) {
  auto const error = [](json::object policy) {
    return error_of<GroupSetParams>({.group_name = "default", .ipolicy = std::move(policy)});
  };
  EXPECT_EQ(error({{"std", json::object{{"cpu-count", 1}}}}),
            "std cannot appear in group instance specs");
  EXPECT_EQ(error({{"nosuch", 1}}), "Invalid key in new ipolicy: nosuch");
  EXPECT_EQ(error({{"disk-templates", json::array{"pony"}}}),
            "Invalid instance policy: Invalid disk template(s) pony");
  EXPECT_EQ(error({{"minmax", json::array{json::object{{"min", json::object()}}}}}),
            "Invalid instance policy: Missing instance specs parameters for min: cpu-count, "
            "disk-count, disk-size, memory-size, nic-count, spindle-use");
  auto swapped = model::default_ipolicy().at("minmax");
  std::swap(swapped.as_array()[0].at("min"), swapped.as_array()[0].at("max"));
  EXPECT_THAT(error({{"minmax", swapped}}),
              HasSubstr("Invalid specification of min/max values for memory-size: 32768/128"));
}

TEST(GroupPolicy, default_takes_away_what_is_its_own) {
  auto cluster = a_cluster();
  auto group = *cluster.groups().at(GroupId("g-1"));
  group.ipolicy = {{"vcpu-ratio", 2.0}, {"spindle-ratio", 3.0}};
  cluster.put(group);
  auto const plan = GroupSetParams::plan(
      {.group_name = "default", .ipolicy = json::object{{"vcpu-ratio", "default"}}}, cluster, {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->group.ipolicy, (json::object{{"spindle-ratio", 3.0}}));
}

TEST(GroupSetParams, tells_what_changes_and_who_fits_no_more) {
  auto minmax = model::default_ipolicy().at("minmax");
  minmax.as_array()[0].at("max").as_object()["memory-size"] = 256;
  auto const plan =
      GroupSetParams::plan({.group_name = "default",
                            .diskparams = json::object{{"plain", json::object{{"stripes", 4}}}},
                            .ipolicy = json::object{{"minmax", minmax}}},
                           a_cluster(), {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->warnings,
              ::testing::ElementsAre(
                  "After the ipolicy change the following instances violate them: web1"));
  ASSERT_EQ(plan->told.size(), 1U);
  EXPECT_EQ(plan->told[0].at(0), "diskparams");
  EXPECT_EQ(error_of<GroupSetParams>({.group_name = "default"}),
            "Please pass at least one modification");
  EXPECT_EQ(error_of<GroupSetParams>({.group_name = "def", .alloc_policy = "preferred"}),
            "Node group 'def' not found");
}

TEST(GroupParameters, count_for_disks_and_policies_of_its_nodes) {
  auto cluster = a_cluster();
  auto const& instance = **cluster.instance("web1");
  EXPECT_EQ(disk_spec(cluster, instance, 0).params.at("stripes"), 2);
  auto group = *cluster.groups().at(GroupId("g-1"));
  group.diskparams = {{"plain", json::object{{"stripes", 4}}}};
  group.ipolicy = {{"disk-templates", json::array{"diskless"}}};
  cluster.put(group);
  EXPECT_EQ(disk_spec(cluster, instance, 0).params.at("stripes"), 4);
  EXPECT_THAT(
      model::policy_violations(model::filled_ipolicy(cluster, instance.primary_node), instance,
                               model::filled_beparams(cluster.settings(), instance)),
      ::testing::ElementsAre("Disk template plain is not allowed (allowed templates: diskless)"));
}

TEST(GroupRemove, only_an_empty_one_and_never_the_last) {
  EXPECT_EQ(error_of<GroupRemove>({.group_name = "rack2"}), "");
  EXPECT_EQ(error_of<GroupRemove>({.group_name = "default"}),
            "Group 'default' not empty, has the following nodes: n-1, n-2");
  model::Cluster cluster;
  cluster.put(model::Group{.uuid = GroupId("g-1"), .name = "only"});
  EXPECT_EQ(error_of<GroupRemove>({.group_name = "only"}, cluster),
            "Group 'only' is the only group, cannot be removed");
}

TEST(GroupRename, to_a_name_that_is_free) {
  EXPECT_EQ(error_of<GroupRename>({.group_name = "rack2", .new_name = "rack9"}), "");
  EXPECT_EQ(error_of<GroupRename>({.group_name = "rack2", .new_name = "default"}),
            "Desired new name 'default' clashes with existing node group (UUID: g-1)");
}

TEST(GroupAssignNodes, locks_both_groups_and_the_nodes) {
  opcodes::GroupAssignNodes const op{.group_name = "rack2", .nodes = {"n1", "n1"}};
  auto const plan = GroupAssignNodes::plan(op, a_cluster(), {});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->nodes, std::vector{NodeId("n-1")});
  auto const locks = GroupAssignNodes::locks(op, a_cluster());
  ASSERT_TRUE(locks);
  EXPECT_EQ(locks->size(), 3U);
  EXPECT_EQ(error_of<GroupAssignNodes>({.group_name = "rack2", .nodes = {"n9"}}),
            "Node 'n9' not known");
}

}  // namespace
}  // namespace flotte::units
