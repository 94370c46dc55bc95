#include "units/instance_set_params.h"

#include <gtest/gtest.h>

#include "model/params.h"

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
  EXPECT_EQ(error_of(Up, true),
            "Instance 'web1' is marked to be up, can't change to offline without being down first; "
            "stop it first with 'gnt-instance shutdown web1'");
  // It would go on running, unwished.
  EXPECT_EQ(
      error_of(Up, false),
      "Instance 'web1' is marked to be up, can't change to online (down) without being offline "
      "first; stop it first with 'gnt-instance shutdown web1'");
}

// web1 on n1, with two disks in a volume group and a NIC.
class Devices : public ::testing::Test {
 protected:
  using Op = opcodes::InstanceSetParams;
  using Plan = InstanceSetParams::Plan;

  Devices() {
    model::Settings settings;
    settings.volume_group_name = "vms";
    settings.ipolicy = model::default_ipolicy();
    cluster_.put(settings);
    cluster_.put(model::Node{.uuid = NodeId("node-1"), .name = "n1"});
    model::Instance instance{.uuid = InstanceId("i"), .name = "web1"};
    instance.primary_node = NodeId("node-1");
    instance.disk_template = model::DiskTemplate::Plain;
    instance.osparams_private = {{"password", "secret"}};
    for (auto const* name : {"root", "data"}) {
      model::Disk disk;
      disk.uuid = DiskId(name);
      disk.dev_type = model::DiskTemplate::Plain;
      disk.size = {1024};
      disk.logical_id = {"vms", name};
      instance.disks.push_back(disk);
    }
    model::Nic nic;
    nic.uuid = NicId("lan");
    nic.mac = "aa:00:00:00:00:01";
    instance.nics.push_back(nic);
    cluster_.put(instance);
    op_.instance_name = "web1";
    facts_.seed = 7;
    facts_.node = {.memory_free = {512}, .volume_groups = {{"vms", {102400}, {20480}}}};
  }

  void it_runs(std::int64_t memory = 1024) {
    facts_.running = rpc::RunningInstance{.name = "web1", .memory = {memory}};
  }
  static json::array change(std::string_view action, std::int64_t index, json::object params = {}) {
    return {json::array{json::string(action), index, std::move(params)}};
  }
  Result<Plan> plan() const { return InstanceSetParams::plan(op_, cluster_, facts_); }
  std::string error() const {
    auto const made = plan();
    return made ? "" : made.error().message;
  }

  model::Cluster cluster_;
  Op op_;
  InstanceSetParams::Facts facts_;
};

TEST_F(Devices, only_parameters_that_its_os_declares) {
  op_.osparams = {{"mirror", "x"}};
  facts_.operating_systems = rpc::OsList{{{.name = "noop", .api_versions = {20}}}};
  EXPECT_EQ(error(), "");
  op_.os_name = "noop";
  EXPECT_EQ(error(),
            "OS Parameters validation failed on node n1: The following parameters are not "
            "supported by the OS noop: mirror, password; it has: none");
  op_.osparams_private = {{"mirror", "x"}};
  EXPECT_EQ(error(), "OS parameters repeated multiple times: mirror; give each of them once");
  // One that it has already goes when it is reset.
  op_.osparams.clear();
  op_.osparams_private = {{"password", "default"}};
  EXPECT_EQ(error(), "");
  op_.os_name = "nosuch";
  op_.force = true;
  EXPECT_EQ(error(), "");
}

TEST_F(Devices, one_that_stands_still_is_only_recorded) {
  op_.disks = change("add", 0, {{"size", 2048}});
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_FALSE(made->devices->plugs);
  EXPECT_EQ(made->devices->before.disks.size(), 2U);
  EXPECT_EQ(made->devices->after.disks.size(), 3U);
  ASSERT_EQ(made->devices->created.size(), 1U);
  EXPECT_EQ(made->devices->created[0].index, 0);
  EXPECT_EQ(made->devices->created[0].disk.uuid, made->devices->after.disks[0].disk.uuid);
}

TEST_F(Devices, a_running_one_is_changed_too_unless_that_is_unwished) {
  it_runs();
  op_.nics = change("add", -1, {{"link", "br0"}});
  EXPECT_TRUE(plan()->devices->plugs);
  EXPECT_FALSE(plan()->devices->may_not_plug);
  op_.hotplug_if_possible = true;
  EXPECT_TRUE(plan()->devices->may_not_plug);
  op_.hotplug = false;
  EXPECT_FALSE(plan()->devices->plugs);
  // The guest would go on writing to it.
  op_.disks = change("remove", 1);
  EXPECT_EQ(error(),
            "Instance 'web1' is running and uses the disk; leave out --no-hotplug, or stop it "
            "first");
  op_.hotplug = true;
  EXPECT_EQ(plan()->devices->removed.at(0).disk.uuid.text(), "data");
}

