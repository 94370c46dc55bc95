// Real volumes of all kinds, sizes and states, on the volume group that FLOTTE_TEST_VG names, and
// on the empty disks FLOTTE_TEST_DISKS ("/dev/sdx /dev/sdy"): see tests/volumes.
#include <gmock/gmock.h>

#include <cstdlib>

#include "node/storage/block_device.h"

namespace flotte::node {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A busy machine takes its time.
constexpr std::chrono::minutes patience{10};

std::string variable(char const* name) {
  auto const* value = std::getenv(name);
  return value ? value : "";
}

std::vector<std::string> groups() {
  auto const named = variable("FLOTTE_TEST_VG");
  return named.empty() ? std::vector<std::string>() : std::vector{named};
}

class KindsOfVolumes : public ::testing::TestWithParam<std::string> {
 protected:
  ~KindsOfVolumes() override {
    say("vgremove -qqff " + other_ + " 2>/dev/null; pvremove -qqff $FLOTTE_TEST_DISKS 2>/dev/null");
    say("lvremove -qqf " + vg_);
  }

  // A script of the shell, where $vg is the volume group.
  std::string say(std::string const& script) {
    auto const done = processes_.run(
        {.argv = {"sh", "-ec", script}, .environment = environment(), .timeout = patience});
    return done ? done->output : done.error().message;
  }
  void must(std::string const& script) {
    auto const done = sys::run_checked(
        processes_,
        {.argv = {"sh", "-ec", script}, .environment = environment(), .timeout = patience});
    ASSERT_TRUE(done) << done.error().message;
  }
  // Another volume group on both empty disks, whose extents are of that size.
  void make_other(std::string const& extent) {
    must("pvcreate -qqff -y $FLOTTE_TEST_DISKS && vgcreate -qq -s " + extent + " " + other_ +
         " $FLOTTE_TEST_DISKS");
    vg_of_disks_ = other_;
  }

  rpc::DiskSpec disk(std::int64_t size, std::string const& name = "d") const {
    rpc::DiskSpec spec;
    spec.disk.dev_type = model::DiskTemplate::Plain;
    spec.disk.logical_id = {vg_of_disks_, name};
    spec.disk.size = {size};
    return spec;
  }
  Result<void> adopt(std::string const& volume, rpc::DiskSpec const& as) {
    return devices_->adopt({"web1", as, volume, ""});
  }
  // What is said of one that is not taken; the volume stays what it was.
  std::string refusal(std::string const& volume, std::int64_t size) {
    auto const done = adopt(volume, disk(size));
    EXPECT_FALSE(done) << volume << " was adopted";
    EXPECT_EQ(say("lvs --noheadings -olv_name $vg/d 2>/dev/null || :"), "");
    return done ? "" : done.error().message;
  }
  std::string size_of(std::string const& volume) {
    return say("lvs --noheadings --nosuffix --units b -olv_size " + vg_of_disks_ + "/" + volume +
               " | tr -d ' \n'");
  }
  std::optional<rpc::Volume> listed(std::string const& volume) {
    auto const list = volumes(processes_);
    EXPECT_TRUE(list);
    if (!list) return {};
    auto const is_it = [&](auto const& one) {
      return one.vg == vg_of_disks_ && one.name == volume;
    };
    EXPECT_LE(std::ranges::count_if(*list, is_it), 1);
    auto const found = std::ranges::find_if(*list, is_it);
    return found == list->end() ? std::optional<rpc::Volume>() : *found;
  }

  rpc::Volume found(std::string const& volume) {
    auto const known = listed(volume);
    EXPECT_TRUE(known) << volume << " is not listed";
    return known.value_or(rpc::Volume());
  }

  sys::SystemProcesses processes_;
  std::unique_ptr<BlockDevices> devices_ = make_plain_devices(processes_);
  std::string const vg_ = GetParam();
  std::string const other_ = "flotte_other";
  std::string vg_of_disks_ = vg_;

