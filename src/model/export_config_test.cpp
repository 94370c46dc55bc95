#include "model/export_config.h"

#include <gmock/gmock.h>

#include "model/params.h"

namespace flotte::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As Ganeti 3.0 writes one.
constexpr std::string_view ganetis = R"([export]
version = 0
timestamp = 1764384000
source = 6e7a3ee1-63b9-4a2b-b3a0-4a2bb1b0bd31
os = debootstrap+default
compression = none

[instance]
name = web1.example.com
maxmem = 512
minmem = 256
memory = 512
vcpus = 2
disk_template = plain
hypervisor = kvm
tags = prod owner:alice
nic0_mac = aa:00:00:35:d1:8f
nic0_ip = None
nic0_network = None
nic0_name = None
nic0_mode = bridged
nic0_link = br0
nic0_vlan =
nic1_mac = aa:00:00:35:d1:90
nic1_ip = 192.0.2.9
nic1_network = 0b6a4c4e-7d5e-4f6a-8f6a-6f9cbd2ad0f1
nic1_name = None
nic1_mode = bridged
nic1_link = br1
nic1_vlan =
nic_count = 2
disk0_ivname = disk/0
disk0_dump = 3e1d0a68-9c54-4ee5-8f0e-9be0b5ab8a76
disk0_size = 1024
disk0_name = None
disk1_ivname = disk/1
disk1_dump = 82b0c0be-ffa4-4f5a-9d37-1c4a1d5e1b0b
disk1_size = 64
disk1_name = data
disk_count = 2

[hypervisor]
kernel_path =
acpi = True
kernel_args = ro quiet 100%% sure

[backend]
maxmem = 512
minmem = 256
vcpus = 2

[os]
filesystem = ext4

[os_private]
password = a
	b

)";

TEST(ExportConfig, what_ganeti_writes_is_read) {
  auto const read = read_export(ganetis);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->name, "web1.example.com");
  EXPECT_EQ(read->os, "debootstrap+default");
  EXPECT_EQ(read->disk_template, "plain");
  EXPECT_EQ(read->hypervisor, "kvm");
  EXPECT_THAT(read->tags, ElementsAre("prod", "owner:alice"));
  ASSERT_EQ(read->disks.size(), 2U);
  EXPECT_EQ(read->disks[0].size, MiB{1024});
  EXPECT_EQ(read->disks[0].dump, "3e1d0a68-9c54-4ee5-8f0e-9be0b5ab8a76");
  EXPECT_FALSE(read->disks[0].name);
  EXPECT_EQ(read->disks[1].name, "data");
  ASSERT_EQ(read->nics.size(), 2U);
  EXPECT_EQ(
      read->nics[0],
      (schema::json::object{{"mac", "aa:00:00:35:d1:8f"}, {"mode", "bridged"}, {"link", "br0"}}));
  // A network says the rest.
  EXPECT_EQ(read->nics[1],
            (schema::json::object{{"mac", "aa:00:00:35:d1:90"},
                                  {"ip", "192.0.2.9"},
                                  {"network", "0b6a4c4e-7d5e-4f6a-8f6a-6f9cbd2ad0f1"}}));
  EXPECT_EQ(read->hvparams,
            (schema::json::object{
                {"kernel_path", ""}, {"acpi", "True"}, {"kernel_args", "ro quiet 100% sure"}}));
  EXPECT_EQ(read->osparams_private, (schema::json::object{{"password", "a\nb"}}));
}

TEST(ExportConfig, what_is_written_is_read_again) {
  IniFile file;
  file.set("export", "OS", "noop");
  file.set("export", "text", "50% of\ntwo lines = [x]");
  file.set("other", "empty", "");
  EXPECT_EQ(file.text(),
            "[export]\nos = noop\ntext = 50%% of\n\ttwo lines = [x]\n\n[other]\nempty = \n\n");
  auto const again = IniFile::parse(file.text());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->text(), file.text());
  EXPECT_EQ(again->get("export", "text"), "50% of\ntwo lines = [x]");
}