TEST_F(Devices, plans_are_pure_survive_the_journal_and_hold_no_secret) {
  it_runs();
  op_.disks = change("add", -1, {{"size", 2048}});
  op_.nics = change("add", -1, {{"link", "br0"}});
  op_.runtime_mem = 1024;
  op_.force = true;
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  auto const encoded = schema::encode(*made);
  EXPECT_EQ(encoded, schema::encode(*plan()));
  auto const again = schema::decode<Plan>(json::value(encoded));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(schema::encode(*again), encoded);
  EXPECT_TRUE(again->devices->after.osparams.empty());
}

TEST_F(Devices, one_disk_goes_to_nobody_another_comes) {
  model::DetachedDisk spare{.node = NodeId("node-1"), .owner = "old1", .epoch = 9};
  spare.disk.uuid = DiskId("spare");
  spare.disk.size = {1024};
  cluster_.put(spare);
  op_.disks = change("detach", 0);
  op_.disks.push_back(change("attach", 0, {{"uuid", "spare"}}).at(0));
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->devices->detached.at(0).disk.uuid.text(), "root");
  EXPECT_FALSE(made->devices->deactivates);
  EXPECT_EQ(made->devices->attached.at(0).from.owner, "old1");
  EXPECT_EQ(made->devices->attached.at(0).to.index, 0);
  EXPECT_TRUE(made->devices->created.empty() && made->devices->removed.empty());
  it_runs();
  EXPECT_TRUE(plan()->devices->deactivates);
  op_.hotplug = false;
  EXPECT_EQ(error(),
            "Instance 'web1' is running and uses the disk; leave out --no-hotplug, or stop it "
            "first");
}

TEST_F(Devices, a_disk_that_is_nobody_s_is_had_by_one_at_a_time) {
  op_.disks = change("attach", 0, {{"uuid", "spare"}});
  auto const locks = InstanceSetParams::locks(op_, cluster_);
  ASSERT_TRUE(locks);
  EXPECT_EQ(locks->back(), jobs::exclusive(jobs::LockLevel::NodeRes, "node-1"));
}

TEST_F(Devices, a_volume_group_must_have_room) {
  op_.disks = change("add", -1, {{"size", 20481}});
  EXPECT_EQ(error(),
            "Not enough disk space on target node n1 vg vms: required 20481 MiB, available 20480 "
            "MiB");
  op_.disks = change("add", -1, {{"size", 1024}, {"vg", "nosuch"}});
  EXPECT_EQ(error(), "Volume group 'nosuch' not found on node n1; it has: vms");
}

TEST_F(Devices, the_policy_holds) {
  op_.disks = change("add", -1, {{"size", 1}});
  EXPECT_NE(error().find("violates policy: disk-size/2 value 1 is not in range [1024, 1048576]"),
            std::string::npos)
      << error();
  op_.ignore_ipolicy = true;
  EXPECT_EQ(error(), "");
}

TEST_F(Devices, memory_of_what_runs) {
  op_.runtime_mem = 1024;
  EXPECT_EQ(error(), "Instance web1 is not running");
  it_runs(512);
  op_.beparams = {{"minmem", 512}, {"maxmem", 2048}};
  EXPECT_EQ(error(), "");
  EXPECT_EQ(plan()->memory->before, MiB{512});
  EXPECT_EQ(plan()->memory->after, MiB{1024});
  op_.runtime_mem = 1025;
  EXPECT_EQ(error(),
            "Not enough memory on node n1 for ballooning memory for instance web1: needed 513 MiB, "
            "available 512 MiB");
  op_.runtime_mem = 256;
  EXPECT_EQ(error(),
            "Instance web1 must have memory between 512 and 2048 MB of memory unless --force is "
            "given");
  op_.force = true;
  EXPECT_EQ(error(), "");
  op_.runtime_mem = 0;
  EXPECT_NE(error(), "");
}

// The disks of web1 are to become files.
class Conversion : public Devices {
 protected:
  Conversion() {
    auto settings = cluster_.settings();
    settings.file_storage_dir = "/srv/files";
    settings.enabled_disk_templates = {model::DiskTemplate::Plain, model::DiskTemplate::File};
    cluster_.put(settings);
    op_.disk_template = model::DiskTemplate::File;
    facts_.disks = {DiskState{.size = {1024}}, DiskState{.size = {1028}}};
    facts_.node->file_free = {4096};
  }
  void becomes(model::DiskTemplate kind) {
    auto instance = **cluster_.instance("web1");
    instance.disk_template = kind;
    cluster_.put(instance);
  }
};

TEST_F(Conversion, new_disks_are_made_and_the_old_ones_go_last) {
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  auto const& devices = *made->devices;
  EXPECT_EQ(devices.conversion, model::DiskTemplate::File);
  ASSERT_EQ(devices.created.size(), 2U);
  EXPECT_EQ(devices.removed[1].disk.uuid.text(), "data");
  EXPECT_EQ(devices.created[1].disk.dev_type, model::DiskTemplate::File);
  EXPECT_TRUE(devices.created[1].disk.logical_id[1].starts_with("/srv/files/web1/"));
  // As large as it is, not as it is configured.
  EXPECT_EQ(devices.created[1].disk.size, MiB{1028});
  EXPECT_EQ(devices.after.disks.size(), 2U);
  EXPECT_EQ(made->changes, (json::array{json::array{"disk_template", "file"}}));
  EXPECT_TRUE(made->warnings.empty());
}

