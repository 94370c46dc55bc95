// What a real volume group can't be made to do at will: the command of a daemon that was killed
// goes on behind the back of the next one. The rest is in the contract of node calls, see
// tests/volumes.
#include <gmock/gmock.h>

#include <functional>

#include "node/network/master_address.h"
#include "node/storage/block_device.h"

namespace flotte::node {
namespace {

using ::testing::HasSubstr;

constexpr auto no_volume = R"({"report":[{"lv":[]}]})";
std::string volume_of(std::string_view owner, std::string_view open) {
  return fmt::format(
      R"({{"report":[{{"lv":[{{"lv_name":"d","lv_size":"67108864","lv_layout":"linear",)"
      R"("lv_role":"public","lv_tags":"originstname+{}","lv_device_open":"{}"}}]}}]}})",
      owner, open);
}
std::string const our_volume = volume_of("web1", "");
std::string const foreign_volume = volume_of("web2", "");
std::string const our_open_volume = volume_of("web1", "open");

// Looks answer one after the other; whatever would change something comes too late.
class TooLate final : public sys::Processes {
 public:
  explicit TooLate(std::vector<std::string> looks) : looks_(std::move(looks)) {}

  Result<sys::Finished> run(sys::Command const& command, sys::LineSink const&) override {
    auto const is_look =
        command.argv[0] == "lvs" || std::ranges::find(command.argv, "show") != command.argv.end();
    if (!is_look) return sys::Finished{.exit_status = 5, .errors = "too late"};
    auto answer = looks_.at(looked_);
    ++looked_;
    return sys::Finished{.output = std::move(answer)};
  }

 private:
  std::vector<std::string> looks_;
  std::size_t looked_ = 0;
};

rpc::DiskSpec disk() {
  rpc::DiskSpec spec;
  spec.disk.dev_type = model::DiskTemplate::Plain;
  spec.disk.logical_id = {"xenvg", "d"};
  spec.disk.size = {64};
  return spec;
}

Result<void> create(std::vector<std::string> looks) {
  TooLate processes(std::move(looks));
  return make_plain_devices(processes)->create({"web1", disk()});
}
Result<void> remove(std::vector<std::string> looks) {
  TooLate processes(std::move(looks));
  return make_plain_devices(processes)->remove("web1", disk());
}
Result<void> address(bool is_up, std::vector<std::string> looks) {
  TooLate processes(std::move(looks));
  return set_master_address(processes, {.ip = "192.0.2.7", .netdev = "lo", .is_up = is_up});
}

TEST(PlainDevices, a_volume_that_appears_meanwhile_is_the_one_wanted) {
  EXPECT_TRUE(create({no_volume, our_volume}));
  EXPECT_THAT(create({no_volume, no_volume}).error().message, HasSubstr("too late"));
  EXPECT_THAT(create({no_volume, foreign_volume}).error().message, HasSubstr("too late"));
}

TEST(PlainDevices, a_volume_that_vanishes_meanwhile_is_removed) {
  EXPECT_TRUE(remove({our_volume, no_volume}));
  EXPECT_THAT(remove({our_volume, our_volume}).error().message, HasSubstr("too late"));
}

// udev looks at a volume that was just written; lvremove says that it is in use.
class UdevLooks final : public sys::Processes {
 public:
  explicit UdevLooks(int times) : times_(times) {}

  Result<sys::Finished> run(sys::Command const& command, sys::LineSink const&) override {
    auto const& what = command.argv[0];
    if (what == "lvs") return sys::Finished{.output = times_ > 0 ? our_open_volume : our_volume};
    if (what == "udevadm") --times_;
    if (what == "lvremove" && times_ > 0)
      return sys::Finished{.exit_status = 5, .errors = "in use"};
    return sys::Finished{};
  }

