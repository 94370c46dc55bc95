// One contract for whatever stands behind the seam Node: the same operations, the same answers,
// the same leftovers.
#include "node/daemon/test_worlds.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;

class NodeContract : public ::testing::TestWithParam<WorldRow> {
 protected:
  template <class Call>
  Result<typename Call::Reply> ask(Call const& call) {
    ++context_.step;
    ++context_.serial;
    return world_->nodes().ask(world_->node(), call, context_, [this](std::string_view line) {
      said_.emplace_back(line);
      return true;
    });
  }
  template <class Call>
  void must(Call const& call) {
    auto const done = ask(call);
    EXPECT_TRUE(done) << Call::name << ": " << done.error().message;
  }
  // The code of the refusal.
  template <class Call>
  ErrorCode refused(Call const& call) {
    auto const done = ask(call);
    EXPECT_FALSE(done) << Call::name << " was done";
    if (done) return ErrorCode::InternalError;
    EXPECT_NE(done.error().error_class, ErrorClass::Unreachable) << done.error().message;
    return done.error().code;
  }

  rpc::InstanceSpec instance(std::string const& name) const {
    return instance_in(*world_, name, MiB{64});
  }
  std::size_t running() {
    auto const list = ask(rpc::AllInstancesInfo{{model::HypervisorKind::Fake}});
    EXPECT_TRUE(list);
    return list ? list->instances.size() : 0;
  }
  std::unique_ptr<World> world_ = GetParam().make();
  rpc::CallContext context_{.leader_epoch = 1, .job = 1, .step = 0, .timeout = 300s};
  std::vector<std::string> said_;
};

TEST_P(NodeContract, a_disk_lives_from_creation_to_removal) {
  auto const spec = instance("web1");
  auto const& disk = spec.disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevCreate{"web1", disk});
  EXPECT_EQ(world_->disks(), 1U);
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  auto const found = ask(rpc::BlockdevFind{"web1", {disk}});
  ASSERT_TRUE(found);
  ASSERT_TRUE(found->devices.at(0));
  EXPECT_EQ(found->devices.at(0)->path, world_->device(disk.disk));
  EXPECT_EQ(found->devices.at(0)->size, MiB{64});
  EXPECT_TRUE(found->devices.at(0)->is_active);
  auto lost = disk;
  lost.disk.logical_id.back() += "-lost";
  EXPECT_FALSE(ask(rpc::BlockdevGrow{"web1", lost, {128}}));
  must(rpc::BlockdevGrow{.instance = "web1", .disk = lost, .size = {128}, .is_undo = true});
  must(rpc::BlockdevGrow{"web1", disk, {128}});
  must(rpc::BlockdevGrow{"web1", disk, {128}});
  must(rpc::BlockdevGrow{"web1", disk, {64}});
  must(rpc::BlockdevShutdown{"web1", disk});
  must(rpc::BlockdevShutdown{"web1", disk});
  auto const at_rest = ask(rpc::BlockdevFind{"web1", {disk}});
  ASSERT_TRUE(at_rest && at_rest->devices.at(0));
  EXPECT_EQ(at_rest->devices.at(0)->size, MiB{128});
  EXPECT_FALSE(at_rest->devices.at(0)->is_active);
  must(rpc::BlockdevRemove{"web1", disk});
  must(rpc::BlockdevRemove{"web1", disk});
  EXPECT_EQ(world_->disks(), 0U);
  EXPECT_FALSE(ask(rpc::BlockdevFind{"web1", {disk}})->devices.at(0));
}

TEST_P(NodeContract, what_is_wrong_and_whose_the_run_files_are) {
  auto const disk = instance("web1").disks[0];
  auto const look = [&] {
    return *ask(rpc::NodeVerify{{"nosuchbridge"}, {world_->file_directory()}, "192.0.2.250"});
  };
  auto const files_of = [](rpc::NodeFindings const& found, std::string const& name) {
    return std::ranges::count(found.run_files, name, &rpc::RunFile::instance);
  };
  auto found = look();
  EXPECT_THAT(found.missing_bridges, ::testing::ElementsAre("nosuchbridge"));
  EXPECT_FALSE(found.has_master_ip);
  EXPECT_TRUE(found.file_faults.empty());
  EXPECT_TRUE(found.storage_faults.empty());
  EXPECT_TRUE(found.forbidden_storage_paths.empty());
  EXPECT_EQ(files_of(found, "web1"), 0);
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  EXPECT_EQ(files_of(look(), "web1"), 1);
  must(rpc::BlockdevShutdown{"web1", disk});
  EXPECT_EQ(files_of(look(), "web1"), 0);
}

