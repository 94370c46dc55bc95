// The field tables of the opcodes and the list of all of them.
#include "opcodes/backup.h"
#include "opcodes/cluster.h"
#include "opcodes/group.h"
#include "opcodes/instance.h"
#include "opcodes/network.h"

namespace flotte::opcodes {

using schema::Field;
using schema::field;
using schema::Fields;
using schema::required;
using schema::sealed;
using schema::secret;

Fields InstanceCreate::fields() {
  static constexpr Field table[] = {
      required<&InstanceCreate::instance_name>("instance_name", "The instance."),
      field<&InstanceCreate::force_variant>("force_variant",
                                            "Accept a variant that the OS does not list."),
      field<&InstanceCreate::wait_for_sync>("wait_for_sync", "Wait until mirrors are in sync."),
      field<&InstanceCreate::name_check>("name_check", "Resolve the name first."),
      field<&InstanceCreate::ignore_ipolicy>("ignore_ipolicy",
                                             "Accept what the instance policy forbids."),
      field<&InstanceCreate::opportunistic_locking>("opportunistic_locking",
                                                    "Take the locks that are free."),
      field<&InstanceCreate::beparams>("beparams", "Backend parameters."),
      field<&InstanceCreate::disks>("disks", "Its disks."),
      field<&InstanceCreate::disk_template>("disk_template", "Template of its disks."),
      field<&InstanceCreate::group_name>("group_name", "The node group."),
      field<&InstanceCreate::file_driver>("file_driver", "Driver of file disks."),
      field<&InstanceCreate::file_storage_dir>("file_storage_dir",
                                               "Directory below the file storage."),
      field<&InstanceCreate::hvparams>("hvparams", "Hypervisor parameters."),
      field<&InstanceCreate::hypervisor>("hypervisor", "The hypervisor."),
      field<&InstanceCreate::iallocator>("iallocator", "What chooses the node."),
      field<&InstanceCreate::identify_defaults>(
          "identify_defaults", "Turn values that equal the default into inherited ones."),
      field<&InstanceCreate::ip_check>("ip_check", "Refuse an address that answers."),
      field<&InstanceCreate::conflicts_check>("conflicts_check", "Refuse an address that is used."),
      required<&InstanceCreate::mode>("mode", "create, import or remote-import."),
      field<&InstanceCreate::nics>("nics", "Its NICs."),
      field<&InstanceCreate::no_install>("no_install", "Do not run the OS scripts."),
      field<&InstanceCreate::osparams>("osparams", "OS parameters."),
      secret<&InstanceCreate::osparams_private>("osparams_private",
                                                "OS parameters kept from lists."),
      sealed<&InstanceCreate::osparams_secret>("osparams_secret",
                                               "OS parameters that are not stored."),
      field<&InstanceCreate::os_type>("os_type", "The OS definition."),
      field<&InstanceCreate::pnode>("pnode", "The primary node."),
      field<&InstanceCreate::pnode_uuid>("pnode_uuid", "Its UUID."),
      field<&InstanceCreate::snode>("snode", "The secondary node."),
      field<&InstanceCreate::snode_uuid>("snode_uuid", "Its UUID."),
      field<&InstanceCreate::src_node>("src_node", "The node that has the export."),
      field<&InstanceCreate::src_node_uuid>("src_node_uuid", "Its UUID."),
      field<&InstanceCreate::src_path>("src_path", "The export: its name, or a directory."),
      field<&InstanceCreate::compress>("compress", "What is sent is compressed by."),
      field<&InstanceCreate::source_handshake>("source_handshake",
                                               "What the source says of its secret."),
      field<&InstanceCreate::source_x509_ca>("source_x509_ca", "Its certificate, signed."),
      field<&InstanceCreate::source_instance_name>("source_instance_name",
                                                   "What it is called there."),
      field<&InstanceCreate::source_shutdown_timeout>("source_shutdown_timeout",
                                                      "Seconds that its shutdown may take."),
      field<&InstanceCreate::helper_startup_timeout>("helper_startup_timeout",
                                                     "No effect: there is no helper machine."),
      field<&InstanceCreate::helper_shutdown_timeout>("helper_shutdown_timeout",
                                                      "No effect: there is no helper machine."),
      field<&InstanceCreate::start>("start", "Start it afterwards."),
      field<&InstanceCreate::forthcoming>("forthcoming", "Only reserve it."),
      field<&InstanceCreate::commit>("commit", "Make a forthcoming one real."),
      field<&InstanceCreate::tags>("tags", "What it is tagged with."),
      field<&InstanceCreate::instance_communication>("instance_communication",
                                                     "Give it a NIC for metad."),
  };
  return table;
}

Fields BackupPrepare::fields() {
  static constexpr Field table[] = {
      required<&BackupPrepare::instance_name>("instance_name", "The instance."),
      field<&BackupPrepare::instance_uuid>("instance_uuid", "Its UUID."),
      required<&BackupPrepare::mode>("mode", "local or remote."),
  };
  return table;
}

Fields BackupExport::fields() {
  static constexpr Field table[] = {
      required<&BackupExport::instance_name>("instance_name", "The instance."),
      field<&BackupExport::instance_uuid>("instance_uuid", "Its UUID."),
      field<&BackupExport::compress>("compress", "What is sent is compressed by."),
      field<&BackupExport::shutdown_timeout>("shutdown_timeout",
                                             "Seconds before the plug is pulled."),
      required<&BackupExport::target_node>("target_node",
                                           "The node, or of each disk where it is sent to."),
      field<&BackupExport::target_node_uuid>("target_node_uuid", "Its UUID."),
      field<&BackupExport::shutdown>("shutdown", "Shut it down for the moment of the snapshot."),
      field<&BackupExport::remove_instance>("remove_instance", "Remove it afterwards."),
      field<&BackupExport::ignore_remove_failures>("ignore_remove_failures",
                                                   "Go on when a part can not be removed."),
      field<&BackupExport::mode>("mode", "local or remote."),
      field<&BackupExport::x509_key_name>("x509_key_name", "The key that was prepared."),
      field<&BackupExport::destination_x509_ca>("destination_x509_ca",
                                                "The certificate of where it is sent to."),
      field<&BackupExport::zero_free_space>("zero_free_space", "Have its free space zeroed."),
      field<&BackupExport::zeroing_timeout_fixed>("zeroing_timeout_fixed",
                                                  "Seconds for that, of any machine."),
      field<&BackupExport::zeroing_timeout_per_mib>("zeroing_timeout_per_mib",
                                                    "Seconds for that, a MiB."),
      field<&BackupExport::long_sleep>("long_sleep",
                                       "Let it be down for as long as the copy takes."),
  };
  return table;
}

Fields BackupRemove::fields() {
  static constexpr Field table[] = {
      required<&BackupRemove::instance_name>("instance_name", "Of what instance."),
      field<&BackupRemove::instance_uuid>("instance_uuid", "Its UUID."),
  };
  return table;
}

Fields InstanceRemove::fields() {
  static constexpr Field table[] = {
      required<&InstanceRemove::instance_name>("instance_name", "The instance."),
      field<&InstanceRemove::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceRemove::shutdown_timeout>("shutdown_timeout",
                                               "Seconds before the plug is pulled."),
      field<&InstanceRemove::ignore_failures>("ignore_failures",
                                              "Go on when a part can not be removed."),
  };
  return table;
}

Fields InstanceStartup::fields() {
  static constexpr Field table[] = {
      required<&InstanceStartup::instance_name>("instance_name", "The instance."),
      field<&InstanceStartup::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceStartup::force>("force", "Go on where a check would stop."),
      field<&InstanceStartup::ignore_offline_nodes>(
          "ignore_offline_nodes", "Change the wish although the node is offline."),
      field<&InstanceStartup::hvparams>("hvparams", "Hypervisor parameters."),
      field<&InstanceStartup::beparams>("beparams", "Backend parameters."),
      field<&InstanceStartup::no_remember>("no_remember", "Leave the wish as it is."),
      field<&InstanceStartup::only_if_wished>("only_if_wished",
                                              "Do nothing when by then it should no longer run."),
      field<&InstanceStartup::startup_paused>("startup_paused", "Leave it paused."),
      field<&InstanceStartup::shutdown_timeout>("shutdown_timeout",
                                                "Seconds before the plug is pulled."),
  };
  return table;
}

Fields InstanceShutdown::fields() {
  static constexpr Field table[] = {
      required<&InstanceShutdown::instance_name>("instance_name", "The instance."),
      field<&InstanceShutdown::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceShutdown::force>("force", "Go on where a check would stop."),
      field<&InstanceShutdown::ignore_offline_nodes>(
          "ignore_offline_nodes", "Change the wish although the node is offline."),
      field<&InstanceShutdown::timeout>("timeout", "Seconds before the plug is pulled."),
      field<&InstanceShutdown::no_remember>("no_remember", "Leave the wish as it is."),
      field<&InstanceShutdown::admin_state_source>("admin_state_source", "Who wishes it."),
  };
  return table;
}

Fields InstanceReboot::fields() {
  static constexpr Field table[] = {
      required<&InstanceReboot::instance_name>("instance_name", "The instance."),
      field<&InstanceReboot::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceReboot::shutdown_timeout>("shutdown_timeout",
                                               "Seconds before the plug is pulled."),
      field<&InstanceReboot::ignore_secondaries>("ignore_secondaries",
                                                 "Go on although a secondary fails."),
      required<&InstanceReboot::reboot_type>("reboot_type", "soft, hard or full."),
  };
  return table;
}

Fields InstanceReinstall::fields() {
  static constexpr Field table[] = {
      required<&InstanceReinstall::instance_name>("instance_name", "The instance."),
      field<&InstanceReinstall::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceReinstall::force_variant>("force_variant",
                                               "Accept a variant that the OS does not list."),
      field<&InstanceReinstall::os_type>("os_type", "The OS definition."),
      field<&InstanceReinstall::osparams>("osparams", "OS parameters."),
      secret<&InstanceReinstall::osparams_private>("osparams_private",
                                                   "OS parameters kept from lists."),
      sealed<&InstanceReinstall::osparams_secret>("osparams_secret",
                                                  "OS parameters that are not stored."),
  };
  return table;
}

Fields InstanceGrowDisk::fields() {
  static constexpr Field table[] = {
      required<&InstanceGrowDisk::instance_name>("instance_name", "The instance."),
      field<&InstanceGrowDisk::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceGrowDisk::wait_for_sync>("wait_for_sync", "Wait until mirrors are in sync."),
      required<&InstanceGrowDisk::disk>("disk", "Index of the disk."),
      required<&InstanceGrowDisk::amount>("amount", "MiB."),
      field<&InstanceGrowDisk::absolute>("absolute", "The amount is the new size."),
      field<&InstanceGrowDisk::ignore_ipolicy>("ignore_ipolicy",
                                               "Accept what the instance policy forbids."),
  };
  return table;
}

Fields InstanceSetParams::fields() {
  static constexpr Field table[] = {
      required<&InstanceSetParams::instance_name>("instance_name", "The instance."),
      field<&InstanceSetParams::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceSetParams::force>("force", "Go on where a check would stop."),
      field<&InstanceSetParams::force_variant>("force_variant",
                                               "Accept a variant that the OS does not list."),
      field<&InstanceSetParams::ignore_ipolicy>("ignore_ipolicy",
                                                "Accept what the instance policy forbids."),
      field<&InstanceSetParams::nics>("nics", "Its NICs."),
      field<&InstanceSetParams::disks>("disks", "Its disks."),
      field<&InstanceSetParams::beparams>("beparams", "Backend parameters."),
      field<&InstanceSetParams::runtime_mem>("runtime_mem", "MiB that the running guest keeps."),
      field<&InstanceSetParams::hvparams>("hvparams", "Hypervisor parameters."),
      field<&InstanceSetParams::disk_template>("disk_template", "Template of its disks."),
      field<&InstanceSetParams::ext_params>("ext_params", "Parameters of an ExtStorage provider."),
      field<&InstanceSetParams::file_driver>("file_driver", "Driver of files."),
      field<&InstanceSetParams::file_storage_dir>("file_storage_dir",
                                                  "Directory below the file storage."),
      field<&InstanceSetParams::pnode>("pnode", "Where its disks were taken to."),
      field<&InstanceSetParams::pnode_uuid>("pnode_uuid", "The UUID of that node."),
      field<&InstanceSetParams::remote_node>("remote_node", "The secondary node."),
      field<&InstanceSetParams::remote_node_uuid>("remote_node_uuid", "Its UUID."),
      field<&InstanceSetParams::iallocator>("iallocator", "What chooses the secondary node."),
      field<&InstanceSetParams::os_name>("os_name", "The OS definition from now on."),
      field<&InstanceSetParams::osparams>("osparams", "OS parameters."),
      secret<&InstanceSetParams::osparams_private>("osparams_private",
                                                   "OS parameters kept from lists."),
      field<&InstanceSetParams::wait_for_sync>("wait_for_sync", "Wait until mirrors are in sync."),
      field<&InstanceSetParams::offline>("offline", "Whether it is taken out of service."),
      field<&InstanceSetParams::conflicts_check>("conflicts_check",
                                                 "Refuse an address that is used."),
      field<&InstanceSetParams::instance_communication>("instance_communication",
                                                        "Whether it has a NIC for metad."),
      field<&InstanceSetParams::hotplug>("hotplug", "Change the running guest, too."),
      field<&InstanceSetParams::hotplug_if_possible>("hotplug_if_possible",
                                                     "Go on where it can't be changed."),
  };
  return table;
}

Fields InstanceRename::fields() {
  static constexpr Field table[] = {
      required<&InstanceRename::instance_name>("instance_name", "The instance."),
      field<&InstanceRename::instance_uuid>("instance_uuid", "Its UUID."),
      required<&InstanceRename::new_name>("new_name", "What it shall be called."),
      field<&InstanceRename::name_check>("name_check", "Look the name up."),
      field<&InstanceRename::ip_check>("ip_check", "Refuse an address that answers."),
  };
  return table;
}

Fields InstanceRecreateDisks::fields() {
  static constexpr Field table[] = {
      required<&InstanceRecreateDisks::instance_name>("instance_name", "The instance."),
      field<&InstanceRecreateDisks::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceRecreateDisks::disks>("disks", "Which; empty: all."),
      field<&InstanceRecreateDisks::nodes>("nodes", "Where."),
      field<&InstanceRecreateDisks::node_uuids>("node_uuids", "The UUIDs of these nodes."),
      field<&InstanceRecreateDisks::iallocator>("iallocator", "What chooses the nodes."),
  };
  return table;
}

Fields InstanceQueryData::fields() {
  static constexpr Field table[] = {
      field<&InstanceQueryData::use_locking>("use_locking",
                                             "Take the locks of the instances first."),
      field<&InstanceQueryData::instances>("instances", "By name; empty: all."),
      field<&InstanceQueryData::is_static>("static", "Leave out what only the nodes know."),
  };
  return table;
}

Fields ClusterRename::fields() {
  static constexpr Field table[] = {required<&ClusterRename::name>("name", "Its new name.")};
  return table;
}

Fields ClusterSetParams::fields() {
  static constexpr Field table[] = {
      field<&ClusterSetParams::force>("force", "Go on where a check would stop."),
      field<&ClusterSetParams::vg_name>("vg_name", "The default volume group; empty: none."),
      field<&ClusterSetParams::enabled_hypervisors>("enabled_hypervisors",
                                                    "The first is the default."),
      field<&ClusterSetParams::hvparams>("hvparams", "Hypervisor parameters."),
      field<&ClusterSetParams::beparams>("beparams", "Backend parameters."),
      field<&ClusterSetParams::os_hvp>("os_hvp", "Hypervisor parameters, by OS and hypervisor."),
      field<&ClusterSetParams::osparams>("osparams", "OS parameters."),
      field<&ClusterSetParams::diskparams>("diskparams", "Disk parameters, by template."),
      field<&ClusterSetParams::candidate_pool_size>("candidate_pool_size",
                                                    "Master candidates wished."),
      field<&ClusterSetParams::max_running_jobs>("max_running_jobs", "Jobs that run at once."),
      field<&ClusterSetParams::max_tracked_jobs>("max_tracked_jobs", "Jobs tracked at once."),
      field<&ClusterSetParams::maintain_node_health>("maintain_node_health",
                                                     "Whether strays are stopped."),
      field<&ClusterSetParams::prealloc_wipe_disks>("prealloc_wipe_disks",
                                                    "Whether new disks are wiped."),
      field<&ClusterSetParams::nicparams>("nicparams", "NIC parameters."),
      field<&ClusterSetParams::ndparams>("ndparams", "Node parameters."),
      field<&ClusterSetParams::ipolicy>("ipolicy", "Changes of the instance policy."),
      field<&ClusterSetParams::default_iallocator>("default_iallocator", "What chooses nodes."),
      field<&ClusterSetParams::mac_prefix>("mac_prefix",
                                           "The first three bytes of new MAC addresses."),
      field<&ClusterSetParams::master_netdev>("master_netdev",
                                              "The interface of the cluster's address."),
      field<&ClusterSetParams::master_netmask>("master_netmask", "Its prefix length."),
      field<&ClusterSetParams::reserved_lvs>("reserved_lvs",
                                             "Patterns of volumes that are not ours."),
      field<&ClusterSetParams::enabled_disk_templates>("enabled_disk_templates",
                                                       "What may be created."),
      field<&ClusterSetParams::file_storage_dir>("file_storage_dir", "Where file disks live."),
      field<&ClusterSetParams::shared_file_storage_dir>("shared_file_storage_dir",
                                                        "Where sharedfile disks live."),
      field<&ClusterSetParams::hidden_os>("hidden_os", "OS definitions to hide or show."),
      field<&ClusterSetParams::blacklisted_os>("blacklisted_os",
                                               "OS definitions to refuse or allow."),
      field<&ClusterSetParams::enabled_user_shutdown>("enabled_user_shutdown",
                                                      "Whether guests may switch themselves off."),
      field<&ClusterSetParams::compression_tools>("compression_tools", "Allowed for transfers."),
  };
  return table;
}

Fields ClusterVerify::fields() {
  static constexpr Field table[] = {
      field<&ClusterVerify::debug_simulate_errors>("debug_simulate_errors",
                                                   "Have every check report."),
      field<&ClusterVerify::error_codes>("error_codes", "Tell the code of what is found."),
      field<&ClusterVerify::skip_checks>("skip_checks", "Optional checks to leave out."),
      field<&ClusterVerify::ignore_errors>("ignore_errors", "Codes that count as warnings."),
      field<&ClusterVerify::verbose>("verbose", "Tell each step, too."),
      field<&ClusterVerify::group_name>("group_name", "The node group."),
      field<&ClusterVerify::verify_clutter>("verify_clutter", "Of no effect."),
  };
  return table;
}

Fields NodeSetParams::fields() {
  static constexpr Field table[] = {
      required<&NodeSetParams::node_name>("node_name", "The node."),
      field<&NodeSetParams::node_uuid>("node_uuid", "Its UUID."),
      field<&NodeSetParams::force>("force", "Go on where a check would stop."),
      field<&NodeSetParams::master_candidate>("master_candidate", "Whether it may become master."),
      field<&NodeSetParams::offline>("offline", "Whether it is offline."),
      field<&NodeSetParams::drained>("drained", "Whether it is drained."),
      field<&NodeSetParams::auto_promote>("auto_promote", "Make others master candidates."),
      field<&NodeSetParams::master_capable>("master_capable", "Whether it can be master."),
      field<&NodeSetParams::vm_capable>("vm_capable", "Whether it can run instances."),
      field<&NodeSetParams::ndparams>("ndparams", "Node parameters."),
      field<&NodeSetParams::powered>("powered", "Whether it is powered on."),
  };
  return table;
}

Fields GroupAdd::fields() {
  static constexpr Field table[] = {
      required<&GroupAdd::group_name>("group_name", "The node group."),
      field<&GroupAdd::alloc_policy>("alloc_policy", "preferred, last_resort or unallocable."),
      field<&GroupAdd::ndparams>("ndparams", "Node parameters."),
      field<&GroupAdd::diskparams>("diskparams", "Disk parameters, by template."),
      field<&GroupAdd::ipolicy>("ipolicy", "What the instance policy has of its own."),
  };
  return table;
}

Fields GroupAssignNodes::fields() {
  static constexpr Field table[] = {
      required<&GroupAssignNodes::group_name>("group_name", "The node group."),
      field<&GroupAssignNodes::force>("force", "Also where that splits instances."),
      required<&GroupAssignNodes::nodes>("nodes", "The nodes that shall be in it."),
  };
  return table;
}

Fields GroupSetParams::fields() {
  static constexpr Field table[] = {
      required<&GroupSetParams::group_name>("group_name", "The node group."),
      field<&GroupSetParams::alloc_policy>("alloc_policy",
                                           "preferred, last_resort or unallocable."),
      field<&GroupSetParams::ndparams>("ndparams", "Node parameters."),
      field<&GroupSetParams::diskparams>("diskparams", "Disk parameters, by template."),
      field<&GroupSetParams::ipolicy>("ipolicy", "Changes of its instance policy."),
  };
  return table;
}

Fields GroupRemove::fields() {
  static constexpr Field table[] = {
      required<&GroupRemove::group_name>("group_name", "The node group."),
  };
  return table;
}

Fields GroupRename::fields() {
  static constexpr Field table[] = {
      required<&GroupRename::group_name>("group_name", "The node group."),
      required<&GroupRename::new_name>("new_name", "Its new name."),
  };
  return table;
}

Fields ClusterVerifyConfig::fields() {
  static constexpr Field table[] = {
      field<&ClusterVerifyConfig::debug_simulate_errors>("debug_simulate_errors",
                                                         "Have every check report."),
      field<&ClusterVerifyConfig::error_codes>("error_codes", "Tell the code of what is found."),
      field<&ClusterVerifyConfig::ignore_errors>("ignore_errors", "Codes that count as warnings."),
      field<&ClusterVerifyConfig::verbose>("verbose", "Tell each step, too."),
  };
  return table;
}

Fields ClusterVerifyDisks::fields() {
  static constexpr Field table[] = {
      field<&ClusterVerifyDisks::group_name>("group_name", "Only this node group."),
      field<&ClusterVerifyDisks::is_strict>("is_strict", "Judge mirrors strictly."),
  };
  return table;
}

Fields NetworkAdd::fields() {
  static constexpr Field table[] = {
      required<&NetworkAdd::network_name>("network_name", "The network."),
      required<&NetworkAdd::network>("network", "Its IPv4 addresses, as 192.0.2.0/24."),
      field<&NetworkAdd::gateway>("gateway", "The IPv4 gateway."),
      field<&NetworkAdd::network6>("network6", "Its IPv6 addresses, as 2001:db8::/64."),
      field<&NetworkAdd::gateway6>("gateway6", "The IPv6 gateway."),
      field<&NetworkAdd::mac_prefix>("mac_prefix", "First three octets of the MACs of its NICs."),
      field<&NetworkAdd::add_reserved_ips>("add_reserved_ips", "Addresses kept from instances."),
      field<&NetworkAdd::conflicts_check>("conflicts_check",
                                          "Keep the addresses of nodes and master, too."),
      field<&NetworkAdd::tags>("tags", "Its tags."),
  };
  return table;
}

Fields NetworkSetParams::fields() {
  static constexpr Field table[] = {
      required<&NetworkSetParams::network_name>("network_name", "The network."),
      field<&NetworkSetParams::gateway>("gateway", "The IPv4 gateway."),
      field<&NetworkSetParams::network6>("network6", "Its IPv6 addresses."),
      field<&NetworkSetParams::gateway6>("gateway6", "The IPv6 gateway."),
      field<&NetworkSetParams::mac_prefix>("mac_prefix",
                                           "First three octets of the MACs of its NICs."),
      field<&NetworkSetParams::add_reserved_ips>("add_reserved_ips",
                                                 "Addresses kept from instances from now on."),
      field<&NetworkSetParams::remove_reserved_ips>("remove_reserved_ips",
                                                    "Addresses that instances may have again."),
  };
  return table;
}

Fields NetworkConnect::fields() {
  static constexpr Field table[] = {
      required<&NetworkConnect::group_name>("group_name", "The node group."),
      required<&NetworkConnect::network_name>("network_name", "The network."),
      required<&NetworkConnect::network_mode>("network_mode", "The mode of its NICs."),
      required<&NetworkConnect::network_link>("network_link", "Their link."),
      field<&NetworkConnect::network_vlan>("network_vlan", "Their VLANs."),
      field<&NetworkConnect::conflicts_check>("conflicts_check",
                                              "Refuse where addresses of it are used already."),
  };
  return table;
}

Fields NetworkDisconnect::fields() {
  static constexpr Field table[] = {
      required<&NetworkDisconnect::group_name>("group_name", "The node group."),
      required<&NetworkDisconnect::network_name>("network_name", "The network."),
  };
  return table;
}

Fields NetworkRemove::fields() {
  static constexpr Field table[] = {
      required<&NetworkRemove::network_name>("network_name", "The network."),
      field<&NetworkRemove::force>("force", "Of no effect."),
  };
  return table;
}

Fields NetworkRename::fields() {
  static constexpr Field table[] = {
      required<&NetworkRename::network_name>("network_name", "The network."),
      required<&NetworkRename::new_name>("new_name", "Its new name."),
  };
  return table;
}

Fields GroupVerifyDisks::fields() {
  static constexpr Field table[] = {
      required<&GroupVerifyDisks::group_name>("group_name", "The node group."),
      field<&GroupVerifyDisks::is_strict>("is_strict", "Judge mirrors strictly."),
  };
  return table;
}

Fields ClusterRepairDiskSizes::fields() {
  static constexpr Field table[] = {
      field<&ClusterRepairDiskSizes::instances>("instances", "Only these; empty: all."),
  };
  return table;
}

Fields InstanceActivateDisks::fields() {
  static constexpr Field table[] = {
      required<&InstanceActivateDisks::instance_name>("instance_name", "The instance."),
      field<&InstanceActivateDisks::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceActivateDisks::ignore_size>("ignore_size", "Accept another size."),
      field<&InstanceActivateDisks::wait_for_sync>("wait_for_sync",
                                                   "Wait until mirrors are in sync."),
  };
  return table;
}

Fields InstanceDeactivateDisks::fields() {
  static constexpr Field table[] = {
      required<&InstanceDeactivateDisks::instance_name>("instance_name", "The instance."),
      field<&InstanceDeactivateDisks::instance_uuid>("instance_uuid", "Its UUID."),
      field<&InstanceDeactivateDisks::force>("force", "Also where it should run."),
  };
  return table;
}

Fields InstanceMultiAlloc::fields() {
  static constexpr Field table[] = {
      field<&InstanceMultiAlloc::opportunistic_locking>("opportunistic_locking",
                                                        "Take the locks that are free."),
      field<&InstanceMultiAlloc::iallocator>("iallocator", "What chooses nodes."),
      secret<&InstanceMultiAlloc::instances>("instances", "OP_INSTANCE_CREATE, one for each."),
  };
  return table;
}

Fields ClusterVerifyGroup::fields() {
  static constexpr Field table[] = {
      required<&ClusterVerifyGroup::group_name>("group_name", "The node group."),
      field<&ClusterVerifyGroup::debug_simulate_errors>("debug_simulate_errors",
                                                        "Have every check report."),
      field<&ClusterVerifyGroup::error_codes>("error_codes", "Tell the code of what is found."),
      field<&ClusterVerifyGroup::skip_checks>("skip_checks", "Optional checks to leave out."),
      field<&ClusterVerifyGroup::ignore_errors>("ignore_errors", "Codes that count as warnings."),
      field<&ClusterVerifyGroup::verbose>("verbose", "Tell each step, too."),
      field<&ClusterVerifyGroup::verify_clutter>("verify_clutter", "Of no effect."),
  };
  return table;
}

Fields OsDiagnose::fields() {
  static constexpr Field table[] = {
      required<&OsDiagnose::output_fields>("output_fields", "What to answer."),
      field<&OsDiagnose::names>("names", "Which; empty: all."),
  };
  return table;
}

Fields NodeQueryVolumes::fields() {
  static constexpr Field table[] = {
      required<&NodeQueryVolumes::output_fields>("output_fields", "What to answer."),
      field<&NodeQueryVolumes::nodes>("nodes", "Which; empty: all."),
  };
  return table;
}

Fields NodeQueryStorage::fields() {
  static constexpr Field table[] = {
      required<&NodeQueryStorage::output_fields>("output_fields", "What to answer."),
      field<&NodeQueryStorage::storage_type>("storage_type", "Which kind; none: the default's."),
      field<&NodeQueryStorage::nodes>("nodes", "Which; empty: all."),
      field<&NodeQueryStorage::name>("name", "Only the one of this name."),
  };
  return table;
}

Fields TagsSet::fields() {
  static constexpr Field table[] = {
      required<&TagsSet::kind>("kind", "What carries the tags."),
      required<&TagsSet::tags>("tags", "Those to add."),
      field<&TagsSet::name>("name", "Its name."),
  };
  return table;
}

Fields TagsDel::fields() {
  static constexpr Field table[] = {
      required<&TagsDel::kind>("kind", "What carries the tags."),
      required<&TagsDel::tags>("tags", "Those to take away."),
      field<&TagsDel::name>("name", "Its name."),
  };
  return table;
}

Fields TagsSearch::fields() {
  static constexpr Field table[] = {
      required<&TagsSearch::pattern>("pattern", "A regular expression."),
  };
  return table;
}

Fields TestDelay::fields() {
  static constexpr Field table[] = {
      required<&TestDelay::duration>("duration", "Seconds."),
      field<&TestDelay::on_master>("on_master", "Whether the master waits."),
      field<&TestDelay::on_nodes>("on_nodes", "Names of nodes that wait."),
      field<&TestDelay::repeat>("repeat", "Rounds; 0: one, and nothing is said."),
      field<&TestDelay::interruptible>("interruptible", "Of no effect."),
      field<&TestDelay::no_locks>("no_locks", "Take no locks of the nodes."),
  };
  return table;
}

Fields TestJqueue::fields() {
  static constexpr Field table[] = {
      field<&TestJqueue::notify_waitlock>("notify_waitlock", "Notify waitlock."),
      field<&TestJqueue::notify_exec>("notify_exec", "Notify exec."),
      field<&TestJqueue::log_messages>("log_messages", "What goes into the job's log."),
      field<&TestJqueue::fail>("fail", "Fail."),
  };
  return table;
}

Fields TestOsParams::fields() {
  static constexpr Field table[] = {
      secret<&TestOsParams::osparams_secret>("osparams_secret", "Osparams secret."),
  };
  return table;
}

namespace {

template <class Op>
Description describe(std::string_view summary_field) {
  return {Op::op_id, Op::fields(), summary_field,
          [](json::object const& opcode) -> Result<json::object> {
            return schema::encode(TRY(decode<Op>(opcode)));
          }};
}

}  // namespace

std::span<Description const> all() {
  static Description const table[] = {
      describe<InstanceCreate>("instance_name"),
      describe<InstanceRemove>("instance_name"),
      describe<InstanceStartup>("instance_name"),
      describe<InstanceShutdown>("instance_name"),
      describe<InstanceReboot>("instance_name"),
      describe<InstanceReinstall>("instance_name"),
      describe<InstanceGrowDisk>("instance_name"),
      describe<InstanceSetParams>("instance_name"),
      describe<InstanceRename>("instance_name"),
      describe<InstanceRecreateDisks>("instance_name"),
      describe<InstanceQueryData>(""),
      describe<BackupPrepare>("instance_name"),
      describe<BackupExport>("instance_name"),
      describe<BackupRemove>("instance_name"),
      describe<ClusterPostInit>(""),
      describe<ClusterSetParams>(""),
      describe<ClusterRename>("name"),
      describe<ClusterActivateMasterIp>(""),
      describe<ClusterDeactivateMasterIp>(""),
      describe<ClusterRedistConf>(""),
      describe<NodeSetParams>("node_name"),
      describe<GroupAdd>("group_name"),
      describe<GroupAssignNodes>("group_name"),
      describe<GroupSetParams>("group_name"),
      describe<GroupRemove>("group_name"),
      describe<GroupRename>("group_name"),
      describe<NetworkAdd>("network_name"),
      describe<NetworkSetParams>("network_name"),
      describe<NetworkConnect>("network_name"),
      describe<NetworkDisconnect>("network_name"),
      describe<NetworkRemove>("network_name"),
      describe<NetworkRename>({}),
      describe<ClusterVerify>(""),
      describe<ClusterVerifyConfig>(""),
      describe<ClusterVerifyGroup>("group_name"),
      describe<ClusterVerifyDisks>(""),
      describe<GroupVerifyDisks>("group_name"),
      describe<ClusterRepairDiskSizes>(""),
      describe<InstanceActivateDisks>("instance_name"),
      describe<InstanceDeactivateDisks>("instance_name"),
      describe<InstanceMultiAlloc>(""),
      describe<OsDiagnose>(""),
      describe<NodeQueryStorage>(""),
      describe<NodeQueryVolumes>(""),
      describe<TagsSet>(""),
      describe<TagsDel>(""),
      describe<TagsSearch>("pattern"),
      describe<TestDelay>("duration"),
      describe<TestJqueue>(""),
      describe<TestOsParams>(""),
  };
  return table;
}

}  // namespace flotte::opcodes