TEST(ExportConfig, none_is_a_value_where_it_is_one) {
  Cluster cluster;
  Instance instance{.uuid = InstanceId("i"), .name = "web1"};
  instance.hypervisor = HypervisorKind::Kvm;
  for (auto const& param : hypervisor_params(HypervisorKind::Kvm)) {
    if (enforce_hypervisor(HypervisorKind::Kvm, {{param.name, "none"}})) {
      instance.hvparams[param.name] = "none";
    }
  }
  EXPECT_TRUE(instance.hvparams.contains("disk_cache"));
  EXPECT_TRUE(instance.hvparams.contains("security_model"));
  instance.osparams = {{"filesystem", "none"}, {"extra", "None"}};
  auto const read = read_export(write_export(cluster, instance, {}, 0));
  ASSERT_TRUE(read) << read.error().message;
  for (auto const& [key, value] : without_globals(instance.hvparams)) {
    EXPECT_EQ(read->hvparams.at(key), value) << std::string_view(key);
  }
  EXPECT_EQ(read->osparams, instance.osparams);
}

TEST(ExportConfig, one_size_of_memory_of_old_releases_stands_for_both) {
  auto const read = read_export(
      "[export]\nversion = 0\nos = noop\n[instance]\nname = web1\nmemory = 256\nvcpus = 1\n");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->beparams,
            (schema::json::object{{"vcpus", "1"}, {"maxmem", "256"}, {"minmem", "256"}}));
}

TEST(ExportConfig, what_is_wrong_is_named) {
  auto const why = [](std::string_view config) {
    auto const read = read_export(config);
    return read ? std::string("(fine)") : read.error().message;
  };
  EXPECT_THAT(why(""), HasSubstr("[export] or [instance], is missing"));
  EXPECT_THAT(why("[export]\nversion = 1\n[instance]\nname = x\n"),
              HasSubstr("Wrong export version 1 (wanted 0)"));
  EXPECT_THAT(why("[export]\nversion = 0\n[instance]\n"), HasSubstr("name in [instance]"));
  EXPECT_THAT(why("version = 0\n"), HasSubstr("Line 1"));
  EXPECT_THAT(why("[export]\nversion = 0\nversion = 0\n"), HasSubstr("Line 3: version stands"));
  EXPECT_THAT(why("[export]\nversion = 0\n[instance]\nname = x\ndisk0_size = -4\n"),
              HasSubstr("disk0_size is '-4'"));
  EXPECT_THAT(why("[export]\nversion = 0\ncompression = gzip\n[instance]\nname = x\n"),
              HasSubstr("compressed by 'gzip'"));
  EXPECT_THAT(why("[export\n"), HasSubstr("Line 1: '[' without ']'"));
}

TEST(ExportConfig, one_that_has_not_all_that_it_says_is_refused) {
  auto const why = [](std::string const& devices) {
    auto const read = read_export("[export]\nversion = 0\n[instance]\nname = x\n" + devices);
    return read ? std::string("(fine)") : read.error().message;
  };
  EXPECT_EQ(why("disk0_size = 4\ndisk1_size = 4\ndisk_count = 2\nnic_count = 0\n"), "(fine)");
  EXPECT_EQ(why("disk0_size = 4\ndisk_count = 2\n"), "disk_count is '2', and 1 of them are there");
  EXPECT_EQ(why("disk0_size = 4\ndisk_count = many\n"),
            "disk_count is 'many', and 1 of them are there");
  EXPECT_EQ(why("disk0_size = 4\ndisk2_size = 4\n"), "disk 1 is missing, and disk 2 is there");
  EXPECT_EQ(why("disk2_dump = x\n"), "disk 0 is missing, and disk 2 is there");
  EXPECT_EQ(why("nic0_mac = aa:00:00:00:00:01\nnic_count = 2\n"),
            "nic_count is '2', and 1 of them are there");
  EXPECT_EQ(why("nic1_mac = aa:00:00:00:00:01\nnic_count = 1\n"),
            "nic 0 is missing, and nic 1 is there");
  std::string many;
  for (int i = 0; i < 17; ++i) many += fmt::format("disk{}_size = 4\n", i);
  EXPECT_EQ(why(many), "It has 17 disks, and an instance has at most 16");
}

TEST(ExportConfig, no_disk_is_larger_than_a_text_may_say) {
  auto const read = read_export(
      "[export]\nversion = 0\n[instance]\nname = x\ndisk0_size = 9223372036854775807\n");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("too large"));
}

}  // namespace
}  // namespace flotte::model
