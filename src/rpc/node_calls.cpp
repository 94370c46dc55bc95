// The field tables of the node API.
#include "rpc/node_calls.h"

namespace flotte::rpc {

using schema::Field;
using schema::field;
using schema::Fields;

Fields DiskSpec::fields() {
  static constexpr Field table[] = {
      field<&DiskSpec::disk>("disk", "Disk."),
      field<&DiskSpec::index>("index", "Index."),
      field<&DiskSpec::params>("params", "Filled diskparams of its template."),
  };
  return table;
}

Fields NicSpec::fields() {
  static constexpr Field table[] = {
      field<&NicSpec::nic>("nic", "Nic."),
      field<&NicSpec::params>("params", "Filled: mode, link, vlan, antispoof."),
  };
  return table;
}

Fields InstanceSpec::fields() {
  static constexpr Field table[] = {
      field<&InstanceSpec::name>("name", "Name."),
      field<&InstanceSpec::uuid>("uuid", "Uuid."),
      field<&InstanceSpec::hypervisor>("hypervisor", "Hypervisor."),
      field<&InstanceSpec::os>("os", "Os."),
      field<&InstanceSpec::hvparams>("hvparams", "Filled."),
      field<&InstanceSpec::beparams>("beparams", "Filled."),
      field<&InstanceSpec::osparams>("osparams", "Filled, private and secret ones too."),
      field<&InstanceSpec::disks>("disks", "Disks."),
      field<&InstanceSpec::nics>("nics", "Nics."),
      field<&InstanceSpec::network_port>("network_port", "Network port."),
      field<&InstanceSpec::tags>("tags", "Tags."),
      field<&InstanceSpec::primary_node>("primary_node", "Names, for the scripts' environment."),
      field<&InstanceSpec::cluster_name>("cluster_name", "Cluster name."),
      field<&InstanceSpec::epoch>("epoch", "Epoch."),
      field<&InstanceSpec::ctime>("ctime", "Ctime."),
      field<&InstanceSpec::mtime>("mtime", "Mtime."),
  };
  return table;
}

Fields VolumeGroup::fields() {
  static constexpr Field table[] = {
      field<&VolumeGroup::name>("name", "Name."),
      field<&VolumeGroup::size>("size", "Size."),
      field<&VolumeGroup::extent>("extent", "What volumes are rounded up to."),
      field<&VolumeGroup::free>("free", "Free."),
  };
  return table;
}

Fields NodeFacts::fields() {
  static constexpr Field table[] = {
      field<&NodeFacts::memory_total>("memory_total", "Memory total."),
      field<&NodeFacts::memory_free>("memory_free", "Memory free."),
      field<&NodeFacts::memory_node>("memory_node", "Used by the node itself."),
      field<&NodeFacts::cpu_total>("cpu_total", "Cpu total."),
      field<&NodeFacts::cpu_nodes>("cpu_nodes", "Cpu nodes."),
      field<&NodeFacts::cpu_sockets>("cpu_sockets", "Cpu sockets."),
      field<&NodeFacts::cpu_node>("cpu_node", "Cores that the node keeps for itself."),
      field<&NodeFacts::boot_id>("boot_id", "Boot id."),
      field<&NodeFacts::volume_groups>("volume_groups", "Volume groups."),
      field<&NodeFacts::file_total>("file_total",
                                    "Of the file system below the directory asked for."),
      field<&NodeFacts::file_free>("file_free", "File free."),
      field<&NodeFacts::wall_time>("wall_time", "The node's clock, seconds since the epoch."),
      field<&NodeFacts::accelerator>("accelerator", "'kvm' or 'tcg'."),
      field<&NodeFacts::accelerator_reason>("accelerator_reason", "One sentence."),
      field<&NodeFacts::software_version>("software_version", "Software version."),
  };
  return table;
}

Fields NodeInfo::fields() {
  static constexpr Field table[] = {
      field<&NodeInfo::file_storage_dir>("file_storage_dir", "File storage dir."),
  };
  return table;
}

Fields CertificateState::fields() {
  static constexpr Field table[] = {
      field<&CertificateState::path>("path", "The file."),
      field<&CertificateState::error>("error", "Why it can't be read."),
      field<&CertificateState::not_before>("not_before", "Valid from, seconds since the epoch."),
      field<&CertificateState::not_after>("not_after", "Valid until."),
  };
  return table;
}

Fields FileFault::fields() {
  static constexpr Field table[] = {
      field<&FileFault::path>("path", "The file or directory."),
      field<&FileFault::fault>("fault", "What is wrong with it, and what helps."),
      field<&FileFault::is_missing>("is_missing", "Whether it isn't there."),
  };
  return table;
}

Fields RunFile::fields() {
  static constexpr Field table[] = {
      field<&RunFile::path>("path", "The file or directory."),
      field<&RunFile::instance>("instance", "Whose it is."),
  };
  return table;
}

Fields NodeFindings::fields() {
  static constexpr Field table[] = {
      field<&NodeFindings::missing_bridges>("missing_bridges", "Of those asked for."),
      field<&NodeFindings::nic_faults>("nic_faults", "Why NICs could not be connected."),
      field<&NodeFindings::certificates>("certificates", "The cluster's certificates."),
      field<&NodeFindings::file_faults>("file_faults", "The cluster's own files."),
      field<&NodeFindings::forbidden_storage_paths>("forbidden_storage_paths",
                                                    "Allowed, but no place for disks."),
      field<&NodeFindings::storage_faults>("storage_faults", "Of the directories asked for."),
      field<&NodeFindings::run_files>("run_files", "What guests have in the run directory."),
      field<&NodeFindings::has_master_ip>("has_master_ip", "Whether the address is up here."),
      field<&NodeFindings::oob_fault>("oob_fault", "Why the out-of-band program can't be run."),
  };
  return table;
}

Fields NodeVerify::fields() {
  static constexpr Field table[] = {
      field<&NodeVerify::bridges>("bridges", "The bridges that must exist."),
      field<&NodeVerify::storage_dirs>("storage_dirs", "Directories of disks that are files."),
      field<&NodeVerify::master_ip>("master_ip", "The address that must be up here."),
      field<&NodeVerify::nics>("nics", "NICs that need more than a bridge."),
      field<&NodeVerify::ssconf>("ssconf", "What must be in the ssconf files, by key."),
      field<&NodeVerify::oob_program>("oob_program", "The out-of-band program."),
  };
  return table;
}

Fields SsconfWrite::fields() {
  static constexpr Field table[] = {
      field<&SsconfWrite::values>("values", "What they become, by key."),
      field<&SsconfWrite::number>("number", "The highest of a leader is the latest."),
  };
  return table;
}

Fields BlockdevCreate::fields() {
  static constexpr Field table[] = {
      field<&BlockdevCreate::instance>("instance", "Instance."),
      field<&BlockdevCreate::disk>("disk", "Disk."),
      field<&BlockdevCreate::wipes>("wipes", "Whether it is to be wiped before use."),
  };
  return table;
}

Fields BlockdevAdopt::fields() {
  static constexpr Field table[] = {
      field<&BlockdevAdopt::instance>("instance", "Instance."),
      field<&BlockdevAdopt::disk>("disk", "Disk."),
      field<&BlockdevAdopt::volume>("volume", "The name that it had."),
      field<&BlockdevAdopt::owner>("owner", "The instance that it was of."),
  };
  return table;
}

Fields BlockdevRelease::fields() {
  static constexpr Field table[] = {
      field<&BlockdevRelease::instance>("instance", "Instance."),
      field<&BlockdevRelease::disk>("disk", "Disk."),
      field<&BlockdevRelease::volume>("volume", "The name that it had."),
      field<&BlockdevRelease::owner>("owner", "The instance that it was of."),
  };
  return table;
}

Fields BlockdevRemove::fields() {
  static constexpr Field table[] = {
      field<&BlockdevRemove::instance>("instance", "Instance."),
      field<&BlockdevRemove::disk>("disk", "Disk."),
  };
  return table;
}

Fields BlockdevRename::fields() {
  static constexpr Field table[] = {
      field<&BlockdevRename::instance>("instance", "Whose turn it is."),
      field<&BlockdevRename::disk>("disk", "As it is."),
      field<&BlockdevRename::owner>("owner", "Whose it is."),
      field<&BlockdevRename::new_disk>("new_disk", "As it shall be."),
      field<&BlockdevRename::new_owner>("new_owner", "Whose it shall be."),
      field<&BlockdevRename::epoch>("epoch", "Its epoch then."),
      field<&BlockdevRename::is_undo>("is_undo", "Whether it may be missing, or not have moved."),
  };
  return table;
}

Fields BlockdevConvert::fields() {
  static constexpr Field table[] = {
      field<&BlockdevConvert::instance>("instance", "Instance."),
      field<&BlockdevConvert::disk>("disk", "What is copied."),
      field<&BlockdevConvert::new_disk>("new_disk", "Where to."),
      field<&BlockdevConvert::epoch>("epoch", "Epoch."),
  };
  return table;
}

Fields BlockdevGrow::fields() {
  static constexpr Field table[] = {
      field<&BlockdevGrow::instance>("instance", "Instance."),
      field<&BlockdevGrow::disk>("disk", "Disk."),
      field<&BlockdevGrow::size>("size", "Size."),
      field<&BlockdevGrow::wipes>("wipes", "Whether what is new is to be wiped before use."),
      field<&BlockdevGrow::is_undo>("is_undo", "Whether it may be missing."),
  };
  return table;
}

Fields DevicePath::fields() {
  static constexpr Field table[] = {
      field<&DevicePath::path>("path", "What opens the disk."),
      field<&DevicePath::link>("link", "<run>/instance-disks/<instance>:<index>."),
      field<&DevicePath::device_number>("device_number", "'253:3', or 'N/A:N/A' for files."),
      field<&DevicePath::size>("size", "Its size; 0 when the node can't tell."),
      field<&DevicePath::is_active>("is_active", "Whether the link opens something."),
  };
  return table;
}

Fields BlockdevAssemble::fields() {
  static constexpr Field table[] = {
      field<&BlockdevAssemble::instance>("instance", "Instance."),
      field<&BlockdevAssemble::disk>("disk", "Disk."),
      field<&BlockdevAssemble::epoch>("epoch", "Epoch."),
  };
  return table;
}

Fields BlockdevShutdown::fields() {
  static constexpr Field table[] = {
      field<&BlockdevShutdown::instance>("instance", "Instance."),
      field<&BlockdevShutdown::disk>("disk", "Disk."),
  };
  return table;
}

Fields BlockdevFound::fields() {
  static constexpr Field table[] = {
      field<&BlockdevFound::devices>("devices", "In the order asked; null when it isn't there."),
  };
  return table;
}

Fields BlockdevFind::fields() {
  static constexpr Field table[] = {
      field<&BlockdevFind::instance>("instance", "Instance."),
      field<&BlockdevFind::disks>("disks", "Disks."),
  };
  return table;
}

Fields BlockdevWipe::fields() {
  static constexpr Field table[] = {
      field<&BlockdevWipe::instance>("instance", "Instance."),
      field<&BlockdevWipe::disk>("disk", "Disk."),
  };
  return table;
}

Fields Volume::fields() {
  static constexpr Field table[] = {
      field<&Volume::phys>("phys", "Physical devices."),
      field<&Volume::vg>("vg", "Vg."),
      field<&Volume::name>("name", "Name."),
      field<&Volume::size>("size", "Size."),
      field<&Volume::is_active>("is_active", "Whether it can be opened."),
      field<&Volume::is_open>("is_open", "Whether somebody has it open."),
      field<&Volume::owner>("owner", "The instance that it says it is of."),
      field<&Volume::is_hidden>("is_hidden", "Whether it is a part of another one."),
      field<&Volume::fault>("fault", "Why it can't be a disk, or is a broken one."),
      field<&Volume::hindrance>("hindrance", "Why it can't be taken over now."),
      field<&Volume::snapshots>("snapshots", "Snapshots of it, that would go with it."),
  };
  return table;
}

Fields VolumeList::fields() {
  static constexpr Field table[] = {
      field<&VolumeList::volumes>("volumes", "Volumes."),
  };
  return table;
}

Fields DiskFile::fields() {
  static constexpr Field table[] = {
      field<&DiskFile::path>("path", "Path."),
      field<&DiskFile::size>("size", "Size."),
  };
  return table;
}

Fields DiskFileList::fields() {
  static constexpr Field table[] = {
      field<&DiskFileList::files>("files", "Files."),
  };
  return table;
}

Fields FileStorageList::fields() {
  static constexpr Field table[] = {
      field<&FileStorageList::directory>("directory", "Directory."),
  };
  return table;
}

Fields OsParameter::fields() {
  static constexpr Field table[] = {
      field<&OsParameter::name>("name", "Name."),
      field<&OsParameter::doc>("doc", "Doc."),
  };
  return table;
}

Fields OsDefinition::fields() {
  static constexpr Field table[] = {
      field<&OsDefinition::name>("name", "Name."),
      field<&OsDefinition::path>("path", "Path."),
      field<&OsDefinition::diagnose>("diagnose", "Empty when valid, else why not."),
      field<&OsDefinition::variants>("variants", "Variants."),
      field<&OsDefinition::parameters>("parameters", "Parameters."),
      field<&OsDefinition::api_versions>("api_versions", "Api versions."),
      field<&OsDefinition::trusted>("trusted", "Trusted."),
  };
  return table;
}

Fields OsList::fields() {
  static constexpr Field table[] = {
      field<&OsList::definitions>("definitions", "Definitions."),
  };
  return table;
}

Fields OsCreate::fields() {
  static constexpr Field table[] = {
      field<&OsCreate::instance>("instance", "Instance."),
      field<&OsCreate::reinstall>("reinstall", "Reinstall."),
      field<&OsCreate::force_variant>("force_variant", "Force variant."),
      field<&OsCreate::debug_level>("debug_level", "Debug level."),
  };
  return table;
}

Fields OsRename::fields() {
  static constexpr Field table[] = {
      field<&OsRename::instance>("instance", "Instance."),
      field<&OsRename::old_name>("old_name", "What it was called."),
      field<&OsRename::debug_level>("debug_level", "Debug level."),
  };
  return table;
}

Fields ResolvedName::fields() {
  static constexpr Field table[] = {
      field<&ResolvedName::name>("name", "In full."),
      field<&ResolvedName::ip>("ip", "Its address."),
      field<&ResolvedName::answers>("answers", "Whether somebody has the address."),
  };
  return table;
}

Fields ResolveName::fields() {
  static constexpr Field table[] = {
      field<&ResolveName::hostname>("hostname", "The name."),
      field<&ResolveName::pings>("pings", "Whether its address is asked."),
  };
  return table;
}

Fields InstanceStart::fields() {
  static constexpr Field table[] = {
      field<&InstanceStart::instance>("instance", "Instance."),
      field<&InstanceStart::startup_paused>("startup_paused", "Startup paused."),
  };
  return table;
}

Fields InstanceShutdown::fields() {
  static constexpr Field table[] = {
      field<&InstanceShutdown::instance>("instance", "Instance."),
      field<&InstanceShutdown::hypervisor>("hypervisor", "Hypervisor."),
      field<&InstanceShutdown::timeout_s>("timeout_s", "Timeout s."),
  };
  return table;
}

Fields InstanceSoftReboot::fields() {
  static constexpr Field table[] = {
      field<&InstanceSoftReboot::instance>("instance", "Instance."),
      field<&InstanceSoftReboot::hypervisor>("hypervisor", "Hypervisor."),
  };
  return table;
}

Fields InstanceAdjust::fields() {
  static constexpr Field table[] = {
      field<&InstanceAdjust::instance>("instance", "Instance."),
  };
  return table;
}

Fields InstanceBalloon::fields() {
  static constexpr Field table[] = {
      field<&InstanceBalloon::instance>("instance", "Instance."),
      field<&InstanceBalloon::hypervisor>("hypervisor", "Hypervisor."),
      field<&InstanceBalloon::memory>("memory", "Memory."),
  };
  return table;
}

Fields InstanceResizeDisk::fields() {
  static constexpr Field table[] = {
      field<&InstanceResizeDisk::instance>("instance", "Instance."),
      field<&InstanceResizeDisk::hypervisor>("hypervisor", "Hypervisor."),
      field<&InstanceResizeDisk::disk>("disk", "Disk."),
      field<&InstanceResizeDisk::size>("size", "Size."),
  };
  return table;
}

Fields RunningNic::fields() {
  static constexpr Field table[] = {
      field<&RunningNic::uuid>("uuid", "Uuid."),
      field<&RunningNic::tap>("tap", "Tap."),
      field<&RunningNic::params>("params", "Params."),
      field<&RunningNic::lacks_filter>("lacks_filter", "Whether its rules are gone."),
  };
  return table;
}

Fields RunningInstance::fields() {
  static constexpr Field table[] = {
      field<&RunningInstance::name>("name", "Name."),
      field<&RunningInstance::hypervisor>("hypervisor", "Hypervisor."),
      field<&RunningInstance::state>("state", "State."),
      field<&RunningInstance::memory>("memory", "Memory."),
      field<&RunningInstance::vcpus>("vcpus", "Vcpus."),
      field<&RunningInstance::cpu_seconds>("cpu_seconds", "Cpu seconds."),
      field<&RunningInstance::pid>("pid", "Pid."),
      field<&RunningInstance::hvparams>("hvparams", "Hvparams."),
      field<&RunningInstance::memory_max>("memory_max", "Memory max."),
      field<&RunningInstance::nics>("nics", "Nics."),
      field<&RunningInstance::disks>("disks", "Disks."),
  };
  return table;
}

Fields RunningInstances::fields() {
  static constexpr Field table[] = {
      field<&RunningInstances::instances>("instances", "Instances."),
  };
  return table;
}

Fields AllInstancesInfo::fields() {
  static constexpr Field table[] = {
      field<&AllInstancesInfo::hypervisors>("hypervisors", "Hypervisors."),
      field<&AllInstancesInfo::instances>("instances", "The only ones asked for."),
  };
  return table;
}

Fields NicsValidate::fields() {
  static constexpr Field table[] = {
      field<&NicsValidate::nics>("nics", "Nics."),
  };
  return table;
}

Fields MasterAddress::fields() {
  static constexpr Field table[] = {
      field<&MasterAddress::ip>("ip", "The address."),
      field<&MasterAddress::netdev>("netdev", "The interface."),
      field<&MasterAddress::netmask>("netmask", "Bits of the network."),
      field<&MasterAddress::is_up>("is_up", "Shall it be there?"),
  };
  return table;
}

Fields HypervisorAdvice::fields() {
  static constexpr Field table[] = {
      field<&HypervisorAdvice::warnings>("warnings", "What works, but not as it seems."),
  };
  return table;
}

Fields HypervisorValidate::fields() {
  static constexpr Field table[] = {
      field<&HypervisorValidate::instance>("instance", "What would be started."),
  };
  return table;
}

Fields HookResult::fields() {
  static constexpr Field table[] = {
      field<&HookResult::script>("script", "Its directory and name."),
      field<&HookResult::outcome>("outcome", "How it ended."),
      field<&HookResult::output>("output", "What it said."),
  };
  return table;
}

Fields HookResults::fields() {
  static constexpr Field table[] = {
      field<&HookResults::results>("results", "One a script, in the order in which they ran."),
      field<&HookResults::later>("later", "Of the directories asked about, those with something."),
  };
  return table;
}

Fields HooksRun::fields() {
  static constexpr Field table[] = {
      field<&HooksRun::directory>("directory", "Below the directory of all hooks."),
      field<&HooksRun::instance>("instance", "That they are about; empty: about none."),
      field<&HooksRun::environment>("environment", "What they are told."),
      field<&HooksRun::later>("later", "Directories that are only looked at."),
      field<&HooksRun::timeout_s>("timeout_s", "Seconds for all together."),
  };
  return table;
}

Fields TestDelay::fields() {
  static constexpr Field table[] = {
      field<&TestDelay::duration_s>("duration_s", "Duration s."),
  };
  return table;
}

Fields BootstrapReply::fields() {
  static constexpr Field table[] = {
      field<&BootstrapReply::node_name>("node_name", "Node name."),
      field<&BootstrapReply::primary_ip>("primary_ip", "Primary ip."),
      field<&BootstrapReply::port>("port", "Port."),
  };
  return table;
}

Fields Bootstrap::fields() {
  static constexpr Field table[] = {
      field<&Bootstrap::cluster_name>("cluster_name", "Cluster name."),
      field<&Bootstrap::node_uuid>("node_uuid", "Node uuid."),
      field<&Bootstrap::master_ip>("master_ip", "Empty: none is brought up."),
      field<&Bootstrap::master_netdev>("master_netdev", "Empty with master_ip empty."),
      field<&Bootstrap::master_netmask>("master_netmask", "Master netmask."),
      field<&Bootstrap::file_storage_dirs>("file_storage_dirs", "File storage dirs."),
      field<&Bootstrap::volume_group_name>("volume_group_name", "Volume group name."),
  };
  return table;
}

}  // namespace flotte::rpc