TEST_F(Conversion, a_volume_that_could_not_be_removed_afterwards) {
  facts_.disks[1]->hindrance = "has snapshots, which would go with it: s";
  EXPECT_EQ(error(),
            "Disk 1 of web1 can't be converted: its volume has snapshots, which would go with it: "
            "s");
}

TEST_F(Conversion, a_volume_takes_whole_extents) {
  becomes(model::DiskTemplate::File);
  facts_.node->volume_groups[0].extent = {4};
  op_.disk_template = model::DiskTemplate::Plain;
  facts_.disks = {DiskState{.size = {1}}, DiskState{.size = {1025}}};
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->devices->created[0].disk.size, MiB{1024});
  EXPECT_EQ(made->devices->created[1].disk.size, MiB{1025});
  EXPECT_EQ(made->devices->created[1].disk.logical_id[0], "vms");
  facts_.node->volume_groups[0].free = {1024};
  EXPECT_EQ(error(),
            "Not enough disk space on target node n1 vg vms: required 2052 MiB, available 1024 "
            "MiB");
}

TEST_F(Conversion, what_may_not_fit_is_told) {
  facts_.node->file_free = {1024};
  op_.remote_node = "n2";
  auto const made = plan();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->warnings,
            (std::vector<std::string>{
                "Changing the disk template to a non-mirrored one, the secondary node will be "
                "ignored",
                "The new files may take up to 2.0G, their file system has 1.0G free"}));
}

TEST_F(Conversion, only_what_is_stopped_and_whole) {
  it_runs();
  EXPECT_EQ(error(),
            "Instance web1 is running, cannot change disk template; stop it first with "
            "'gnt-instance shutdown web1'");
  facts_.running.reset();
  facts_.disks[1]->is_open = true;
  EXPECT_EQ(error(), "Disk 1 of web1 is open; unmount it, or stop what has it open");
  facts_.disks[1].reset();
  EXPECT_EQ(error(),
            "Disk 1 of web1 is missing; make it anew first with 'gnt-instance recreate-disks "
            "--disk=1 web1'");
}

TEST_F(Conversion, the_policy_names_the_templates) {
  auto settings = cluster_.settings();
  settings.ipolicy["disk-templates"] = json::array{"plain", "drbd"};
  cluster_.put(settings);
  EXPECT_EQ(error(), "Disk template 'file' in not allowed (allowed templates: plain, drbd)");
}

TEST_F(Conversion, a_mistake_is_named) {
  using enum model::DiskTemplate;
  op_.disk_template = Plain;
  EXPECT_EQ(error(), "Instance already has disk template plain");
  op_.disk_template = Diskless;
  EXPECT_EQ(error(), "Conversion to the 'diskless' disk template is not supported");
  op_.disk_template = Drbd;
  EXPECT_EQ(error(),
            "Disk template 'drbd' is not enabled for this cluster (enabled templates: plain, "
            "file)");
  op_.disk_template = File;
  op_.file_driver = "pony";
  EXPECT_EQ(error(), "Invalid file driver name 'pony'");
  op_.disks = change("remove", 0);
  EXPECT_EQ(error(),
            "Disk template conversion and other disk changes not supported at the same time");
  op_.disks.clear();
  becomes(Diskless);
  EXPECT_EQ(error(), "Conversion from the 'diskless' disk template is not supported");
}

TEST_F(Devices, an_os_must_be_there_unless_forced) {
  op_.os_name = "nosuch";
  facts_.operating_systems = rpc::OsList{};
  EXPECT_EQ(error(), "OS 'nosuch' not in supported OS list for node n1; it has: none");
  // Nobody asked the node.
  facts_.operating_systems.reset();
  EXPECT_EQ(error(), "");
}

TEST_F(Devices, what_needs_more_is_refused_by_name) {
  op_.pnode = "n1";
  EXPECT_EQ(error(), "");
  cluster_.put(model::Node{.uuid = NodeId("node-2"), .name = "n2"});
  op_.pnode = "n2";
  EXPECT_EQ(error(),
            "Recording n2 as the primary node of web1 is not built yet: its disks would have to "
            "be there already");
  op_.pnode.reset();
  op_.instance_communication = false;
  EXPECT_EQ(error(), "");
  op_.instance_communication = true;
  EXPECT_EQ(error(),
            "Instance communication is not built yet: its NIC needs a network, and there are "
            "none");
  op_.instance_communication.reset();
  EXPECT_EQ(error(), "No changes submitted");
  op_.disks = change("add", -1, {{"size", 1024}});
  op_.wait_for_sync = false;
  EXPECT_EQ(error(),
            "Can't add a disk to an instance with deactivated disks and --no-wait-for-sync given");
}

TEST_F(Devices, locks_its_node_only_for_devices_and_memory) {
  EXPECT_EQ(InstanceSetParams::locks(op_, cluster_)->size(), 1U);
  op_.runtime_mem = 1024;
  EXPECT_EQ(InstanceSetParams::locks(op_, cluster_)->size(), 3U);
}

}  // namespace
}  // namespace flotte::units
