// For crash_test.cpp only: every call of the node daemon with what must be there before it and what
// undoes it.
#pragma once

#include <string>
#include <vector>

#include "base/paths.h"
#include "model/params.h"
#include "net/certificates.h"
#include "node/daemon/test_daemon.h"
#include "node/network/antispoof.h"
#include "rpc/node_calls.h"

namespace flotte::node {
namespace {

namespace json = boost::json;

constexpr auto bridge = "fltcrash0";
constexpr auto master_ip = "192.0.2.77";
constexpr auto qemu = "/usr/bin/qemu-system-x86_64";

struct Call {
  std::string name;
  json::object arguments;
};

template <class T>
Call call(T const& value) {
  return {std::string(T::name), schema::encode(value)};
}

rpc::DiskSpec disk(Paths const& paths, std::int64_t index = 0) {
  rpc::DiskSpec spec;
  spec.disk.uuid = DiskId(fmt::format("0d15c00{}-0000-4000-8000-000000000000", index));
  spec.disk.dev_type = model::DiskTemplate::File;
  spec.disk.logical_id = {"loop",
                          fmt::format("{}/file-storage/web1/x.file.disk{}", paths.srv(), index)};
  spec.disk.size = {2};
  spec.index = index;
  return spec;
}

// The first disk when web1 is called web2.
rpc::DiskSpec renamed_disk(Paths const& paths) {
  auto spec = disk(paths);
  spec.disk.logical_id[1] = fmt::format("{}/file-storage/web2/x.file.disk0", paths.srv());
  return spec;
}

rpc::InstanceSpec instance(Paths const& paths, model::HypervisorKind kind) {
  rpc::InstanceSpec spec;
  spec.name = "web1";
  spec.uuid = InstanceId("11111111-0000-4000-8000-000000000000");
  spec.hypervisor = kind;
  spec.os = "dd";
  spec.hvparams = model::defaults(model::hypervisor_params(kind));
  spec.beparams = model::defaults(model::backend_params());
  spec.beparams["maxmem"] = 64;
  spec.disks = {disk(paths)};
  spec.epoch = 3;
  if (kind != model::HypervisorKind::Kvm) return spec;
  spec.hvparams["kernel_path"] = "";
  rpc::NicSpec nic;
  nic.nic.uuid = NicId("22222222-0000-4000-8000-000000000000");
  nic.nic.mac = "aa:00:00:11:22:33";
  nic.params = {{"mode", "bridged"}, {"link", bridge}, {"vlan", ""}};
  spec.nics = {nic};
  return spec;
}

// Its disks are copied as they are.
rpc::InstanceSpec without_os(Paths const& paths) {
  auto spec = instance(paths, model::HypervisorKind::Fake);
  spec.os.clear();
  return spec;
}

rpc::Dump dump(Paths const& paths) {
  return {.file = disk(paths).disk.uuid.text(), .size = to_bytes(disk(paths).disk.size)};
}

rpc::InstanceSpec filtered_instance(Paths const& paths) {
  auto spec = instance(paths, model::HypervisorKind::Kvm);
  spec.nics[0].nic.ip = "192.0.2.50";
  if (Antispoof::check()) spec.nics[0].params["antispoof"] = true;
  return spec;
}

// Rules of a routing table stay when the tap goes, and rules about what it may send, too.
rpc::InstanceSpec routed_instance(Paths const& paths) {
  auto spec = filtered_instance(paths);
  spec.nics[0].params["mode"] = "routed";
  spec.nics[0].params["link"] = "7077";
  return spec;
}

// One more disk, and for QEMU one more NIC.
rpc::InstanceSpec grown_instance(Paths const& paths, model::HypervisorKind kind) {
  auto spec = instance(paths, kind);
  spec.disks.push_back(disk(paths, 1));
  if (kind != model::HypervisorKind::Kvm) return spec;
  auto nic = spec.nics[0];
  nic.nic.uuid = NicId("33333333-0000-4000-8000-000000000000");
  nic.nic.mac = "aa:00:00:11:22:44";
  spec.nics.push_back(nic);
  return spec;
}

// A call, what must have been done before it, and what takes everything away again.
struct Case {
  std::vector<Call> before = {};
  Call deed;
  std::vector<Call> undo = {};
  std::int64_t leader_epoch = 1;
};

using rpc::BlockdevAssemble;
using rpc::BlockdevCreate;
using rpc::BlockdevRemove;
using rpc::BlockdevShutdown;
using rpc::InstanceStart;

std::vector<Call> disk_made(Paths const& paths) {
  return {call(BlockdevCreate{"web1", disk(paths)})};
}
std::vector<Call> disk_active(Paths const& paths) {
  return {call(BlockdevCreate{"web1", disk(paths)}),
          call(BlockdevAssemble{"web1", disk(paths), 3})};
}
std::vector<Call> disk_gone(Paths const& paths) {
  return {call(BlockdevShutdown{"web1", disk(paths)}), call(BlockdevRemove{"web1", disk(paths)})};
}
std::vector<Call> export_made(Paths const& paths) {
  auto calls = disk_active(paths);
  calls.push_back(call(rpc::OsCreate{instance(paths, model::HypervisorKind::Fake)}));
  calls.push_back(call(rpc::ExportDisk{without_os(paths), 0}));
  return calls;
}
std::vector<Call> export_gone(Paths const& paths) {
  auto calls = disk_gone(paths);
  calls.push_back(call(rpc::ExportDiscard{"web1"}));
  calls.push_back(call(rpc::ExportRemove{"web1", "web1"}));
  return calls;
}
template <model::HypervisorKind kind>
std::vector<Call> guest_up(Paths const& paths) {
  auto calls = disk_active(paths);
  calls.push_back(call(InstanceStart{instance(paths, kind)}));
  return calls;
}
template <model::HypervisorKind kind>
Call guest_stopped() {
  return call(rpc::InstanceShutdown{"web1", kind, 0});
}
template <model::HypervisorKind kind>
std::vector<Call> guest_gone(Paths const& paths) {
  auto calls = disk_gone(paths);
  calls.insert(calls.begin(), guest_stopped<kind>());
  return calls;
}

template <model::HypervisorKind kind>
std::vector<Call> grown_gone(Paths const& paths) {
  auto calls = guest_gone<kind>(paths);
  calls.push_back(call(BlockdevRemove{"web1", disk(paths, 1)}));
  return calls;
}

Call address(bool is_up) {
  return call(rpc::MasterAddress{.ip = master_ip, .netdev = bridge, .is_up = is_up});
}

constexpr auto fake = model::HypervisorKind::Fake;
constexpr auto kvm = model::HypervisorKind::Kvm;

rpc::Bootstrap cluster(Paths const& paths) {
  auto wish = TestDaemon::wish();
  wish.file_storage_dirs = {paths.srv() + "/file-storage"};
  return wish;
}
rpc::Bootstrap cluster_with_address() {
  auto wish = TestDaemon::wish();
  wish.master_ip = master_ip;
  wish.master_netdev = bridge;
  return wish;
}

enum class Needs { Nothing, Network, Qemu, NoCluster, NetworkButNoCluster };

struct Row {
  char const* name;  // the call's, and what is special about it
  Case (*make)(Paths const&);
  Needs needs = Needs::Nothing;
  // Where moments are many and mostly another row's, not each of them is tried, unless
  // FLOTTE_EVERY_MOMENT is set.
  int stride = 1;
};

void PrintTo(Row const& row, std::ostream* out) {
  *out << row.name;
}

// A call of the daemon that is not here fails the test every_call_is_here.
constexpr Row rows[] = {
    {"blockdev_create",
     [](Paths const& p) { return Case{{}, call(BlockdevCreate{"web1", disk(p)}), disk_gone(p)}; }},
    {"blockdev_create_unwiped",
     [](Paths const& p) {
       return Case{{}, call(rpc::BlockdevCreateUnwiped{"web1", disk(p)}), disk_gone(p)};
     }},
    {"blockdev_create second",
     [](Paths const& p) {
       auto undo = disk_gone(p);
       undo.push_back(call(BlockdevRemove{"web1", disk(p, 1)}));
       return Case{disk_made(p), call(BlockdevCreate{"web1", disk(p, 1)}), undo};
     }},
    // Volumes are for the lab; all others refuse it.
    {"blockdev_adopt",
     [](Paths const& p) {
       return Case{disk_made(p), call(rpc::BlockdevAdopt{"web1", disk(p, 1), "old", ""}),
                   disk_gone(p)};
     }},
    {"blockdev_release",
     [](Paths const& p) {
       return Case{disk_made(p), call(rpc::BlockdevRelease{"web1", disk(p, 1), "old", ""}),
                   disk_gone(p)};
     }},
    {"blockdev_rename",
     [](Paths const& p) {
       auto undo = disk_gone(p);
       undo.insert(undo.begin(), call(rpc::BlockdevRename{"web1", renamed_disk(p), "web2", disk(p),
                                                          "web1", 3, true}));
       return Case{disk_active(p),
                   call(rpc::BlockdevRename{"web1", disk(p), "web1", renamed_disk(p), "web2", 3}),
                   undo};
     }},
    {"blockdev_rename to nobody",
     [](Paths const& p) {
       auto undo = disk_gone(p);
       undo.insert(undo.begin(),
                   call(rpc::BlockdevRename{"web1", disk(p), "", disk(p), "web1", 3, true}));
       return Case{disk_active(p),
                   call(rpc::BlockdevRename{"web1", disk(p), "web1", disk(p), "", 0}), undo};
     }},
    {"blockdev_convert",
     [](Paths const& p) {
       auto before = disk_active(p);
       before.push_back(call(rpc::OsCreate{instance(p, fake)}));
       before.push_back(call(BlockdevCreate{"web1", disk(p, 1)}));
       auto undo = disk_gone(p);
       undo.push_back(call(BlockdevRemove{"web1", disk(p, 1)}));
       return Case{before, call(rpc::BlockdevConvert{"web1", disk(p), disk(p, 1), 4}), undo};
     }},
    {"blockdev_remove",
     [](Paths const& p) { return Case{disk_active(p), call(BlockdevRemove{"web1", disk(p)})}; }},
    {"blockdev_grow",
     [](Paths const& p) {
       return Case{disk_made(p), call(rpc::BlockdevGrow{"web1", disk(p), {4}}), disk_gone(p)};
     }},
    {"blockdev_grow_unwiped",
     [](Paths const& p) {
       return Case{disk_active(p), call(rpc::BlockdevGrowUnwiped{"web1", disk(p), {4}}),
                   disk_gone(p)};
     }},
    {"blockdev_assemble",
     [](Paths const& p) {
       return Case{disk_made(p), call(BlockdevAssemble{"web1", disk(p), 3}), disk_gone(p)};
     }},
    {"blockdev_assemble again",
     [](Paths const& p) {
       return Case{disk_active(p), call(BlockdevAssemble{"web1", disk(p), 4}), disk_gone(p)};
     }},
    {"blockdev_assemble of what is not wiped",
     [](Paths const& p) {
       auto before = disk_active(p);
       before.push_back(call(rpc::BlockdevGrowUnwiped{"web1", disk(p), {4}}));
       return Case{before, call(BlockdevAssemble{"web1", disk(p), 4}), disk_gone(p)};
     }},
    {"blockdev_shutdown",
     [](Paths const& p) {
       return Case{disk_active(p), call(BlockdevShutdown{"web1", disk(p)}), disk_gone(p)};
     }},
    {"blockdev_wipe_unwiped",
     [](Paths const& p) {
       return Case{{call(rpc::BlockdevCreateUnwiped{"web1", disk(p)})},
                   call(rpc::BlockdevWipe{"web1", disk(p)}),
                   disk_gone(p)};
     }},
    {"blockdev_find",
     [](Paths const& p) {
       return Case{disk_active(p), call(rpc::BlockdevFind{"web1", {disk(p)}}), disk_gone(p)};
     }},
    {"blockdev_snapshot",
     [](Paths const& p) {
       return Case{disk_made(p), call(rpc::BlockdevSnapshot{"web1", disk(p), {4}}), disk_gone(p)};
     }},
    {"blockdev_snapshot_remove",
     [](Paths const& p) {
       return Case{disk_made(p), call(rpc::BlockdevSnapshotRemove{"web1", disk(p)}), disk_gone(p)};
     }},
    {"export_check",
     [](Paths const& p) {
       return Case{export_made(p), call(rpc::ExportCheck{"web1"}), export_gone(p)};
     }},
    {"export_disk",
     [](Paths const& p) {
       return Case{disk_active(p), call(rpc::ExportDisk{without_os(p), 0}), export_gone(p)};
     }},
    {"export_disk by a script",
     [](Paths const& p) {
       return Case{disk_active(p), call(rpc::ExportDisk{instance(p, fake), 0}), export_gone(p)};
     }},
    {"finalize_export",
     [](Paths const& p) {
       return Case{export_made(p), call(rpc::ExportFinish{"web1", "[export]\n", {dump(p)}}),
                   export_gone(p)};
     }},
    {"export_list",
     [](Paths const& p) { return Case{export_made(p), call(rpc::ExportList{}), export_gone(p)}; }},
    {"export_info",
     [](Paths const& p) {
       return Case{export_made(p), call(rpc::ExportInfo{"web1"}), export_gone(p)};
     }},
    {"export_discard",
     [](Paths const& p) {
       return Case{export_made(p), call(rpc::ExportDiscard{"web1"}), export_gone(p)};
     }},
    {"export_remove",
     [](Paths const& p) {
       auto before = export_made(p);
       before.push_back(call(rpc::ExportFinish{"web1", "[export]\n", {dump(p)}}));
       return Case{before, call(rpc::ExportRemove{"web1", "web1"}), export_gone(p)};
     }},
    {"import_disk",
     [](Paths const& p) {
       auto const from = p.exports() + "/.web1.new";
       return Case{export_made(p), call(rpc::ImportDisk{without_os(p), 0, from, dump(p)}),
                   export_gone(p)};
     }},
    {"x509_cert_create",
     [](Paths const&) {
       return Case{{}, call(rpc::TransferKeyCreate{"x509-1", "node1", "127.0.0.1"})};
     }},
    {"x509_cert_remove",
     [](Paths const&) {
       return Case{{call(rpc::TransferKeyCreate{"x509-1", "node1", "127.0.0.1"})},
                   call(rpc::TransferKeyRemove{"x509-1"})};
     }},
    {"transfer_send_check refused",
     [](Paths const&) { return Case{{}, call(rpc::TransferSendCheck{.key_name = "x509-1"})}; }},
    {"transfer_receive_check refused",
     [](Paths const&) { return Case{{}, call(rpc::TransferReceiveCheck{})}; }},
    {"transfer_send without a key",
     [](Paths const& p) {
       return Case{disk_active(p),
                   call(rpc::TransferSend{.instance = without_os(p),
                                          .key_name = "x509-1",
                                          .peers = {rpc::PeerDisk{"127.0.0.1", 1, "magic"}}}),
                   disk_gone(p)};
     }},
    {"transfer_receive where nobody comes",
     [](Paths const& p) {
       static auto const peer = *net::make_self_signed_rsa(
           {"node2"}, WallTime(std::chrono::system_clock::now().time_since_epoch()), net::Days(1));
       return Case{disk_active(p),
                   call(rpc::TransferReceive{.instance = without_os(p),
                                             .address = "127.0.0.1",
                                             .peer_certificate = peer.certificate_pem}),
                   disk_gone(p)};
     }},
    {"instance_os_add",
     [](Paths const& p) {
       return Case{disk_active(p), call(rpc::OsCreate{instance(p, fake)}), disk_gone(p)};
     }},
    {"instance_os_add failing",
     [](Paths const& p) {
       auto spec = instance(p, fake);
       spec.os = "broken";
       return Case{disk_active(p), call(rpc::OsCreate{spec}), disk_gone(p)};
     }},
    {"instance_run_rename",
     [](Paths const& p) {
       return Case{disk_active(p), call(rpc::OsRename{instance(p, fake), "web0"}), disk_gone(p)};
     }},
    {"resolve_name",
     [](Paths const&) { return Case{{}, call(rpc::ResolveName{"localhost", false})}; }},
    {"instance_start",
     [](Paths const& p) {
       return Case{disk_active(p), call(InstanceStart{instance(p, fake)}), guest_gone<fake>(p)};
     }},
    {"instance_start paused",
     [](Paths const& p) {
       return Case{disk_active(p), call(InstanceStart{instance(p, fake), true}),
                   guest_gone<fake>(p)};
     }},
    {"instance_start kvm",
     [](Paths const& p) {
       return Case{disk_active(p), call(InstanceStart{instance(p, kvm)}), guest_gone<kvm>(p)};
     },
     Needs::Qemu, 4},
    {"instance_start kvm routed",
     [](Paths const& p) {
       return Case{disk_active(p), call(InstanceStart{routed_instance(p)}), guest_gone<kvm>(p)};
     },
     Needs::Qemu, 5},
    {"instance_shutdown kvm routed",
     [](Paths const& p) {
       auto before = disk_active(p);
       before.push_back(call(InstanceStart{routed_instance(p)}));
       return Case{before, guest_stopped<kvm>(), guest_gone<kvm>(p)};
     },
     Needs::Qemu, 3},
    {"instance_shutdown",
     [](Paths const& p) {
       return Case{guest_up<fake>(p), guest_stopped<fake>(), guest_gone<fake>(p)};
     }},
    {"instance_shutdown kvm",
     [](Paths const& p) {
       return Case{guest_up<kvm>(p), guest_stopped<kvm>(), guest_gone<kvm>(p)};
     },
     Needs::Qemu, 3},
    {"instance_reboot",
     [](Paths const& p) {
       return Case{guest_up<fake>(p), call(rpc::InstanceSoftReboot{"web1", fake}),
                   guest_gone<fake>(p)};
     }},
    {"instance_reboot kvm",
     [](Paths const& p) {
       return Case{guest_up<kvm>(p), call(rpc::InstanceSoftReboot{"web1", kvm}),
                   guest_gone<kvm>(p)};
     },
     Needs::Qemu},
    {"resize_disk",
     [](Paths const& p) {
       return Case{guest_up<fake>(p), call(rpc::InstanceResizeDisk{"web1", fake, disk(p), {4}}),
                   guest_gone<fake>(p)};
     }},
    {"resize_disk kvm",
     [](Paths const& p) {
       auto before = guest_up<kvm>(p);
       before.push_back(call(rpc::BlockdevGrow{"web1", disk(p), {4}}));
       return Case{before, call(rpc::InstanceResizeDisk{"web1", kvm, disk(p), {4}}),
                   guest_gone<kvm>(p)};
     },
     Needs::Qemu},
    {"instance_adjust_devices",
     [](Paths const& p) {
       auto before = guest_up<fake>(p);
       before.push_back(call(BlockdevCreate{"web1", disk(p, 1)}));
       return Case{before, call(rpc::InstanceAdjust{grown_instance(p, fake)}), grown_gone<fake>(p)};
     }},
    {"instance_adjust_devices back",
     [](Paths const& p) {
       auto before = guest_up<fake>(p);
       before.push_back(call(BlockdevCreate{"web1", disk(p, 1)}));
       before.push_back(call(rpc::InstanceAdjust{grown_instance(p, fake)}));
       return Case{before, call(rpc::InstanceAdjust{instance(p, fake)}), grown_gone<fake>(p)};
     }},
    {"instance_adjust_devices kvm",
     [](Paths const& p) {
       auto before = guest_up<kvm>(p);
       before.push_back(call(BlockdevCreate{"web1", disk(p, 1)}));
       return Case{before, call(rpc::InstanceAdjust{grown_instance(p, kvm)}), grown_gone<kvm>(p)};
     },
     Needs::Qemu, 7},
    {"instance_adjust_devices kvm filtered",
     [](Paths const& p) {
       return Case{guest_up<kvm>(p), call(rpc::InstanceAdjust{filtered_instance(p)}),
                   guest_gone<kvm>(p)};
     },
     Needs::Qemu, 5},
    {"instance_adjust_devices kvm filtered no more",
     [](Paths const& p) {
       auto before = disk_active(p);
       before.push_back(call(InstanceStart{routed_instance(p)}));
       return Case{before, call(rpc::InstanceAdjust{instance(p, kvm)}), guest_gone<kvm>(p)};
     },
     Needs::Qemu, 5},
    {"instance_balloon_memory",
     [](Paths const& p) {
       return Case{guest_up<fake>(p), call(rpc::InstanceBalloon{"web1", fake, {48}}),
                   guest_gone<fake>(p)};
     }},
    {"instance_balloon_memory kvm",
     [](Paths const& p) {
       return Case{guest_up<kvm>(p), call(rpc::InstanceBalloon{"web1", kvm, {48}}),
                   guest_gone<kvm>(p)};
     },
     Needs::Qemu, 5},
    {"node_master_address up",
     [](Paths const&) { return Case{{}, address(true), {address(false)}}; }, Needs::Network},
    {"node_master_address down",
     [](Paths const&) { return Case{{address(true)}, address(false), {address(false)}}; },
     Needs::Network},
    {"ssconf_write",
     [](Paths const&) {
       rpc::SsconfWrite const write{{{"cluster_tags", "a\nb\n"}, {"instance_list", "web1\n"}}, 1};
       return Case{{}, call(write)};
     }},
    {"nics_validate",
     [](Paths const& p) { return Case{{}, call(rpc::NicsValidate{routed_instance(p).nics})}; }},
    {"hooks_runner",
     [](Paths const&) {
       auto const hooks = call(rpc::HooksRun{.directory = "instance-start-pre.d",
                                             .instance = "web1",
                                             .environment = {{"GANETI_INSTANCE_NAME", "web1"}},
                                             .later = {"instance-start-post.d"}});
       return Case{{hooks}, hooks};
     }},
    {"test_delay", [](Paths const&) { return Case{{}, call(rpc::TestDelay{0}), {}, 2}; }},
    {"node_info", [](Paths const& p) { return Case{{}, call(rpc::NodeInfo{p.srv()})}; }},
    {"node_verify",
     [](Paths const& p) {
       return Case{{}, call(rpc::NodeVerify{{bridge}, {p.srv() + "/file-storage"}, "192.0.2.7"})};
     }},
    {"node_volumes", [](Paths const&) { return Case{{}, call(rpc::NodeVolumes{})}; }},
    {"file_storage_list",
     [](Paths const& p) {
       return Case{{}, call(rpc::FileStorageList{p.srv() + "/file-storage"})};
     }},
    {"os_diagnose", [](Paths const&) { return Case{{}, call(rpc::OsDiagnose{})}; }},
    {"all_instances_info", [](Paths const&) { return Case{{}, call(rpc::AllInstancesInfo{})}; }},
    // Its moments are those of some thirty files that are written alike, and each costs new keys.
    {"bootstrap", [](Paths const& p) { return Case{{}, call(cluster(p))}; }, Needs::NoCluster, 37},
    {"bootstrap undone",
     [](Paths const&) {
       return Case{{}, call(cluster_with_address()), {call(rpc::LeaveCluster{})}};
     },
     Needs::NetworkButNoCluster, 37},
    {"node_leave_cluster",
     [](Paths const& p) { return Case{{call(cluster(p))}, call(rpc::LeaveCluster{})}; },
     Needs::NoCluster},
    {"crypto_renew cluster",
     [](Paths const&) { return Case{{}, call(rpc::RenewCrypto{.cluster_certificate = true})}; }},
    {"crypto_renew node",
     [](Paths const&) {
       return Case{{}, call(rpc::RenewCrypto{.node_certificates = true, .hmac_key = true})};
     }},
    {"crypto_renew rapi",
     [](Paths const&) {
       return Case{{}, call(rpc::RenewCrypto{.rapi_certificate = true, .domain_secret = true})};
     }},
    {"crypto_renew refused",
     [](Paths const&) {
       return Case{
           {},
           call(rpc::RenewCrypto{.rapi_certificate = true, .rapi_pem = "x", .rapi_file = "/x"})};
     }},
    {"hypervisor_validate_params",
     [](Paths const& p) { return Case{{}, call(rpc::HypervisorValidate{instance(p, kvm)})}; }},
};

}  // namespace
}  // namespace flotte::node
