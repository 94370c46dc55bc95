#include "units/instance_create.h"

#include <gtest/gtest.h>

#include <limits>

#include "model/params.h"

namespace flotte::units {
namespace {

model::Cluster a_cluster() {
  model::Settings settings;
  settings.cluster_name = "cluster.example";
  settings.enabled_hypervisors = {model::HypervisorKind::Kvm, model::HypervisorKind::Fake};
  settings.enabled_disk_templates = {model::DiskTemplate::File, model::DiskTemplate::Diskless,
                                     model::DiskTemplate::Plain};
  settings.file_storage_dir = "/srv/files";
  settings.volume_group_name = "vms";
  settings.ipolicy = model::default_ipolicy();
  model::Cluster cluster;
  cluster.put(settings);
  cluster.put(model::Node{.uuid = NodeId("node-1"), .name = "n1.example"});
  return cluster;
}

InstanceCreate::Facts some_facts() {
  InstanceCreate::Facts facts;
  facts.nodes["node-1"] = {
      .memory_total = {4096}, .memory_free = {2048}, .volume_groups = {{"vms", {102400}, {20480}}}};
  facts.operating_systems["node-1"] = {
      {{.name = "noop", .api_versions = {20}},
       {.name = "debootstrap", .variants = {"default", "bookworm"}, .api_versions = {20}},
       {.name = "broken", .diagnose = "no create script"}}};
  facts.seed = 7;
  return facts;
}

opcodes::InstanceCreate an_opcode() {
  opcodes::InstanceCreate op;
  op.instance_name = "web1.example";
  op.mode = "create";
  op.disk_template = model::DiskTemplate::File;
  op.disks = {{{"size", 1024}}};
  op.nics = {{{"link", "br0"}}};
  op.os_type = "debootstrap+bookworm";
  return op;
}

std::string error_of(opcodes::InstanceCreate const& op,
                     InstanceCreate::Facts const& facts = some_facts()) {
  auto const plan = InstanceCreate::plan(op, a_cluster(), facts);
  return plan ? "" : plan.error().message;
}

TEST(InstanceCreate, plans_disks_nics_and_node) {
  auto const plan = InstanceCreate::plan(an_opcode(), a_cluster(), some_facts());
  ASSERT_TRUE(plan) << plan.error().message;
  auto const& instance = plan->instance;
  EXPECT_EQ(instance.primary_node.text(), "node-1");
  ASSERT_EQ(instance.disks.size(), 1U);
  EXPECT_EQ(instance.disks[0].size, MiB{1024});
  EXPECT_TRUE(instance.disks[0].logical_id[1].starts_with("/srv/files/web1.example/"));
  EXPECT_TRUE(instance.nics[0].mac.starts_with("aa:00:00:"));
  EXPECT_TRUE(plan->installs);
  EXPECT_EQ(plan->spec.disks.size(), 1U);
}

TEST(InstanceCreate, the_same_facts_give_the_same_plan) {
  auto const one = InstanceCreate::plan(an_opcode(), a_cluster(), some_facts());
  auto const two = InstanceCreate::plan(an_opcode(), a_cluster(), some_facts());
  EXPECT_EQ(schema::encode(*one), schema::encode(*two));
}

TEST(InstanceCreate, plan_survives_the_journal) {
  auto const plan = InstanceCreate::plan(an_opcode(), a_cluster(), some_facts());
  auto const again = schema::decode<InstanceCreate::Plan>(json::value(schema::encode(*plan)));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(schema::encode(*plan), schema::encode(*again));
}

TEST(InstanceCreate, no_other_job_may_draw_its_address_meanwhile) {
  auto const plan = InstanceCreate::plan(an_opcode(), a_cluster(), some_facts());
  EXPECT_EQ(InstanceCreate::claims(*plan), std::vector{"mac/" + plan->instance.nics[0].mac});
}

opcodes::InstanceCreate an_adoption() {
  auto op = an_opcode();
  op.disk_template = model::DiskTemplate::Plain;
  op.disks = {{{"size", 0}, {"adopt", "old"}}};
  op.os_type = "noop";
  return op;
}

InstanceCreate::Facts facts_with_volumes(std::vector<rpc::Volume> volumes) {
  auto facts = some_facts();
  facts.volumes["node-1"].volumes = std::move(volumes);
  return facts;
}

TEST(InstanceCreate, adopts_a_volume_with_its_size_and_leaves_what_is_on_it) {
  auto const plan = InstanceCreate::plan(
      an_adoption(), a_cluster(),
      facts_with_volumes({{.vg = "vms", .name = "old", .size = {2052}, .owner = "web7"}}));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->instance.disks[0].size, MiB{2052});
  EXPECT_EQ(plan->instance.disks[0].logical_id[0], "vms");
  EXPECT_TRUE(plan->instance.disks[0].logical_id[1].ends_with(".disk0"));
  EXPECT_FALSE(plan->installs || plan->wipes);
  ASSERT_EQ(plan->adopted.size(), 1U);
  EXPECT_EQ(plan->adopted[0].name, "old");
  EXPECT_EQ(plan->adopted[0].owner, "web7");
}

TEST(InstanceCreate, goes_where_it_fits) {
  auto cluster = a_cluster();
  cluster.put(model::Node{.uuid = NodeId("node-2"), .name = "n2.example"});
  auto facts = some_facts();
  // More memory than the first, and no room for the disk.
  facts.nodes["node-2"] = {.memory_total = {8192}, .memory_free = {8000}};
  facts.nodes["node-2"].volume_groups = {{"vms", {102400}, {10}}};
  facts.operating_systems["node-2"] = facts.operating_systems["node-1"];
  auto op = an_opcode();
  op.disk_template = model::DiskTemplate::Plain;
  op.disks = {{{"size", 1024}}};
  op.os_type = "noop";
  auto plan = InstanceCreate::plan(op, cluster, facts);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->instance.primary_node.text(), "node-1");