 private:
  int times_;
};

TEST(PlainDevices, a_volume_that_udev_looks_at_is_removed_when_it_has_looked) {
  UdevLooks briefly(2);
  EXPECT_TRUE(make_plain_devices(briefly)->remove("web1", disk()));
  UdevLooks forever(100);
  EXPECT_THAT(make_plain_devices(forever)->remove("web1", disk()).error().message,
              HasSubstr("in use"));
}

// A volume that an administrator took over from an instance once, with what that left on it.
class Marked final : public sys::Processes {
 public:
  Result<sys::Finished> run(sys::Command const& command, sys::LineSink const&) override {
    commands.push_back(fmt::format("{}", fmt::join(command.argv, " ")));
    if (command.argv[0] != "lvs") return sys::Finished{};
    return sys::Finished{
        .output = R"({"report":[{"lv":[{"vg_name":"xenvg","lv_name":"old","lv_size":"67108864",)"
                  R"("lv_layout":"linear","lv_role":"public",)"
                  R"("lv_tags":"flotte-epoch+3,flotte-unwiped+33554432"}]}]})"};
  }
  std::vector<std::string> commands;
};

TEST(PlainDevices, what_is_adopted_has_nothing_of_an_earlier_life) {
  Marked processes;
  auto const adopted = make_plain_devices(processes)->adopt({"web1", disk(), "old", ""});
  ASSERT_TRUE(adopted) << adopted.error().message;
  EXPECT_THAT(processes.commands,
              ::testing::Contains("lvchange --deltag=flotte-epoch+3 --addtag=originstname+web1 "
                                  "--deltag=flotte-unwiped+33554432 xenvg/old"));
}

TEST(MasterAddress, one_in_another_form_is_there) {
  TooLate processes({"1: lo    inet6 2001:db8::7/64 scope global lo"});
  EXPECT_TRUE(set_master_address(
      processes, {.ip = "2001:DB8:0:0::7", .netdev = "lo", .netmask = 64, .is_up = true}));
}

TEST(MasterAddress, one_that_was_changed_meanwhile_is_as_wished) {
  EXPECT_TRUE(address(true, {"", "1: lo    inet 192.0.2.7/32 scope global lo"}));
  EXPECT_TRUE(address(false, {"1: lo    inet 192.0.2.7/32 scope global lo", ""}));
  EXPECT_THAT(address(true, {"", ""}).error().message, HasSubstr("too late"));
  auto const with_another_mask = "1: lo    inet 192.0.2.7/24 scope global lo";
  EXPECT_THAT(address(true, {with_another_mask, with_another_mask}).error().message,
              HasSubstr("too late"));
  EXPECT_TRUE(address(false, {with_another_mask})) << "that one is not ours to drop";
}

// Says that the volume is of an epoch, and notes what is changed.
class OfAnEpoch final : public sys::Processes {
 public:
  explicit OfAnEpoch(int epoch) : epoch_(epoch) {}

  Result<sys::Finished> run(sys::Command const& command, sys::LineSink const&) override {
    if (command.argv[0] == "lvs") {
      return sys::Finished{.output = volume_of(fmt::format("web1,flotte-epoch+{}", epoch_), "")};
    }
    changes.push_back(fmt::format("{}", fmt::join(command.argv, " ")));
    return sys::Finished{};
  }

  std::vector<std::string> changes;

 private:
  int epoch_;
};

TEST(PlainDevices, a_volume_is_given_to_no_earlier_epoch_than_its_own) {
  OfAnEpoch processes(7);
  auto const devices = make_plain_devices(processes);
  auto const refused = devices->assemble("web1", disk(), 6);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "Disk 0 of web1 was started later, at epoch 7; epoch 6 may not have it");
  EXPECT_TRUE(processes.changes.empty());
  EXPECT_EQ(devices->assemble("web1", disk(), 7).value(), "/dev/xenvg/d");
  EXPECT_EQ(processes.changes, std::vector<std::string>{"lvchange -ay xenvg/d"});
  EXPECT_TRUE(devices->assemble("web1", disk(), 8));
  EXPECT_EQ(processes.changes[1],
            "lvchange --deltag=flotte-epoch+7 --addtag=flotte-epoch+8 xenvg/d");
}

}  // namespace
}  // namespace flotte::node