 private:
  std::map<std::string, std::string> environment() const {
    return {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"},
            {"LC_ALL", "C.UTF-8"},
            {"vg", vg_of_disks_},
            {"FLOTTE_TEST_DISKS", variable("FLOTTE_TEST_DISKS")}};
  }
};

// Of two machines on a pool, the removal of one took the other's disk along.
TEST_P(KindsOfVolumes, a_pool_and_its_parts_are_no_disks) {
  must("lvcreate -qq -L16M -T $vg/pool -V32M -n thin1");
  EXPECT_THAT(refusal("pool_tdata", 16), HasSubstr("it is a part of " + vg_ + "/pool"));
  EXPECT_THAT(refusal("pool_tmeta", 4), HasSubstr("it is a part of " + vg_ + "/pool"));
  ASSERT_TRUE(adopt("thin1", disk(32)));
  auto const second = disk(16, "e");
  auto const refused = devices_->adopt({"web2", second, "pool", ""});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("it is a thin pool"));
  EXPECT_THAT(found("pool").fault, HasSubstr("is a thin pool"));
  EXPECT_FALSE(found("pool").is_hidden);
  EXPECT_TRUE(found("pool_tdata").is_hidden);
  EXPECT_EQ(found("d").fault, "");
  ASSERT_TRUE(devices_->assemble("web1", disk(32), 1));
  ASSERT_TRUE(devices_->grow({"web1", disk(32), {36}}));
  EXPECT_EQ(size_of("d"), "37748736");
  ASSERT_TRUE(devices_->remove("web1", disk(32)));
  EXPECT_TRUE(listed("pool"));
}

// Adopted by an earlier version, or made one meanwhile.
TEST_P(KindsOfVolumes, a_disk_that_became_a_pool_is_kept) {
  must(
      "lvcreate -qq -L16M -T $vg/d -V32M -n thin1 && "
      "lvchange -qq --addtag originstname+web1 $vg/d");
  for (auto const& done :
       {devices_->remove("web1", disk(16)), devices_->grow({"web1", disk(16), {32}}),
        devices_->create({"web1", disk(16)}),
        devices_->rename({"web1", disk(16), "web1", disk(16), "web2", 2})}) {
    ASSERT_FALSE(done);
    EXPECT_THAT(done.error().message, AllOf(HasSubstr(vg_ + "/d")));
  }
  auto const opened = devices_->assemble("web1", disk(16), 1);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("is no longer a disk of web1: it is a thin pool"));
  EXPECT_TRUE(listed("thin1"));
}

TEST_P(KindsOfVolumes, a_snapshot_is_no_disk_and_goes_with_none) {
  must("lvcreate -qq -Wn -L16M -n origin $vg && lvcreate -qq -s -L8M -n snap $vg/origin");
  EXPECT_THAT(refusal("snap", 8), HasSubstr("it is a snapshot of " + vg_ + "/origin"));
  EXPECT_THAT(found("origin").snapshots, ::testing::ElementsAre("snap"));
  ASSERT_TRUE(adopt("origin", disk(16)));
  ASSERT_TRUE(devices_->assemble("web1", disk(16), 1));
  auto const refused = devices_->remove("web1", disk(16));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("has snapshots, which would go with it: snap"));
  must("lvremove -qqf $vg/snap");
  ASSERT_TRUE(devices_->remove("web1", disk(16)));
  EXPECT_FALSE(listed("d"));
}

TEST_P(KindsOfVolumes, thin_snapshots_stand_alone) {
  must("lvcreate -qq -L16M -T $vg/pool -V32M -n thin1 && lvcreate -qq -s -n snap $vg/thin1");
  EXPECT_THAT(refusal("snap", 32), HasSubstr("lvchange -kn " + vg_ + "/snap"));
  must("lvchange -qq -kn $vg/snap");
  ASSERT_TRUE(adopt("snap", disk(32)));
  ASSERT_TRUE(devices_->assemble("web1", disk(32), 1));
  ASSERT_TRUE(devices_->adopt({"web2", disk(32, "e"), "thin1", ""}));
  ASSERT_TRUE(devices_->remove("web2", disk(32, "e")));
  ASSERT_TRUE(devices_->remove("web1", disk(32)));
}

TEST_P(KindsOfVolumes, a_snapshot_with_room_of_its_own_goes_with_a_thin_volume) {
  must("lvcreate -qq -L16M -T $vg/pool -V32M -n thin1 && lvcreate -qq -s -L8M -n snap $vg/thin1");
  EXPECT_THAT(found("thin1").snapshots, ::testing::ElementsAre("snap"));
  ASSERT_TRUE(adopt("thin1", disk(32)));
  auto const refused = devices_->remove("web1", disk(32));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("has snapshots, which would go with it: snap"));
  EXPECT_TRUE(listed("snap"));
}

