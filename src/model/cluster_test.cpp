#include "model/cluster.h"

#include <gtest/gtest.h>

namespace flotte::model {
namespace {

std::string found(std::string_view name) {
  Cluster cluster;
  cluster.put(Instance{.uuid = InstanceId("i"), .name = "web1.example.com"});
  cluster.put(Instance{.uuid = InstanceId("j"), .name = "web1.example.net"});
  cluster.put(Instance{.uuid = InstanceId("k"), .name = "db1.example.com"});
  auto const instance = cluster.instance(name);
  return instance ? (*instance)->name : instance.error().message;
}

TEST(Cluster, a_name_may_be_short_and_in_either_case) {
  EXPECT_EQ(found("db1"), "db1.example.com");
  EXPECT_EQ(found("DB1"), "db1.example.com");
  EXPECT_EQ(found("Web1.Example.NET"), "web1.example.net");
  EXPECT_EQ(found("k"), "db1.example.com");
}

TEST(Cluster, a_short_name_of_two_is_of_neither) {
  EXPECT_EQ(found("web1"),
            "Instance name 'web1' is ambiguous: web1.example.com and web1.example.net both match");
  EXPECT_EQ(found("web"), "Instance 'web' not known");
  EXPECT_EQ(found("db1.example"), "db1.example.com");
}

}  // namespace
}  // namespace flotte::model
