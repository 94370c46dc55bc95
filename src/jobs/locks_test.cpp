#include "jobs/locks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotte::jobs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

LockSet instance_lock(std::string name) {
  return {exclusive(LockLevel::Instance, std::move(name))};
}

TEST(Locks, different_instances_run_together) {
  LockManager locks;
  locks.request(JobId{1}, 0, instance_lock("a"));
  locks.request(JobId{2}, 0, instance_lock("b"));
  locks.request(JobId{3}, 0, instance_lock("a"));
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{1}, JobId{2}));
  EXPECT_THAT(locks.grant(), IsEmpty());
  locks.release(JobId{1});
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{3}));
}

TEST(Locks, nobody_overtakes_who_wants_the_same) {
  LockManager locks;
  locks.request(JobId{1}, 0, {shared(LockLevel::Node, "n")});
  locks.request(JobId{2}, 0, {exclusive(LockLevel::Node, "n")});
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{1}));
  locks.request(JobId{3}, 0, {shared(LockLevel::Node, "n")});
  EXPECT_THAT(locks.grant(), IsEmpty()) << "3 could share with 1, but 2 asked before it";
  locks.release(JobId{1});
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{2}));
}

TEST(Locks, urgent_ones_come_first) {
  LockManager locks;
  locks.request(JobId{1}, 0, instance_lock("a"));
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{1}));
  locks.request(JobId{2}, 10, instance_lock("a"));
  locks.request(JobId{3}, -10, instance_lock("a"));
  locks.release(JobId{1});
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{3}));
  locks.release(JobId{3});
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{2}));
}

TEST(Locks, a_whole_level_and_the_cluster_lock_exclude) {
  LockManager locks;
  locks.request(JobId{1}, 0, {all_shared(LockLevel::Instance)});
  locks.request(JobId{2}, 0, instance_lock("a"));
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{1}));
  locks.release(JobId{1});
  locks.request(JobId{3}, 0, {exclusive(LockLevel::Cluster, "BGL")});
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{2}));
  locks.release(JobId{2});
  EXPECT_THAT(locks.grant(), ElementsAre(JobId{3}));
}

}  // namespace
}  // namespace flotte::jobs
