// The field tables of the model, in the order in which JSON shows them.
#include "model/cluster.h"
#include "model/instance.h"

namespace flotte::model {

using schema::Field;
using schema::field;
using schema::Fields;
using schema::required;
using schema::secret;

Fields Nic::fields() {
  static constexpr Field table[] = {
      required<&Nic::uuid>("uuid", "The NIC's UUID."),
      field<&Nic::name>("name", "A name for people, unique in its instance."),
      field<&Nic::mac>("mac", "The MAC address."),
      field<&Nic::ip>("ip", "The IP address, where one is known."),
      field<&Nic::network>("network", "UUID of the network it is in."),
      field<&Nic::nicparams>("nicparams", "mode, link and vlan, where they differ."),
  };
  return table;
}

Fields Disk::fields() {
  static constexpr Field table[] = {
      required<&Disk::uuid>("uuid", "The disk's UUID."),
      required<&Disk::dev_type>("dev_type", "The disk template."),
      field<&Disk::logical_id>("logical_id", "What finds the disk on its node."),
      field<&Disk::size>("size", "The size in MiB."),
      field<&Disk::mode>("mode", "Read-write or read-only."),
      field<&Disk::name>("name", "A name for people, unique in its instance."),
      field<&Disk::spindles>("spindles", "Spindles, with exclusive storage."),
      field<&Disk::params>("params", "Parameters of its template, where they differ."),
  };
  return table;
}

Fields Instance::fields() {
  static constexpr Field table[] = {
      required<&Instance::uuid>("uuid", "The instance's UUID."),
      required<&Instance::name>("name", "The instance's name."),
      field<&Instance::primary_node>("primary_node", "UUID of the node it runs on."),
      field<&Instance::os>("os", "The OS definition, with its variant: name+variant."),
      field<&Instance::hypervisor>("hypervisor", "The hypervisor."),
      field<&Instance::hvparams>("hvparams", "Hypervisor parameters, where they differ."),
      field<&Instance::beparams>("beparams", "Backend parameters, where they differ."),
      field<&Instance::osparams>("osparams", "OS parameters."),
      secret<&Instance::osparams_private>("osparams_private", "OS parameters kept from lists."),
      field<&Instance::admin_state>("admin_state", "The state that is wished."),
      field<&Instance::admin_state_source>("admin_state_source", "Who wished it."),
      field<&Instance::disks_active>("disks_active", "Whether its disks are wanted on the node."),
      field<&Instance::disk_template>("disk_template", "The template of its disks."),
      field<&Instance::nics>("nics", "Its NICs."),
      field<&Instance::disks>("disks", "Its disks."),
      field<&Instance::network_port>("network_port", "The TCP port of its display."),
      field<&Instance::tags>("tags", "Its tags."),
      field<&Instance::epoch>("epoch", "Raised at every start; written to its disks."),
      field<&Instance::serial_no>("serial_no", "Raised at every change."),
      field<&Instance::ctime>("ctime", "When it was created."),
      field<&Instance::mtime>("mtime", "When it was last changed."),
  };
  return table;
}

Fields DetachedDisk::fields() {
  static constexpr Field table[] = {
      required<&DetachedDisk::disk>("disk", "The disk."),
      required<&DetachedDisk::node>("node", "UUID of the node it is on."),
      required<&DetachedDisk::owner>("owner", "The instance it was taken from."),
      field<&DetachedDisk::epoch>("epoch", "That instance's epoch then."),
  };
  return table;
}

Fields Node::fields() {
  static constexpr Field table[] = {
      required<&Node::uuid>("uuid", "The node's UUID."),
      required<&Node::name>("name", "The node's name."),
      field<&Node::group>("group", "UUID of its node group."),
      field<&Node::primary_ip>("primary_ip", "Its address for the control plane."),
      field<&Node::secondary_ip>("secondary_ip", "Its address for replication."),
      field<&Node::port>("port", "The TCP port of its node daemon."),
      field<&Node::master_candidate>("master_candidate", "Whether it may become master."),
      field<&Node::offline>("offline", "Whether it is out of reach for good."),
      field<&Node::drained>("drained", "Whether new instances stay away from it."),
      field<&Node::master_capable>("master_capable", "Whether it can be a master at all."),
      field<&Node::vm_capable>("vm_capable", "Whether it can run instances."),
      field<&Node::powered>("powered", "Whether its power is thought to be on."),
      field<&Node::ndparams>("ndparams", "Node parameters, where they differ."),
      field<&Node::tags>("tags", "Its tags."),
      field<&Node::serial_no>("serial_no", "Raised at every change."),
      field<&Node::ctime>("ctime", "When it was added."),
      field<&Node::mtime>("mtime", "When it was last changed."),
  };
  return table;
}

Fields Group::fields() {
  static constexpr Field table[] = {
      required<&Group::uuid>("uuid", "The group's UUID."),
      required<&Group::name>("name", "The group's name."),
      field<&Group::alloc_policy>("alloc_policy", "preferred, last_resort or unallocable."),
      field<&Group::ndparams>("ndparams", "Node parameters, where they differ."),
      field<&Group::diskparams>("diskparams", "Disk parameters, where they differ."),
      field<&Group::ipolicy>("ipolicy", "Instance policy, where it differs."),
      field<&Group::networks>("networks", "The networks that it is connected to."),
      field<&Group::tags>("tags", "Its tags."),
      field<&Group::serial_no>("serial_no", "Raised at every change."),
      field<&Group::ctime>("ctime", "When it was created."),
      field<&Group::mtime>("mtime", "When it was last changed."),
  };
  return table;
}

Fields NetworkConnection::fields() {
  static constexpr Field table[] = {
      required<&NetworkConnection::network>("network", "UUID of the network."),
      field<&NetworkConnection::mode>("mode", "The mode of its NICs."),
      field<&NetworkConnection::link>("link", "Their link."),
      field<&NetworkConnection::vlan>("vlan", "Their VLANs."),
  };
  return table;
}

Fields Network::fields() {
  static constexpr Field table[] = {
      required<&Network::uuid>("uuid", "The network's UUID."),
      required<&Network::name>("name", "The network's name."),
      required<&Network::network>("network", "Its IPv4 addresses."),
      field<&Network::gateway>("gateway", "The IPv4 gateway."),
      field<&Network::network6>("network6", "Its IPv6 addresses."),
      field<&Network::gateway6>("gateway6", "The IPv6 gateway."),
      field<&Network::mac_prefix>("mac_prefix", "First three octets of the MACs of its NICs."),
      field<&Network::ext_reservations>("ext_reservations",
                                        "Addresses that are kept from instances, a bit each."),
      field<&Network::tags>("tags", "Its tags."),
      field<&Network::serial_no>("serial_no", "Raised at every change."),
      field<&Network::ctime>("ctime", "When it was added."),
      field<&Network::mtime>("mtime", "When it was last changed."),
  };
  return table;
}

Fields Settings::fields() {
  static constexpr Field table[] = {
      required<&Settings::uuid>("uuid", "The cluster's UUID."),
      required<&Settings::cluster_name>("cluster_name", "The cluster's name."),
      field<&Settings::master_ip>("master_ip", "The cluster's own address."),
      field<&Settings::master_netdev>("master_netdev", "The interface that carries it."),
      field<&Settings::master_netmask>("master_netmask", "Its prefix length."),
      field<&Settings::master_node>("master_node", "UUID of the master node."),
      field<&Settings::mac_prefix>("mac_prefix", "First three octets of generated MACs."),
      field<&Settings::volume_group_name>("volume_group_name", "The default volume group."),
      field<&Settings::reserved_lvs>("reserved_lvs", "Volumes that are not ours to judge."),
      field<&Settings::file_storage_dir>("file_storage_dir", "Where file disks live."),
      field<&Settings::shared_file_storage_dir>("shared_file_storage_dir",
                                                "Where sharedfile disks live."),
      field<&Settings::gluster_storage_dir>("gluster_storage_dir", "Where gluster mounts."),
      field<&Settings::enabled_hypervisors>("enabled_hypervisors", "The first is the default."),
      field<&Settings::enabled_disk_templates>("enabled_disk_templates", "What may be created."),
      field<&Settings::hvparams>("hvparams", "Hypervisor parameters, by hypervisor."),
      field<&Settings::os_hvp>("os_hvp", "Hypervisor parameters, by OS and hypervisor."),
      field<&Settings::beparams>("beparams", "Backend parameters."),
      field<&Settings::nicparams>("nicparams", "NIC parameters."),
      field<&Settings::ndparams>("ndparams", "Node parameters."),
      field<&Settings::osparams>("osparams", "OS parameters, by OS."),
      field<&Settings::diskparams>("diskparams", "Disk parameters, by template."),
      field<&Settings::ipolicy>("ipolicy", "The instance policy."),
      field<&Settings::candidate_pool_size>("candidate_pool_size", "Master candidates wished."),
      field<&Settings::max_running_jobs>("max_running_jobs", "Jobs that run at once."),
      field<&Settings::max_tracked_jobs>("max_tracked_jobs", "Jobs tracked at once."),
      field<&Settings::default_iallocator>("default_iallocator", "What chooses nodes."),
      field<&Settings::primary_ip_version>("primary_ip_version", "4 or 6."),
      field<&Settings::prealloc_wipe_disks>("prealloc_wipe_disks", "Whether new disks are wiped."),
      field<&Settings::maintain_node_health>("maintain_node_health", "Whether strays are stopped."),
      field<&Settings::enabled_user_shutdown>("enabled_user_shutdown",
                                              "Whether a guest may switch itself off for good."),
      field<&Settings::modify_ssh_setup>("modify_ssh_setup", "Whether SSH keys are managed."),
      field<&Settings::use_external_mip_script>("use_external_mip_script",
                                                "Whether a script sets the cluster's address."),
      field<&Settings::install_image>("install_image", "Image for isolated OS installs."),
      field<&Settings::zeroing_image>("zeroing_image", "Image for zeroing before exports."),
      field<&Settings::drbd_usermode_helper>("drbd_usermode_helper", "DRBD's usermode helper."),
      field<&Settings::instance_communication_network>("instance_communication_network",
                                                       "The network for metad."),
      field<&Settings::compression_tools>("compression_tools", "Allowed for transfers."),
      field<&Settings::hidden_os>("hidden_os", "OSes left out of lists."),
      field<&Settings::blacklisted_os>("blacklisted_os", "OSes that may not be installed."),
      field<&Settings::tags>("tags", "The cluster's tags."),
      field<&Settings::ssh_key_type>("ssh_key_type", "Type of the nodes' SSH keys."),
      field<&Settings::ssh_key_bits>("ssh_key_bits", "Their length."),
      field<&Settings::serial_no>("serial_no", "Raised at every change."),
      field<&Settings::ctime>("ctime", "When the cluster was made."),
      field<&Settings::mtime>("mtime", "When it was last changed."),
  };
  return table;
}

}  // namespace flotte::model