TEST_P(KindsOfVolumes, mirrors_raid_and_stripes_are_disks) {
  must("pvcreate -qqff -y $FLOTTE_TEST_DISKS && vgextend -qq $vg $FLOTTE_TEST_DISKS");
  must(
      "lvcreate -qq -Wn -L16M --type mirror -m1 --mirrorlog core -n mirror $vg && "
      "lvcreate -qq -Wn -L16M --type raid1 -m1 -n raid $vg && "
      "lvcreate -qq -Wn -L16M -i2 -n stripes $vg");
  EXPECT_THAT(refusal("raid_rimage_0", 16), HasSubstr("it is a part of " + vg_ + "/raid"));
  for (auto const* name : {"mirror", "raid", "stripes"}) {
    auto const adopted = adopt(name, disk(16));
    ASSERT_TRUE(adopted) << adopted.error().message;
    ASSERT_TRUE(devices_->assemble("web1", disk(16), 1));
    ASSERT_TRUE(devices_->remove("web1", disk(16)));
  }
  must("vgreduce -qq $vg $FLOTTE_TEST_DISKS");
}

TEST_P(KindsOfVolumes, one_whose_disk_is_missing_is_not_taken) {
  make_other("4m");
  must(
      "lvcreate -qq -Wn -L16M -n broken $vg ${FLOTTE_TEST_DISKS##* } && "
      "lvcreate -qq -Wn -L16M -n whole $vg ${FLOTTE_TEST_DISKS%% *} && vgchange -qq -an $vg && "
      "wipefs -qa ${FLOTTE_TEST_DISKS##* }");
  EXPECT_THAT(refusal("broken", 16), HasSubstr("it lies on a physical volume that is missing"));
  EXPECT_THAT(found("broken").fault, HasSubstr("a physical volume that is missing"));
  EXPECT_EQ(found("whole").fault, "");
  say("vgreduce -qq --removemissing --force $vg");
}

TEST_P(KindsOfVolumes, one_that_is_being_moved_is_taken_afterwards) {
  make_other("4m");
  must("lvcreate -qq -Wn -L512M -n moving $vg ${FLOTTE_TEST_DISKS##* }");
  // Slowly; and it looks but once an hour whether it has ended, and is then no more.
  must(
      "echo 1 >/sys/module/dm_mirror/parameters/raid1_resync_throttle; "
      "pvmove -i 3600 -n moving ${FLOTTE_TEST_DISKS##* } >/dev/null 2>&1 & mover=$!; "
      "until lvs --noheadings -olv_allocation_locked $vg/moving | grep -q locked; do "
      "kill -0 $mover; sleep 0.1; done; kill -9 $mover");
  EXPECT_THAT(refusal("moving", 512), HasSubstr("wait until pvmove has ended"));
  EXPECT_EQ(found("moving").fault, "");
  must("pvmove -qq --abort");
  ASSERT_TRUE(adopt("moving", disk(512)));
}

// LVM's extents may be smaller than what Ganeti counts in.
TEST_P(KindsOfVolumes, no_byte_of_an_adopted_volume_is_left_out) {
  make_other("64k");
  must("lvcreate -qq -Wn -L10304k -n odd $vg");
  EXPECT_EQ(found("odd").size, MiB{11});
  EXPECT_THAT(refusal("odd", 10), HasSubstr("has 10551296 bytes, not 10 MiB"));
  ASSERT_TRUE(adopt("odd", disk(11)));
  // What it says is its size is enough for what is done next.
  auto const attached = devices_->rename({"web1", disk(11), "web1", disk(11), "web2", 2});
  EXPECT_TRUE(attached) << attached.error().message;
  EXPECT_EQ(size_of("d"), "10551296");
}

TEST_P(KindsOfVolumes, what_lvm_rounds_up_is_the_same_disk) {
  make_other("32m");
  auto odd = disk(61);
  ASSERT_TRUE(devices_->create({"web1", odd}));
  EXPECT_EQ(size_of("d"), "67108864");
  auto const again = devices_->create({"web1", odd});
  EXPECT_TRUE(again) << again.error().message;
  odd.disk.size = {32};
  EXPECT_FALSE(devices_->create({"web1", odd}));
  odd.disk.size = {65};
  EXPECT_FALSE(devices_->create({"web1", odd}));
  ASSERT_TRUE(devices_->grow({"web1", odd, {65}}));
  ASSERT_TRUE(devices_->grow({"web1", odd, {65}}));
  EXPECT_EQ(size_of("d"), "100663296");
  ASSERT_TRUE(devices_->remove("web1", odd));
  odd.params["stripes"] = 2;
  ASSERT_TRUE(devices_->create({"web1", odd}));
  EXPECT_EQ(size_of("d"), "134217728");
  EXPECT_TRUE(devices_->create({"web1", odd}));
}