  // Room, but not the OS.
  facts.nodes["node-2"].volume_groups = facts.nodes["node-1"].volume_groups;
  facts.operating_systems["node-2"] = {};
  plan = InstanceCreate::plan(op, cluster, facts);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->instance.primary_node.text(), "node-1");

  facts.nodes["node-1"].volume_groups.clear();
  plan = InstanceCreate::plan(op, cluster, facts);
  ASSERT_FALSE(plan);
  EXPECT_TRUE(plan.error().message.starts_with("No node can take it: n2.example: "))
      << plan.error().message;
}

TEST(InstanceCreate, tells_of_a_node_that_could_not_be_asked) {
  auto cluster = a_cluster();
  cluster.put(model::Node{.uuid = NodeId("node-2"), .name = "n2.example"});
  auto facts = some_facts();
  facts.left_out["node-2"] = {ErrorCode::EnvironmentError, "no answer", ErrorClass::Unreachable};
  auto op = an_opcode();
  auto plan = InstanceCreate::plan(op, cluster, facts);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->warnings, std::vector<std::string>{"Node n2.example is left out: no answer"});

  // What fits nowhere else may fit there: the job waits for it.
  facts.nodes["node-1"].memory_free = {0};
  plan = InstanceCreate::plan(op, cluster, facts);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().error_class, ErrorClass::Unreachable);
  EXPECT_TRUE(plan.error().message.ends_with("n2.example: no answer")) << plan.error().message;

  facts = facts_with_volumes({});
  facts.left_out["node-2"] = {ErrorCode::EnvironmentError, "no answer", ErrorClass::Unreachable};
  plan = InstanceCreate::plan(an_adoption(), cluster, facts);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message,
            "Missing logical volume(s): vms/old; node n2.example could not be asked: no answer");
}

TEST(InstanceCreate, finds_the_node_that_has_the_volume) {
  auto cluster = a_cluster();
  cluster.put(model::Node{.uuid = NodeId("node-2"), .name = "n2.example"});
  auto facts = facts_with_volumes({});
  facts.nodes["node-2"] = {.memory_total = {4096}, .memory_free = {2047}};
  facts.volumes["node-2"].volumes = {{.vg = "vms", .name = "old", .size = {2048}}};
  auto const plan = InstanceCreate::plan(an_adoption(), cluster, facts);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->instance.primary_node.text(), "node-2");
  EXPECT_TRUE(schema::decode<InstanceCreate::Plan>(json::value(schema::encode(*plan))));
}