TEST_P(NodeContract, a_disk_of_another_size_is_not_taken_for_the_same) {
  auto disk = instance("web1").disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  disk.disk.size = {32};
  EXPECT_EQ(refused(rpc::BlockdevCreate{"web1", disk}), ErrorCode::AlreadyExists);
}

TEST_P(NodeContract, a_disk_of_another_instance_is_left_alone) {
  auto const disk = instance("web1").disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  EXPECT_EQ(refused(rpc::BlockdevRemove{"web2", disk}), ErrorCode::WrongState);
  EXPECT_EQ(refused(rpc::BlockdevAssemble{"web2", disk, 1}), ErrorCode::WrongState);
  EXPECT_EQ(refused(rpc::BlockdevGrow{"web2", disk, MiB{4096}}), ErrorCode::WrongState);
  must(rpc::BlockdevAssemble{"web1", disk, 1});
}

// One writer: neither another instance nor a wipe takes the disk of a guest.
TEST_P(NodeContract, a_disk_in_use_and_another_s_are_not_overwritten) {
  auto const spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  refused(rpc::BlockdevWipe{"web2", spec.disks[0]});
  EXPECT_FALSE(ask(rpc::BlockdevFind{"web2", {spec.disks[0]}})->devices.at(0));
  must(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  must(rpc::InstanceStart{spec});
  EXPECT_EQ(refused(rpc::BlockdevRemove{"web1", spec.disks[0]}), ErrorCode::WrongState);
  EXPECT_EQ(world_->disks(), 1U);
}

TEST_P(NodeContract, nobody_gets_a_new_disk_before_it_is_wiped) {
  auto const spec = instance("web1");
  auto const& disk = spec.disks[0];
  for (int i = 0; i < 2; ++i) {
    must(rpc::BlockdevCreateUnwiped{"web1", disk});
    EXPECT_EQ(refused(rpc::BlockdevAssemble{"web1", disk, 1}), ErrorCode::WrongState);
  }
  EXPECT_EQ(refused(rpc::InstanceStart{spec}), ErrorCode::WrongState);
  refused(rpc::BlockdevWipe{"web2", disk});
  must(rpc::BlockdevWipe{"web1", disk});
  EXPECT_THAT(said_, ::testing::Contains(::testing::HasSubstr("wiping")));
  must(rpc::BlockdevWipe{"web1", disk});
  must(rpc::BlockdevCreateUnwiped{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  must(rpc::BlockdevRemove{"web1", disk});
  // One that was never wiped is removed all the same.
  must(rpc::BlockdevCreateUnwiped{"web1", disk});
  must(rpc::BlockdevRemove{"web1", disk});
  EXPECT_EQ(world_->disks(), 0U);
}

TEST_P(NodeContract, a_guest_is_told_of_more_when_that_is_wiped) {
  auto const spec = instance("web1");
  auto const& disk = spec.disks[0];
  rpc::InstanceResizeDisk const tell{"web1", model::HypervisorKind::Fake, disk, {128}};
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  must(rpc::InstanceStart{spec});
  for (int i = 0; i < 2; ++i) {
    must(rpc::BlockdevGrowUnwiped{"web1", disk, {128}});
    EXPECT_EQ(refused(tell), ErrorCode::WrongState);
  }
  must(rpc::BlockdevWipe{"web1", disk});
  must(rpc::BlockdevGrowUnwiped{"web1", disk, {128}});
  must(tell);
  EXPECT_EQ(ask(rpc::BlockdevFind{"web1", {disk}})->devices.at(0)->size, MiB{128});
}

TEST_P(NodeContract, what_grew_and_was_not_wiped_is_taken_back) {
  auto const disk = instance("web1").disks[0];
  auto const size = [&] { return ask(rpc::BlockdevFind{"web1", {disk}})->devices.at(0)->size; };
  auto const unwiped = [&] {
    return ask(rpc::BlockdevFind{"web1", {disk}})->devices.at(0)->unwiped;
  };
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  must(rpc::BlockdevGrowUnwiped{"web1", disk, {96}});
  must(rpc::BlockdevGrowUnwiped{"web1", disk, {128}});
  EXPECT_EQ(unwiped(), MiB{64});
  must(rpc::BlockdevAssemble{"web1", disk, 2});
  EXPECT_EQ(unwiped(), std::nullopt);
  EXPECT_EQ(size(), MiB{64});
  must(rpc::BlockdevGrowUnwiped{"web1", disk, {96}});
  must(rpc::BlockdevGrow{"web1", disk, {32}});
  EXPECT_EQ(size(), MiB{64});
  must(rpc::BlockdevGrowUnwiped{"web1", disk, {96}});
  must(rpc::BlockdevGrow{"web1", disk, {128}});
  must(rpc::BlockdevAssemble{"web1", disk, 3});
  EXPECT_EQ(size(), MiB{128});
  must(rpc::BlockdevRemove{"web1", disk});
  EXPECT_EQ(world_->disks(), 0U);
}

// Whoever records what it was told would record what is given back at the next activation.
TEST_P(NodeContract, what_grew_and_was_not_wiped_is_not_told_as_size) {
  auto const disk = instance("web1").disks[0];
  auto const told = [&] { return ask(rpc::BlockdevFind{"web1", {disk}})->devices.at(0).value(); };
  must(rpc::BlockdevCreateUnwiped{"web1", disk});
  EXPECT_EQ(told().unwiped, MiB{0});
  EXPECT_EQ(told().size, MiB{64});
  must(rpc::BlockdevWipe{"web1", disk});
  EXPECT_EQ(told().unwiped, std::nullopt);
  must(rpc::BlockdevGrowUnwiped{"web1", disk, {128}});
  EXPECT_EQ(told().unwiped, MiB{64});
  EXPECT_EQ(told().size, MiB{64});
  auto grown = disk;
  grown.disk.size = {128};
  must(rpc::BlockdevWipe{"web1", grown});
  EXPECT_EQ(told().unwiped, std::nullopt);
  EXPECT_EQ(told().size, MiB{128});
}

TEST_P(NodeContract, what_was_taken_back_is_not_called_wiped) {
  auto const disk = instance("web1").disks[0];
  auto grown = disk;
  grown.disk.size = {128};
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevGrowUnwiped{"web1", disk, {128}});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  EXPECT_EQ(refused(rpc::BlockdevWipe{"web1", grown}), ErrorCode::WrongState);
  must(rpc::BlockdevWipe{"web1", disk});
  must(rpc::BlockdevGrowUnwiped{"web1", disk, {128}});
  must(rpc::BlockdevWipe{"web1", grown});
  must(rpc::BlockdevWipe{"web1", grown});
}

// The nodes of a cluster are upgraded one after the other.
TEST_P(NodeContract, what_another_version_says_more_is_left_out) {
  auto const disk = instance("web1").disks[0];
  auto arguments = schema::encode(rpc::BlockdevCreate{"web1", disk});
  arguments["invented_later"] = "x";
  arguments["disk"].as_object()["invented_later"] = json::array{1};
  arguments["disk"].as_object()["disk"].as_object()["invented_later"] = true;
  auto const made =
      world_->nodes().invoke(world_->node(), "blockdev_create", arguments, context_, {});
  EXPECT_TRUE(made) << made.error().message;
  EXPECT_EQ(world_->disks(), 1U);
}

// It would have all of a disk overwritten, which a guest may have open by now; or, of a disk that
// it had made without a mark, nothing.
TEST_P(NodeContract, the_wiping_of_older_controllers_is_refused) {
  auto const disk = instance("web1").disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  auto const wiped =
      world_->nodes().invoke(world_->node(), "blockdev_wipe",
                             schema::encode(rpc::BlockdevWipe{"web1", disk}), context_, {});
  ASSERT_FALSE(wiped);
  EXPECT_THAT(wiped.error().message, ::testing::HasSubstr("no call 'blockdev_wipe'"));
}

TEST_P(NodeContract, a_missing_disk_is_refused) {
  auto const spec = instance("web1");
  refused(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  refused(rpc::BlockdevGrow{"web1", spec.disks[0], {128}});
  refused(rpc::InstanceStart{spec});
  EXPECT_EQ(running(), 0U);
  EXPECT_EQ(world_->disks(), 0U);
}

TEST_P(NodeContract, a_lower_epoch_does_not_get_the_disk) {
  auto const disk = instance("web1").disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", disk, 5});
  EXPECT_EQ(refused(rpc::BlockdevAssemble{"web1", disk, 4}), ErrorCode::WrongState);
}

TEST_P(NodeContract, a_guest_starts_once_and_stops) {
  auto const spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  must(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  must(rpc::OsCreate{spec});
  must(rpc::InstanceStart{spec});
  must(rpc::InstanceStart{spec});
  auto const list = ask(rpc::AllInstancesInfo{{model::HypervisorKind::Fake}});
  ASSERT_TRUE(list);
  ASSERT_EQ(list->instances.size(), 1U);
  EXPECT_EQ(list->instances[0].name, "web1");
  EXPECT_EQ(list->instances[0].memory.value, 128);
  EXPECT_EQ(list->instances[0].vcpus, 1);
  must(rpc::InstanceSoftReboot{"web1", model::HypervisorKind::Fake});
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  EXPECT_EQ(running(), 0U);
  refused(rpc::InstanceSoftReboot{"web1", model::HypervisorKind::Fake});
}

TEST_P(NodeContract, another_instance_of_a_running_name_is_refused) {
  auto twin = instance("web1");
  must(rpc::BlockdevCreate{"web1", twin.disks[0]});
  must(rpc::BlockdevAssemble{"web1", twin.disks[0], 1});
  must(rpc::InstanceStart{twin});
  twin.uuid = InstanceId("22222222-0000-4000-8000-000000000000");
  refused(rpc::InstanceStart{twin});
}

TEST_P(NodeContract, a_volume_is_adopted_and_given_back) {
  auto const old = world_->other_volume("old", {8});
  auto const mine = instance("web1").disks[0];
  if (!old) {
    EXPECT_EQ(refused(rpc::BlockdevAdopt{"web1", mine, "old", ""}), ErrorCode::WrongInput);
    EXPECT_EQ(refused(rpc::BlockdevRelease{"web1", mine, "old", ""}), ErrorCode::WrongInput);
    return;
  }
  auto disk = mine;
  disk.disk.size = {8};
  auto const name = old->disk.logical_id[1];
  refused(rpc::BlockdevAdopt{"web1", disk, "nosuch", ""});
  refused(rpc::BlockdevAdopt{"web1", mine, name, ""});  // of another size
  refused(rpc::BlockdevAdopt{"web1", disk, name, "somebody"});
  for (int i = 0; i < 2; ++i) {
    must(rpc::BlockdevAdopt{"web1", disk, name, ""});
    must(rpc::BlockdevAdopt{"web1", disk, name, ""});
    must(rpc::BlockdevAssemble{"web1", disk, 1});
    refused(rpc::BlockdevRelease{"web2", disk, name, ""});
    must(rpc::BlockdevRelease{"web1", disk, name, ""});
    must(rpc::BlockdevRelease{"web1", disk, name, ""});
    refused(rpc::BlockdevAssemble{"web1", disk, 1});
  }
  auto const volumes = ask(rpc::NodeVolumes{});
  ASSERT_TRUE(volumes);
  auto const found = std::ranges::find(volumes->volumes, name, &rpc::Volume::name);
  ASSERT_NE(found, volumes->volumes.end());
  EXPECT_EQ(found->owner, "");
  EXPECT_FALSE(found->is_open);
  must(rpc::BlockdevAdopt{"web1", disk, name, ""});
  must(rpc::BlockdevRemove{"web1", disk});
  EXPECT_EQ(world_->disks(), 0U);
}

TEST_P(NodeContract, a_disk_gets_another_owner_and_place) {
  auto const mine = instance("web1").disks[0];
  auto const theirs = instance("web2").disks[0];
  rpc::BlockdevRename const forth{"web1", mine, "web1", theirs, "web2", 3};
  rpc::BlockdevRename const back{"web1", theirs, "web2", mine, "web1", 2, true};
  EXPECT_EQ(refused(forth), ErrorCode::EnvironmentError);
  must(rpc::BlockdevCreate{"web1", mine});
  EXPECT_EQ(refused(rpc::BlockdevRename{"web3", mine, "web3", theirs, "web2", 3}),
            ErrorCode::WrongState);
  // Undone before it was done.
  must(back);
  for (int i = 0; i < 2; ++i) {
    must(rpc::BlockdevAssemble{"web1", mine, 2});
    must(forth);
    must(forth);
    EXPECT_FALSE(ask(rpc::BlockdevFind{"web1", {mine}})->devices.at(0));
    auto const found = ask(rpc::BlockdevFind{"web2", {theirs}});
    ASSERT_TRUE(found && found->devices.at(0));
    EXPECT_EQ(found->devices.at(0)->path, world_->device(theirs.disk));
    EXPECT_FALSE(found->devices.at(0)->is_active);
    EXPECT_EQ(refused(rpc::BlockdevAssemble{"web2", theirs, 2}), ErrorCode::WrongState);
    must(rpc::BlockdevAssemble{"web2", theirs, 3});
    must(back);
    must(back);
    EXPECT_FALSE(ask(rpc::BlockdevFind{"web2", {theirs}})->devices.at(0));
  }
  // Another one is in its place.
  must(rpc::BlockdevCreate{"web2", theirs});
  EXPECT_EQ(refused(forth), ErrorCode::AlreadyExists);
  must(rpc::BlockdevRemove{"web2", theirs});
  // To nobody, in its place, and back.
  must(rpc::BlockdevRename{"web1", mine, "web1", mine, "", 0});
  EXPECT_EQ(refused(rpc::BlockdevRemove{"web1", mine}), ErrorCode::WrongState);
  must(rpc::BlockdevRename{"web1", mine, "", mine, "web1", 2});
  auto const spec = instance("web1");
  must(rpc::BlockdevAssemble{"web1", mine, 2});
  auto started = spec;
  started.epoch = 2;
  must(rpc::InstanceStart{started});
  EXPECT_EQ(refused(forth), ErrorCode::WrongState);
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  must(rpc::BlockdevRemove{"web1", mine});
  EXPECT_EQ(world_->disks(), 0U);
}

TEST_P(NodeContract, what_undoes_a_disk_s_new_place_does_not_mind_that_it_is_gone) {
  auto const mine = instance("web1").disks[0];
  auto const theirs = instance("web2").disks[0];
  rpc::BlockdevRename const forth{"web1", mine, "web1", theirs, "web2", 3};
  auto back = rpc::BlockdevRename{"web1", theirs, "web2", mine, "web1", 2, true};
  EXPECT_EQ(refused(forth), ErrorCode::EnvironmentError);
  must(back);
  back.is_undo = false;
  EXPECT_EQ(refused(back), ErrorCode::EnvironmentError);
  back.is_undo = true;
  // Another one was in the way: both stay what they are.
  for (auto const& [owner, disk] : {std::pair{"web1", mine}, {"web2", theirs}}) {
    must(rpc::BlockdevCreate{owner, disk});
  }
  EXPECT_EQ(refused(forth), ErrorCode::AlreadyExists);
  must(back);
  for (auto const& [owner, disk] : {std::pair{"web1", mine}, {"web2", theirs}}) {
    EXPECT_TRUE(ask(rpc::BlockdevFind{owner, {disk}})->devices.at(0));
    must(rpc::BlockdevRemove{owner, disk});
  }
  // It had another place, and went from there.
  must(rpc::BlockdevCreate{"web1", mine});
  must(forth);
  must(rpc::BlockdevRemove{"web2", theirs});
  must(back);
  EXPECT_EQ(world_->disks(), 0U);
}

TEST_P(NodeContract, a_disk_is_copied_to_another) {
  auto const from = instance("web1").disks[0];
  auto to = from;
  to.index = 1;
  to.disk.uuid = DiskId("0d15c001-0000-4000-8000-000000000000");
  to.disk.logical_id.back() += "1";
  must(rpc::BlockdevCreate{"web1", from});
  refused(rpc::BlockdevConvert{"web1", from, to, 1});
  to.disk.size = {32};
  must(rpc::BlockdevCreate{"web1", to});
  EXPECT_EQ(refused(rpc::BlockdevConvert{"web1", from, to, 1}), ErrorCode::WrongInput);
  must(rpc::BlockdevRemove{"web1", to});
  to.disk.size = {68};
  must(rpc::BlockdevCreate{"web1", to});
  must(rpc::BlockdevConvert{"web1", from, to, 1});
  EXPECT_THAT(said_, ::testing::Contains(::testing::HasSubstr("copying")));
  must(rpc::BlockdevConvert{"web1", from, to, 1});
  EXPECT_EQ(refused(rpc::BlockdevConvert{"web1", from, to, 0}), ErrorCode::WrongState);
  EXPECT_EQ(refused(rpc::BlockdevConvert{"web2", from, to, 1}), ErrorCode::WrongState);
  for (auto const& disk : {from, to}) must(rpc::BlockdevRemove{"web1", disk});
  EXPECT_EQ(world_->disks(), 0U);
}

TEST_P(NodeContract, an_os_is_told_of_the_new_name) {
  auto spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  EXPECT_EQ(refused(rpc::OsRename{spec, "old1"}), ErrorCode::WrongState);
  must(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  must(rpc::OsRename{spec, "old1"});
  must(rpc::InstanceStart{spec});
  EXPECT_EQ(refused(rpc::OsRename{spec, "old1"}), ErrorCode::WrongState);
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  spec.os = "nosuch";
  EXPECT_EQ(refused(rpc::OsRename{spec, "old1"}), ErrorCode::EnvironmentError);
}

TEST_P(NodeContract, an_unknown_host_is_named) {
  auto const answer = ask(rpc::ResolveName{"nosuch.invalid", false});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::UnknownEntity);
  EXPECT_THAT(answer.error().message,
              ::testing::StartsWith("The given name (nosuch.invalid) does not resolve: "));
}

TEST_P(NodeContract, a_running_guest_gets_and_loses_disks) {
  auto const one = instance("web1");
  auto two = one;
  two.disks.push_back(one.disks[0]);
  auto& second = two.disks[1];
  second.index = 1;
  second.disk.uuid = DiskId("0d15c001-0000-4000-8000-000000000000");
  second.disk.logical_id.back() += "1";
  // One that doesn't run is left alone.
  must(rpc::InstanceAdjust{two});
  for (auto const& disk : two.disks) must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", one.disks[0], 1});
  must(rpc::InstanceStart{one});
  must(rpc::InstanceAdjust{two});
  must(rpc::InstanceAdjust{two});
  EXPECT_EQ(refused(rpc::BlockdevRemove{"web1", second}), ErrorCode::WrongState);
  // The first goes, the second moves up.
  auto rest = two;
  rest.disks.erase(rest.disks.begin());
  rest.disks[0].index = 0;
  must(rpc::InstanceAdjust{rest});
  must(rpc::BlockdevRemove{"web1", one.disks[0]});
  EXPECT_EQ(refused(rpc::BlockdevRemove{"web1", second}), ErrorCode::WrongState);
  auto const found = ask(rpc::BlockdevFind{"web1", {rest.disks[0]}});
  ASSERT_TRUE(found && found->devices.at(0));
  EXPECT_TRUE(found->devices.at(0)->is_active);
  must(rpc::InstanceBalloon{"web1", model::HypervisorKind::Fake, {64}});
  EXPECT_EQ(ask(rpc::AllInstancesInfo{})->instances.at(0).memory, MiB{64});
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  must(rpc::InstanceBalloon{"web1", model::HypervisorKind::Fake, {64}});
  // Also what was activated as another index.
  must(rpc::BlockdevShutdown{"web1", second});
  EXPECT_FALSE(ask(rpc::BlockdevFind{"web1", {rest.disks[0]}})->devices.at(0)->is_active);
  must(rpc::BlockdevRemove{"web1", second});
  EXPECT_EQ(world_->disks(), 0U);
}

TEST_P(NodeContract, an_os_is_not_installed_under_a_running_guest) {
  auto const spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  must(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  must(rpc::InstanceStart{spec});
  EXPECT_EQ(refused(rpc::OsCreate{spec}), ErrorCode::WrongState);
}

TEST_P(NodeContract, lines_reach_the_listener) {
  auto const spec = instance("web1");
  must(rpc::BlockdevCreateUnwiped{"web1", spec.disks[0]});
  must(rpc::BlockdevWipe{"web1", spec.disks[0]});
  EXPECT_THAT(said_, ::testing::Contains(::testing::HasSubstr("\"progress\"")));
}

TEST_P(NodeContract, an_unknown_os_leaves_nothing) {
  auto spec = instance("web1");
  must(rpc::BlockdevCreate{"web1", spec.disks[0]});
  must(rpc::BlockdevAssemble{"web1", spec.disks[0], 1});
  spec.os = "nosuch";
  refused(rpc::OsCreate{spec});
  EXPECT_EQ(running(), 0U);
}

TEST_P(NodeContract, a_missing_bridge_is_named) {
  rpc::NicSpec nic;
  nic.params = {{"mode", "bridged"}, {"link", "flotte-nosuch"}, {"vlan", ""}};
  auto const done = ask(rpc::NicsValidate{{nic}});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, ::testing::HasSubstr("flotte-nosuch"));
}

TEST_P(NodeContract, nics_that_can_not_be_connected_are_told_beforehand) {
  rpc::NicSpec nic;
  nic.nic.ip = "192.0.2.5";
  for (auto const& [mode, link, vlan, is_fine] :
       {std::tuple{"routed", "", "", true}, std::tuple{"bridged", "flotte-nosuch", ".5", false},
        std::tuple{"openvswitch", "-nosuch", "", false}, std::tuple{"ext", "", "", false},
        std::tuple{"routed", "", ".x", false}, std::tuple{"tunnelled", "", "", false}}) {
    nic.params = {{"mode", mode}, {"link", link}, {"vlan", vlan}};
    EXPECT_EQ(ask(rpc::NicsValidate{{nic}}).has_value(), is_fine) << mode;
    rpc::NodeVerify look;
    look.nics = {nic, nic};
    auto const found = ask(look);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->nic_faults.size(), is_fine ? 0U : 1U) << mode;
  }
}

TEST_P(NodeContract, wrong_delays_and_deposed_leaders_are_refused) {
  must(rpc::TestDelay{0});
  EXPECT_EQ(refused(rpc::TestDelay{-1}), ErrorCode::WrongInput);
  context_.leader_epoch = 9;
  must(rpc::TestDelay{0});
  context_.leader_epoch = 8;
  EXPECT_EQ(refused(rpc::TestDelay{0}), ErrorCode::WrongState);
}

// A call that was delayed on its way: its sender gave up on it and has gone on since.
TEST_P(NodeContract, a_call_that_comes_too_late_is_refused) {
  auto const spec = instance("web1");
  auto const& disk = spec.disks[0];
  must(rpc::BlockdevCreate{"web1", disk});
  must(rpc::BlockdevAssemble{"web1", disk, 1});
  ++context_.step;
  auto late = context_;
  late.serial = ++context_.serial;
  must(rpc::InstanceShutdown{"web1", model::HypervisorKind::Fake, 0});
  auto const started = world_->nodes().ask(world_->node(), rpc::InstanceStart{spec}, late);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::WrongState);
  EXPECT_EQ(started.error().error_class, ErrorClass::Exec);
  EXPECT_THAT(started.error().message, ::testing::HasSubstr("comes too late"));
  EXPECT_EQ(running(), 0U);
  // The same step sent once more is no late one.
  late.serial = ++context_.serial;
  EXPECT_TRUE(world_->nodes().ask(world_->node(), rpc::InstanceStart{spec}, late));
  EXPECT_EQ(running(), 1U);
  // Other instances have their own order, and reads have none.
  auto const other = instance("web2");
  late.step = ++context_.step;
  late.serial = 1;
  EXPECT_TRUE(
      world_->nodes().ask(world_->node(), rpc::BlockdevCreate{"web2", other.disks[0]}, late));
  late.serial = 0;
  EXPECT_TRUE(world_->nodes().ask(world_->node(), rpc::BlockdevFind{"web1", {disk}}, late));
}

TEST_P(NodeContract, a_later_leader_s_calls_are_later) {
  auto const disk = instance("web1").disks[0];
  context_.serial = 100;
  must(rpc::BlockdevCreate{"web1", disk});
  context_.leader_epoch = 2;
  context_.serial = 0;
  must(rpc::BlockdevAssemble{"web1", disk, 1});
}

TEST_P(NodeContract, hooks_run_in_order_and_one_that_fails_is_a_result) {
  using rpc::HookOutcome;
  world_->add_hook("instance-stop-pre.d/20-no", {HookOutcome::Failed, "not before noon"});
  world_->add_hook("instance-stop-pre.d/10-yes", {});
  world_->add_hook("instance-stop-pre.d/30-silent", {HookOutcome::Failed});
  world_->add_hook("instance-stop-pre.d/40-not-executable", {HookOutcome::Skipped});
  world_->add_hook("instance-stop-post.d/10-yes", {});
  auto const done = ask(rpc::HooksRun{.directory = "instance-stop-pre.d",
                                      .environment = {{"GANETI_INSTANCE_NAME", "web1"}},
                                      .later = {"instance-stop-post.d", "config-update-post.d"}});
  ASSERT_TRUE(done) << done.error().message;
  std::vector<std::string> said;
  for (auto const& [script, outcome, output] : done->results) {
    said.push_back(fmt::format("{} {} '{}'", script, schema::name_of(outcome), output));
  }
  EXPECT_THAT(said, ::testing::ElementsAre("instance-stop-pre.d/10-yes succeeded ''",
                                           "instance-stop-pre.d/20-no failed 'not before noon'",
                                           "instance-stop-pre.d/30-silent failed ''",
                                           "instance-stop-pre.d/40-not-executable skipped ''"));
  EXPECT_THAT(done->later, ::testing::ElementsAre("instance-stop-post.d"));
  EXPECT_TRUE(ask(rpc::HooksRun{.directory = "instance-start-pre.d"})->results.empty());
  EXPECT_EQ(refused(rpc::HooksRun{.directory = "../os"}), ErrorCode::WrongInput);
}

TEST_P(NodeContract, a_hook_that_does_not_end_is_ended) {
  world_->add_hook("instance-stop-pre.d/10-slow", {.takes_s = 30});
  auto const done = ask(rpc::HooksRun{.directory = "instance-stop-pre.d", .timeout_s = 1});
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(done->results.size(), 1U);
  EXPECT_EQ(done->results[0].outcome, rpc::HookOutcome::Failed);
}

TEST_P(NodeContract, root_s_calls_and_unknown_ones_are_refused) {
  refused(TestDaemon::wish());
  refused(rpc::LeaveCluster{});
  refused(rpc::RenewCrypto{.hmac_key = true});
  auto const unknown = world_->nodes().invoke(world_->node(), "frobnicate", {}, context_, {});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, ::testing::HasSubstr("'frobnicate'"));
}

// A real volume group, of which it may remove volumes, is named by FLOTTE_TEST_VG: tests/volumes
// has one.
std::vector<WorldRow> worlds() {
  std::vector<WorldRow> worlds{{"in_memory", make<InMemory>},
                               {"in_memory_volumes", make<OnVolumeGroup<InMemory>>},
                               {"over_the_wire", make<OverTheWire>},
                               {"real_machine", make<RealMachine>}};
  if (std::getenv("FLOTTE_TEST_VG")) {
    worlds = {{"volume_group", make<OnVolumeGroup<RealMachine>>}};
  }
  return worlds;
}

INSTANTIATE_TEST_SUITE_P(Worlds, NodeContract, ::testing::ValuesIn(worlds()),
                         [](auto const& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace flotte::node