TEST_P(KindsOfVolumes, one_that_was_made_smaller_is_not_given_on) {
  ASSERT_TRUE(devices_->create({"web1", disk(16)}));
  must("lvreduce -qqf -L8M $vg/d");
  auto const given = devices_->rename({"web1", disk(16), "web1", disk(16), "web2", 2});
  ASSERT_FALSE(given);
  EXPECT_THAT(given.error().message, HasSubstr("8388608 bytes, less than the 16 MiB of the disk"));
}

// What it was to be made of was an earlier instance's business.
TEST_P(KindsOfVolumes, a_mark_does_not_outlive_an_adoption) {
  auto const tags = [&](std::string const& volume) {
    return say("lvs --noheadings -olv_tags $vg/" + volume);
  };
  must("lvcreate -qq -Wn -L16M -n old --addtag flotte-unwiped+8388608 $vg");
  ASSERT_TRUE(adopt("old", disk(16)));
  EXPECT_THAT(tags("d"), ::testing::Not(HasSubstr("unwiped")));
  ASSERT_TRUE(devices_->assemble("web1", disk(16), 1));
  EXPECT_EQ(size_of("d"), "16777216");
  must("lvchange -qq --addtag flotte-unwiped+8388608 $vg/d");
  ASSERT_TRUE(devices_->release({"web1", disk(16), "old", ""}));
  EXPECT_THAT(tags("old"), ::testing::Not(HasSubstr("flotte")));
}

TEST_P(KindsOfVolumes, what_grew_and_was_not_wiped_is_not_told_as_size) {
  ASSERT_TRUE(devices_->create({"web1", disk(16)}));
  ASSERT_TRUE(devices_->grow_unwiped({"web1", disk(16), {24}}));
  EXPECT_EQ(found("d").size, MiB{16});
  EXPECT_EQ(found("d").unwiped, MiB{16});
  auto const known = devices_->find("web1", disk(16));
  ASSERT_TRUE(known && *known);
  EXPECT_EQ((*known)->unwiped, to_bytes(MiB{16}));
}

TEST_P(KindsOfVolumes, a_volume_in_pieces_is_listed_once) {
  make_other("4m");
  must(
      "lvcreate -qq -Wn -L8M -n pieces $vg && lvcreate -qq -Wn -L4M -n between $vg && "
      "lvextend -qq -L16M $vg/pieces && lvextend -qq -L20M $vg/pieces ${FLOTTE_TEST_DISKS##* }");
  auto const found = listed("pieces");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size, MiB{20});
  EXPECT_THAT(found->phys, AllOf(HasSubstr(","), HasSubstr("/dev/")));
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(KindsOfVolumes);
// Whenever the daemon dies: before the first byte is overwritten it looks like here.
TEST_P(KindsOfVolumes, what_was_there_before_is_not_seen) {
  auto const bytes_of_others = [&] {
    return say("tr -d '\\0' </dev/$vg/d | tr -d s | wc -c | tr -d '\n'");
  };
  must(
      "lvcreate -qq -Wn -L48M -n old $vg && tr '\\0' x </dev/zero | dd of=/dev/$vg/old bs=1M "
      "iflag=fullblock count=48 status=none && lvremove -qqf $vg/old");
  ASSERT_TRUE(devices_->create_unwiped({"web1", disk(15)}));
  EXPECT_EQ(bytes_of_others(), "16773120");  // LVM overwrites 4 KiB
  EXPECT_FALSE(devices_->assemble("web1", disk(15), 1));
  EXPECT_FALSE(devices_->check_wiped("web1", disk(15)));
  ASSERT_TRUE(devices_->create_unwiped({"web1", disk(15)}));
  ASSERT_TRUE(devices_->wipe({"web1", disk(15)}, {}));
  EXPECT_EQ(bytes_of_others(), "0");
  ASSERT_TRUE(devices_->assemble("web1", disk(15), 1));
  must("printf s | dd of=/dev/$vg/d conv=notrunc status=none");

  // A guest is running.
  ASSERT_TRUE(devices_->grow_unwiped({"web1", disk(15), {24}}));
  EXPECT_EQ(bytes_of_others(), "8388608");
  EXPECT_FALSE(devices_->check_wiped("web1", disk(15)));
  ASSERT_TRUE(devices_->wipe({"web1", disk(15)}, {}));
  ASSERT_TRUE(devices_->wipe({"web1", disk(15)}, {}));
  EXPECT_TRUE(devices_->check_wiped("web1", disk(15)));
  EXPECT_EQ(bytes_of_others(), "0");
  EXPECT_EQ(say("head -c1 /dev/$vg/d"), "s");

  // It ended before its new end was wiped, and is started again.
  ASSERT_TRUE(devices_->grow_unwiped({"web1", disk(24), {32}}));
  ASSERT_TRUE(devices_->grow_unwiped({"web1", disk(24), {40}}));
  ASSERT_TRUE(devices_->assemble("web1", disk(24), 2));
  EXPECT_EQ(size_of("d"), "25165824");
  EXPECT_EQ(bytes_of_others(), "0");
  // The wish to wipe was given up meanwhile.
  ASSERT_TRUE(devices_->grow_unwiped({"web1", disk(24), {32}}));
  ASSERT_TRUE(devices_->grow({"web1", disk(24), {40}}));
  ASSERT_TRUE(devices_->assemble("web1", disk(40), 3));
  EXPECT_EQ(size_of("d"), "41943040");
  EXPECT_THAT(say("lvs --noheadings -olv_tags $vg/d"), ::testing::Not(HasSubstr("unwiped")));
}