TEST(InstanceCreate, refuses_to_adopt) {
  rpc::Volume const old{.vg = "vms", .name = "old", .size = {2048}};
  auto open = old;
  open.is_open = true;
  auto op = an_adoption();
  EXPECT_EQ(error_of(op, facts_with_volumes({open})),
            "Online logical volumes found, cannot adopt: vms/old; unmount it, or stop what has it "
            "open");
  auto pool = old;
  pool.is_open = true;
  pool.fault = "is a thin pool: what lies in it is its volumes'";
  EXPECT_EQ(error_of(op, facts_with_volumes({pool})),
            "Volume vms/old can't be adopted: it is a thin pool: what lies in it is its volumes'");
  auto moving = old;
  moving.hindrance = "is being moved";
  EXPECT_EQ(error_of(op, facts_with_volumes({moving})),
            "Volume vms/old can't be adopted: it is being moved");
  EXPECT_EQ(error_of(op, facts_with_volumes({})),
            "Missing logical volume(s): vms/old; not on n1.example, see 'gnt-node volumes'");
  op.disks[0]["size"] = 1024;
  EXPECT_EQ(error_of(op, facts_with_volumes({old})),
            "Only one of 'size' and 'adopt' allowed: vms/old has its size already");
  op = an_adoption();
  op.disks.push_back(op.disks[0]);
  EXPECT_EQ(error_of(op, facts_with_volumes({old})), "Duplicate volume names given for adoption");
  op.disks[1] = {{"size", 1024}};
  EXPECT_EQ(error_of(op, facts_with_volumes({old})), "Either all disks are adopted or none is");
  op = an_adoption();
  op.disk_template = model::DiskTemplate::File;
  EXPECT_EQ(error_of(op, facts_with_volumes({old})),
            "Disk adoption is not supported for the 'file' disk template; use -t plain");
}

TEST(InstanceCreate, refuses_to_adopt_the_disk_of_another_instance) {
  auto cluster = a_cluster();
  model::Instance owner{.uuid = InstanceId("i"), .name = "web7"};
  owner.primary_node = NodeId("node-1");
  model::Disk disk;
  disk.logical_id = {"vms", "old"};
  owner.disks = {disk};
  cluster.put(owner);
  auto const plan = InstanceCreate::plan(
      an_adoption(), cluster, facts_with_volumes({{.vg = "vms", .name = "old", .size = {2048}}}));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message, "LV named vms/old used by another instance: web7");
}

TEST(InstanceCreate, refuses_tags_that_none_can_have) {
  auto op = an_opcode();
  for (auto const& [tag, words] : {std::pair{std::string(129, 't'), "Tag too long"},
                                   {std::string("a b"), "invalid characters"},
                                   {std::string(), "cannot be empty"}}) {
    op.tags = {"good", tag};
    auto const refused = InstanceCreate::plan(op, a_cluster(), some_facts());
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find(words), std::string::npos) << refused.error().message;
  }
}

TEST(InstanceCreate, refuses_a_name_that_exists) {
  auto cluster = a_cluster();
  cluster.put(model::Instance{.uuid = InstanceId("i"), .name = "web1.example"});
  auto const plan = InstanceCreate::plan(an_opcode(), cluster, some_facts());
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::AlreadyExists);
  EXPECT_EQ(plan.error().message, "Instance 'web1.example' is already in the cluster");
}

TEST(InstanceCreate, a_name_is_kept_in_lower_case_and_without_the_dot_of_the_root) {
  auto op = an_opcode();
  op.instance_name = "Web1.Example.";
  auto const plan = InstanceCreate::plan(op, a_cluster(), some_facts());
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->instance.name, "web1.example");
  auto const locks = InstanceCreate::locks(op, a_cluster());
  ASSERT_TRUE(locks);
  EXPECT_EQ(locks->front().name, "web1.example");
}

