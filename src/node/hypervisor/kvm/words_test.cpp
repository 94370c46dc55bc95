#include "node/hypervisor/kvm/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotte::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(KvmWords, an_option_may_be_given_twice_and_with_two_dashes) {
  std::vector<std::string> const argv{"kvm", "-runas", "a", "-m", "64", "--runas", "b", "-runas"};
  EXPECT_THAT(kvm_values(argv, "-runas"), ElementsAre("a", "b"));
  EXPECT_THAT(kvm_values(argv, "-m"), ElementsAre("64"));
  EXPECT_THAT(kvm_values(argv, "-name"), IsEmpty());
}

TEST(KvmWords, a_comma_of_a_value_is_written_twice) {
  EXPECT_THAT(
      kvm_properties("pc,serial=a,,file=b,x="),
      ElementsAre(KvmProperty{"", "pc"}, KvmProperty{"serial", "a,file=b"}, KvmProperty{"x", ""}));
  EXPECT_THAT(kvm_properties("a,"), ElementsAre(KvmProperty{"", "a"}, KvmProperty{"", ""}));
  EXPECT_THAT(kvm_properties(",,"), ElementsAre(KvmProperty{"", ","}));
}

TEST(KvmWords, the_last_property_counts) {
  EXPECT_EQ(kvm_property("id=a,id=b,xid=c", "id"), "b");
  EXPECT_EQ(kvm_property("a", "id"), "");
}

}  // namespace
}  // namespace flotte::node
