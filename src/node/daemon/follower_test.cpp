#include "node/daemon/follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node/daemon/test_hypervisor.h"

namespace flotte::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// One guest that was asked for something.
class Asked : public ::testing::Test {
 protected:
  class Guest final : public StillHypervisor {
   public:
    std::vector<std::string> asked() override {
      if (is_gone) return {};
      return {"web1"};
    }
    std::optional<rpc::InstanceSpec> lacking(std::string const&) override {
      ++looks;
      return lacks ? std::optional(rpc::InstanceSpec{}) : std::nullopt;
    }
    int looks = 0;
    bool lacks = false;
    bool is_gone = false;
  };

  // In which of so many rounds it is looked at.
  std::vector<int> looked_at(int rounds) {
    std::vector<int> found;
    for (int round = 1; round <= rounds; ++round) {
      auto const before = guest_.looks;
      follower_.round();
      if (guest_.looks > before) found.push_back(round);
    }
    return found;
  }

  Guest guest_;
  bool is_free_ = true;
  int given_ = 0;
  Follower follower_{guest_, [this](std::string const& instance) {
                       EXPECT_EQ(instance, "web1");
                       given_ += is_free_ ? 1 : 0;
                       return is_free_;
                     }};
};

TEST_F(Asked, is_looked_at_less_and_less_often_and_never_given_up) {
  EXPECT_THAT(looked_at(160), ElementsAre(1, 3, 7, 15, 31, 61, 91, 121, 151));
  EXPECT_EQ(given_, 0);
}

TEST_F(Asked, and_asked_again_is_looked_at_at_once) {
  looked_at(160);
  follower_.begin_anew("web1");
  EXPECT_THAT(looked_at(20), ElementsAre(1, 3, 7, 15));
}

TEST_F(Asked, and_ended_meanwhile_is_another_one_when_it_is_asked) {
  looked_at(160);
  guest_.is_gone = true;
  EXPECT_THAT(looked_at(20), IsEmpty());
  guest_.is_gone = false;
  EXPECT_THAT(looked_at(20), ElementsAre(1, 3, 7, 15));
}

TEST_F(Asked, and_answered_gets_it_back_soon_where_it_fails_at_first) {
  looked_at(31);
  guest_.lacks = true;
  EXPECT_THAT(looked_at(60), ElementsAre(30, 31, 33, 37, 45));
  EXPECT_EQ(given_, 5);
}

TEST_F(Asked, and_answered_while_somebody_is_at_it_is_looked_at_until_nobody_is) {
  guest_.lacks = true;
  is_free_ = false;
  EXPECT_THAT(looked_at(5), ElementsAre(1, 2, 3, 4, 5));
  is_free_ = true;
  EXPECT_THAT(looked_at(1), ElementsAre(1));
  EXPECT_EQ(given_, 1);
}

}  // namespace
}  // namespace flotte::node