TEST(InstanceCreate, only_parameters_that_the_os_declares) {
  auto facts = some_facts();
  auto& systems = facts.operating_systems["node-1"].definitions;
  systems[1].parameters = {{"suite", ""}, {"password", ""}};
  auto op = an_opcode();
  op.osparams = {{"suite", "sid"}, {"mirror", "x"}};
  op.osparams_private = {{"password", "x"}};
  op.osparams_secret = {{"key", "x"}};
  EXPECT_EQ(error_of(op, facts),
            "OS Parameters validation failed on node n1.example: The following parameters are not "
            "supported by the OS debootstrap: key, mirror; it has: suite, password");
  op.osparams.erase("mirror");
  op.osparams_secret.reset();
  EXPECT_EQ(error_of(op, facts), "");
  op.osparams["password"] = "y";
  EXPECT_EQ(error_of(op, facts),
            "OS parameters repeated multiple times: password; give each of them once");
  op = an_opcode();
  op.osparams = {{"mirror", "x"}};
  // It has no way to declare them.
  systems[1].api_versions = {15, 10};
  EXPECT_EQ(error_of(op, facts), "");
}

TEST(InstanceCreate, parameters_of_the_os_for_the_whole_cluster_reach_its_scripts) {
  auto cluster = a_cluster();
  auto settings = cluster.settings();
  settings.osparams = {{"debootstrap", {{"suite", "sid"}, {"mirror", "a"}}},
                       {"debootstrap+bookworm", {{"suite", "bookworm"}}}};
  cluster.put(settings);
  auto facts = some_facts();
  facts.operating_systems["node-1"].definitions[1].parameters = {{"suite", ""}, {"mirror", ""}};
  auto op = an_opcode();
  op.osparams = {{"mirror", "b"}};
  auto const plan = InstanceCreate::plan(op, cluster, facts);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->spec.osparams, (json::object{{"suite", "bookworm"}, {"mirror", "b"}}));
  EXPECT_EQ(plan->instance.osparams, (json::object{{"mirror", "b"}}));
}

TEST(InstanceCreate, a_node_for_a_mirror_is_passed_over) {
  auto op = an_opcode();
  EXPECT_FALSE(InstanceCreate::plan(op, a_cluster(), some_facts())->ignores_secondary);
  op.snode = "nosuch";
  EXPECT_TRUE(InstanceCreate::plan(op, a_cluster(), some_facts())->ignores_secondary);
}

TEST(InstanceCreate, bad_input_is_named) {
  auto op = an_opcode();
  op.instance_name = "Web_1!";
  EXPECT_TRUE(error_of(op).starts_with("Invalid hostname 'web_1!'; it may have letters"));

  op = an_opcode();
  op.os_type = "debootstrap";
  EXPECT_EQ(error_of(op),
            "OS name 'debootstrap' must include a variant, one of: default, bookworm");
  op.os_type = "debootstrap+sid";
  EXPECT_TRUE(error_of(op).starts_with("Unsupported OS variant 'sid'"));
  op.os_type = "nosuch";
  EXPECT_EQ(error_of(op),
            "OS 'nosuch' not in supported OS list for node n1.example; it has: noop, debootstrap, "
            "broken");
  op.os_type = "broken";
  EXPECT_EQ(error_of(op), "OS Parameters validation failed on node n1.example: no create script");

  op = an_opcode();
  op.disks = {{{"size", "pony"}}};
  EXPECT_EQ(error_of(op), "Can't parse the given amount 'pony'");
  op.disks = {{{"mode", "rw"}}};
  EXPECT_EQ(error_of(op), "Missing required parameter 'size'; give it to disk 0");
  op.disks = {{{"size", 1024}, {"frob", 1}}};
  EXPECT_EQ(error_of(op),
            "Unknown parameter 'frob'; known are metavg, mode, name, size, spindles, vg");
  op.disks = {{{"size", 64}, {"name", "a"}}, {{"size", 64}, {"name", "a"}}};
  EXPECT_EQ(error_of(op), "disk name 'a' already used");

  op = an_opcode();
  op.hvparams = {{"migration_port", 8103}};
  EXPECT_EQ(error_of(op),
            "The following hypervisor parameters are global and cannot be customized at instance "
            "level, please modify them at cluster level: migration_port");
  op.hvparams = {{"cpu_weight", 5}};
  EXPECT_EQ(error_of(op), "Parameter 'cpu_weight' is not supported");

  op = an_opcode();
  op.nics = {{{"ip", "auto"}}};
  EXPECT_TRUE(error_of(op).starts_with("IP address set to auto but name checks have been skipped"));

  op = an_opcode();
  op.nics = {{{"mac", "12:34"}}};
  EXPECT_EQ(error_of(op), "Invalid MAC address '12:34'");

  op = an_opcode();
  op.beparams = {{"nosuch", "1"}};
  EXPECT_EQ(error_of(op), "Unknown parameter 'nosuch'");
  op.beparams = {{"memory", "64M"}};
  EXPECT_TRUE(error_of(op).find("memory-size value 64 is not in range [128, 32768]") !=
              std::string::npos);
  op.beparams = {{"memory", "3G"}};
  EXPECT_EQ(error_of(op),
            "Not enough memory on node n1.example for creating instance web1.example: needed 3072 "
            "MiB, available 2048 MiB");

  op = an_opcode();
  op.disk_template = model::DiskTemplate::Plain;
  op.disks = {{{"size", 1024}, {"vg", "nosuch"}}};
  EXPECT_EQ(error_of(op), "Volume group 'nosuch' not found on node n1.example; it has: vms");
  op.disks = {{{"size", 30720}}};
  EXPECT_EQ(error_of(op),
            "Not enough disk space on target node n1.example vg vms: required 30720 MiB, available "
            "20480 MiB");
}

