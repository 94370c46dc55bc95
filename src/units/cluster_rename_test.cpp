#include "units/cluster_rename.h"

#include <gmock/gmock.h>

#include "units/noting_job.h"

namespace flotte::units {
namespace {

model::Cluster a_cluster(std::string const& ip = "192.0.2.9") {
  model::Settings settings;
  settings.cluster_name = "old.example.com";
  settings.master_ip = ip;
  settings.master_netdev = ip.empty() ? "" : "br0";
  settings.master_netmask = 24;
  settings.master_node = NodeId("n-1");
  model::Cluster cluster;
  cluster.put(settings);
  cluster.put(model::Node{.uuid = NodeId("n-1"), .name = "n1"});
  return cluster;
}

ClusterRename::Facts resolves(std::string const& name, std::string const& ip,
                              bool answers = false) {
  return {rpc::ResolvedName{.name = name, .ip = ip, .answers = answers}};
}

std::string error_of(ClusterRename::Facts const& facts) {
  auto const plan = ClusterRename::plan({.name = "given"}, a_cluster(), facts);
  return plan ? "" : plan.error().message;
}

ClusterRename::Plan a_plan() {
  return ClusterRename::plan({.name = "new"}, a_cluster(),
                             resolves("new.example.com", "192.0.2.10"))
      .value();
}

// The watcher raises what is configured: the old one is dropped when it no longer is.
TEST(ClusterRename, the_old_address_goes_last) {
  NotingJob job;
  auto const done = ClusterRename::apply(a_plan(), job);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(job.done, ::testing::ElementsAre("Raising the cluster's address 192.0.2.10",
                                               "Renaming the cluster", "keep",
                                               "Dropping the cluster's address 192.0.2.9"));
  EXPECT_TRUE(job.told.empty());
}

TEST(ClusterRename, an_old_address_that_stays_is_told) {
  NotingJob job("Dropping the cluster's address 192.0.2.9");
  auto const done = ClusterRename::apply(a_plan(), job);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(job.told, ::testing::ElementsAre(::testing::HasSubstr(
                            "no such device; do it with 'ip address del 192.0.2.9/24 dev br0'")));
}

TEST(ClusterRename, without_its_new_address_nothing_changes) {
  NotingJob job("Raising the cluster's address 192.0.2.10");
  EXPECT_FALSE(ClusterRename::apply(a_plan(), job));
  EXPECT_TRUE(job.done.empty());
}

// As an older version may have stored it.
TEST(ClusterRename, an_address_in_another_form_is_the_same) {
  auto const plan = ClusterRename::plan({.name = "new"}, a_cluster("2001:DB8:0:0::7"),
                                        resolves("new.example.com", "2001:db8::7", true));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_FALSE(plan->address_before || plan->address_after);
  EXPECT_EQ(plan->ip, "2001:db8::7");
}

TEST(ClusterRename, the_address_goes_with_the_name) {
  auto const plan =
      ClusterRename::plan({.name = "new"}, a_cluster(), resolves("New.example.com", "192.0.2.10"));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->name, "new.example.com");
  EXPECT_EQ(plan->ip, "192.0.2.10");
  ASSERT_TRUE(plan->address_before && plan->address_after);
  EXPECT_EQ(plan->address_before->ip, "192.0.2.9");
  EXPECT_FALSE(plan->address_before->is_up);
  EXPECT_EQ(plan->address_after->ip, "192.0.2.10");
  EXPECT_EQ(plan->address_after->netdev, "br0");
  EXPECT_EQ(plan->address_after->netmask, 24);
  EXPECT_TRUE(plan->address_after->is_up);
}

TEST(ClusterRename, an_address_that_stays_is_left_alone) {
  // It answers: it is ours.
  auto const plan = ClusterRename::plan({.name = "new"}, a_cluster(),
                                        resolves("new.example.com", "192.0.2.9", true));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_FALSE(plan->address_before || plan->address_after);
}

TEST(ClusterRename, a_cluster_without_an_address_needs_no_resolver) {
  auto const plan = ClusterRename::plan({.name = "new.example.com"}, a_cluster(""), {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->name, "new.example.com");
  EXPECT_FALSE(plan->address_before || plan->address_after);
}

TEST(ClusterRename, what_is_wrong_is_named) {
  EXPECT_EQ(error_of(resolves("old.example.com", "192.0.2.9", true)),
            "Neither the name nor the IP address of the cluster has changed");
  EXPECT_EQ(error_of(resolves("new.example.com", "192.0.2.10", true)),
            "The given cluster IP address (192.0.2.10) is reachable on the network");
  EXPECT_THAT(error_of(resolves("", "192.0.2.10")), ::testing::HasSubstr("Invalid hostname ''"));
}

}  // namespace
}  // namespace flotte::units