// What is exported of a disk while its guest goes on.
TEST_P(KindsOfVolumes, a_snapshot_stays_as_the_disk_was_and_is_lost_before_the_disk_is) {
  auto const d = disk(64);
  ASSERT_TRUE(devices_->create({"web1", d}));
  auto const path = devices_->assemble("web1", d, 1);
  ASSERT_TRUE(path) << path.error().message;
  EXPECT_FALSE(devices_->snapshot_path("web1", d));
  must("printf before | dd of=" + *path + " conv=notrunc,fsync status=none");
  auto const made = devices_->snapshot({"web1", d, {16}});
  ASSERT_TRUE(made) << made.error().message;
  auto const snapshot = devices_->snapshot_path("web1", d);
  ASSERT_TRUE(snapshot) << snapshot.error().message;
  must("printf afterw | dd of=" + *path + " conv=notrunc,fsync status=none");
  EXPECT_EQ(say("head -c 6 " + *snapshot), "before");
  EXPECT_EQ(say("head -c 6 " + *path), "afterw");
  // Of another instance it isn't.
  EXPECT_FALSE(devices_->remove_snapshot({"web2", d}));
  // Taken again it is of now.
  ASSERT_TRUE(devices_->snapshot({"web1", d, {16}}));
  EXPECT_EQ(say("head -c 6 " + *snapshot), "afterw");
  must("dd if=/dev/urandom of=" + *path + " bs=1M count=32 conv=notrunc,fsync status=none");
  auto const lost = devices_->snapshot_path("web1", d);
  ASSERT_FALSE(lost);
  EXPECT_THAT(lost.error().message, HasSubstr("has filled up"));
  EXPECT_THAT(devices_->remove("web1", d).error().message, HasSubstr("has snapshots"));
  auto const gone = devices_->remove_snapshot({"web1", d});
  EXPECT_TRUE(gone) << gone.error().message;
  EXPECT_TRUE(devices_->remove_snapshot({"web1", d}));
  // Somebody's volume of that name is left alone.
  must("lvcreate -qq -L4m -nd.snap $vg");
  EXPECT_THAT(devices_->snapshot({"web1", d, {16}}).error().message, HasSubstr("is in the way"));
  EXPECT_THAT(say("lvs --noheadings -olv_name $vg"), HasSubstr("d.snap"));
  must("lvremove -qqf $vg/d.snap");
  EXPECT_TRUE(devices_->remove("web1", d));
}

INSTANTIATE_TEST_SUITE_P(Lvm, KindsOfVolumes, ::testing::ValuesIn(groups()),
                         [](auto const&) { return std::string("volume_group"); });

}  // namespace
}  // namespace flotte::node