InstanceCreate::Facts an_export() {
  auto facts = some_facts();
  model::ExportedInstance exported{.name = "web0.example", .disk_template = "file"};
  exported.disks = {{.size = MiB{1024}, .dump = "first"}, {.size = MiB{512}}};
  facts.exported = {NodeId("node-1"), "/exports/web0", {{"first", to_bytes({1024})}}, exported};
  return facts;
}

TEST(InstanceCreate, warns_of_each_disk_that_an_export_has_nothing_of) {
  opcodes::InstanceCreate op;
  op.instance_name = "web1.example";
  op.mode = "import";
  op.ignore_ipolicy = true;
  auto const plan = InstanceCreate::plan(op, a_cluster(), an_export());
  ASSERT_TRUE(plan) << plan.error().message;
  ASSERT_EQ(plan->imports.size(), 1U);
  EXPECT_EQ(plan->warnings,
            std::vector<std::string>({"The export has nothing of disk 1: it stays empty"}));
  op.disks = {{{"size", 1024}}, {{"size", 512}}, {{"size", 8}}};
  auto const more = InstanceCreate::plan(op, a_cluster(), an_export());
  ASSERT_TRUE(more) << more.error().message;
  EXPECT_EQ(more->warnings.size(), 2U);
}

TEST(InstanceCreate, a_number_is_no_larger_a_size_than_a_text) {
  auto op = an_opcode();
  op.disks = {{{"size", std::numeric_limits<std::int64_t>::max()}}};
  EXPECT_EQ(error_of(op), "The amount '9223372036854775807' is too large");
}

// Nobody makes it anew or removes it meanwhile.
TEST(InstanceCreate, locks_the_export_however_it_is_named) {
  auto const locked = [](std::string const& source) {
    opcodes::InstanceCreate op;
    op.instance_name = "web1.example";
    op.mode = "import";
    op.src_path = source;
    std::vector<std::string> names;
    auto const locks = InstanceCreate::locks(op, a_cluster()).value();
    for (auto const& lock : locks) {
      if (lock.level == jobs::LockLevel::Instance) names.push_back(lock.name);
    }
    return names;
  };
  using Names = std::vector<std::string>;
  for (auto const* source :
       {"web0", "web0/", "/var/lib/ganeti/export/web0", "/var/lib/ganeti/export/web0//",
        "/var/lib/ganeti/../ganeti/export/./web0"}) {
    EXPECT_EQ(locked(source), Names({"web1.example", "web0"})) << source;
  }
  EXPECT_EQ(locked("/root/web0"), Names({"web1.example"}));
  EXPECT_EQ(locked("web1.example/"), Names({"web1.example"}));
}

}  // namespace
}  // namespace flotte::units
