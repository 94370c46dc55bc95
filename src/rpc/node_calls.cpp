// The field tables of the node API.
#include "rpc/node_calls.h"

namespace flotte::rpc {

using schema::Field;
using schema::field;
using schema::Fields;

Fields DiskSpec::fields() {
  static constexpr Field table[] = {
      field<&DiskSpec::disk>("disk", "As the configuration has it."),
      field<&DiskSpec::index>("index", "Its place among its instance's."),
      field<&DiskSpec::params>("params", "Filled diskparams of its template."),
  };
  return table;
}

Fields NicSpec::fields() {
  static constexpr Field table[] = {
      field<&NicSpec::nic>("nic", "As the configuration has it."),
      field<&NicSpec::params>("params", "Filled: mode, link, vlan, antispoof."),
      field<&NicSpec::network>("network", "What scripts are told of its network."),
  };
  return table;
}

Fields InstanceSpec::fields() {
  static constexpr Field table[] = {
      field<&InstanceSpec::name>("name", "What it is called."),
      field<&InstanceSpec::uuid>("uuid", "Stays when its name changes."),
      field<&InstanceSpec::hypervisor>("hypervisor", "What runs it."),
      field<&InstanceSpec::os>("os", "OS definition, with its variant."),
      field<&InstanceSpec::hvparams>("hvparams", "Filled."),
      field<&InstanceSpec::beparams>("beparams", "Filled."),
      field<&InstanceSpec::osparams>("osparams", "Filled, private and secret ones too."),
      field<&InstanceSpec::disks>("disks", "In their order."),
      field<&InstanceSpec::nics>("nics", "In their order."),
      field<&InstanceSpec::network_port>("network_port", "TCP port of its display."),
      field<&InstanceSpec::tags>("tags", "For the scripts of the network."),
      field<&InstanceSpec::primary_node>("primary_node", "Names, for the scripts' environment."),
      field<&InstanceSpec::cluster_name>("cluster_name", "Whose it is, for scripts."),
      field<&InstanceSpec::epoch>("epoch", "Raised at each start: the fence of its disks."),
      field<&InstanceSpec::ctime>("ctime", "Seconds since the epoch."),
      field<&InstanceSpec::mtime>("mtime", "Seconds since the epoch."),
  };
  return table;
}

Fields VolumeGroup::fields() {
  static constexpr Field table[] = {
      field<&VolumeGroup::name>("name", "As LVM calls it."),
      field<&VolumeGroup::size>("size", "MiB."),
      field<&VolumeGroup::extent>("extent", "What volumes are rounded up to."),
      field<&VolumeGroup::free>("free", "MiB that no volume has."),
  };
  return table;
}

Fields NodeFacts::fields() {
  static constexpr Field table[] = {
      field<&NodeFacts::memory_total>("memory_total", "MiB."),
      field<&NodeFacts::memory_free>("memory_free", "MiB that a guest could have."),
      field<&NodeFacts::memory_node>("memory_node", "Used by the node itself."),
      field<&NodeFacts::cpu_total>("cpu_total", "Threads."),
      field<&NodeFacts::cpu_nodes>("cpu_nodes", "NUMA nodes."),
      field<&NodeFacts::cpu_sockets>("cpu_sockets", "Packages."),
      field<&NodeFacts::cpu_node>("cpu_node", "Cores that the node keeps for itself."),
      field<&NodeFacts::boot_id>("boot_id", "Another one after each boot."),
      field<&NodeFacts::volume_groups>("volume_groups", "All that LVM knows."),
      field<&NodeFacts::file_total>("file_total",
                                    "Of the file system below the directory asked for."),
      field<&NodeFacts::file_free>("file_free", "MiB free there."),
      field<&NodeFacts::wall_time>("wall_time", "The node's clock, seconds since the epoch."),
      field<&NodeFacts::accelerator>("accelerator", "'kvm' or 'tcg'."),
      field<&NodeFacts::accelerator_reason>("accelerator_reason", "One sentence."),
      field<&NodeFacts::software_version>("software_version", "Of the node daemon."),
  };
  return table;
}

Fields NodeInfo::fields() {
  static constexpr Field table[] = {
      field<&NodeInfo::file_storage_dir>("file_storage_dir",
                                         "Whose file system is measured; empty: none."),
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
      field<&BlockdevCreate::instance>("instance", "Whose it is."),
      field<&BlockdevCreate::disk>("disk", "What is made."),
  };
  return table;
}

Fields BlockdevCreateUnwiped::fields() {
  static constexpr Field table[] = {
      field<&BlockdevCreateUnwiped::instance>("instance", "Whose it is."),
      field<&BlockdevCreateUnwiped::disk>("disk", "What is made."),
  };
  return table;
}

Fields BlockdevAdopt::fields() {
  static constexpr Field table[] = {
      field<&BlockdevAdopt::instance>("instance", "Whose it is."),
      field<&BlockdevAdopt::disk>("disk", "What the volume becomes."),
      field<&BlockdevAdopt::volume>("volume", "The name that it had."),
      field<&BlockdevAdopt::owner>("owner", "The instance that it was of."),
  };
  return table;
}

Fields BlockdevRelease::fields() {
  static constexpr Field table[] = {
      field<&BlockdevRelease::instance>("instance", "Whose it is."),
      field<&BlockdevRelease::disk>("disk", "What it was since."),
      field<&BlockdevRelease::volume>("volume", "The name that it had."),
      field<&BlockdevRelease::owner>("owner", "The instance that it was of."),
  };
  return table;
}

Fields BlockdevRemove::fields() {
  static constexpr Field table[] = {
      field<&BlockdevRemove::instance>("instance", "Whose it is."),
      field<&BlockdevRemove::disk>("disk", "What is removed."),
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
      field<&BlockdevConvert::instance>("instance", "Whose they are."),
      field<&BlockdevConvert::disk>("disk", "What is copied."),
      field<&BlockdevConvert::new_disk>("new_disk", "Where to."),
      field<&BlockdevConvert::epoch>("epoch", "The fence of both."),
  };
  return table;
}

Fields BlockdevGrow::fields() {
  static constexpr Field table[] = {
      field<&BlockdevGrow::instance>("instance", "Whose it is."),
      field<&BlockdevGrow::disk>("disk", "What grows."),
      field<&BlockdevGrow::size>("size", "MiB that it shall have."),
      field<&BlockdevGrow::is_undo>("is_undo", "Whether it may be missing."),
  };
  return table;
}

Fields BlockdevGrowUnwiped::fields() {
  static constexpr Field table[] = {
      field<&BlockdevGrowUnwiped::instance>("instance", "Instance."),
      field<&BlockdevGrowUnwiped::disk>("disk", "Disk."),
      field<&BlockdevGrowUnwiped::size>("size", "Size."),
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
      field<&DevicePath::unwiped>("unwiped", "From there on it is to be wiped."),
  };
  return table;
}

Fields BlockdevAssemble::fields() {
  static constexpr Field table[] = {
      field<&BlockdevAssemble::instance>("instance", "Whose it is."),
      field<&BlockdevAssemble::disk>("disk", "What is opened."),
      field<&BlockdevAssemble::epoch>("epoch", "Lower than its own is refused."),
  };
  return table;
}

Fields BlockdevShutdown::fields() {
  static constexpr Field table[] = {
      field<&BlockdevShutdown::instance>("instance", "Whose it is."),
      field<&BlockdevShutdown::disk>("disk", "What is closed."),
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
      field<&BlockdevFind::instance>("instance", "Whose they are."),
      field<&BlockdevFind::disks>("disks", "Which are looked for."),
  };
  return table;
}

Fields BlockdevWipe::fields() {
  static constexpr Field table[] = {
      field<&BlockdevWipe::instance>("instance", "Whose it is."),
      field<&BlockdevWipe::disk>("disk", "As large as it is to be."),
  };
  return table;
}

Fields Volume::fields() {
  static constexpr Field table[] = {
      field<&Volume::phys>("phys", "Physical devices."),
      field<&Volume::vg>("vg", "Its volume group."),
      field<&Volume::name>("name", "As LVM calls it."),
      field<&Volume::size>("size", "MiB."),
      field<&Volume::is_active>("is_active", "Whether it can be opened."),
      field<&Volume::is_open>("is_open", "Whether somebody has it open."),
      field<&Volume::owner>("owner", "The instance that it says it is of."),
      field<&Volume::is_hidden>("is_hidden", "Whether it is a part of another one."),
      field<&Volume::fault>("fault", "Why it can't be a disk, or is a broken one."),
      field<&Volume::hindrance>("hindrance", "Why it can't be taken over now."),
      field<&Volume::snapshots>("snapshots", "Snapshots of it, that would go with it."),
      field<&Volume::unwiped>("unwiped", "From there on it is to be wiped."),
  };
  return table;
}

Fields VolumeList::fields() {
  static constexpr Field table[] = {
      field<&VolumeList::volumes>("volumes", "All of the node's."),
  };
  return table;
}

Fields DiskFile::fields() {
  static constexpr Field table[] = {
      field<&DiskFile::path>("path", "From the root."),
      field<&DiskFile::size>("size", "MiB."),
  };
  return table;
}

Fields DiskFileList::fields() {
  static constexpr Field table[] = {
      field<&DiskFileList::files>("files", "All that are there."),
  };
  return table;
}

Fields FileStorageList::fields() {
  static constexpr Field table[] = {
      field<&FileStorageList::directory>("directory", "Below which is looked."),
  };
  return table;
}

Fields OsParameter::fields() {
  static constexpr Field table[] = {
      field<&OsParameter::name>("name", "Without OSP_."),
      field<&OsParameter::doc>("doc", "What it is for."),
  };
  return table;
}

Fields OsDefinition::fields() {
  static constexpr Field table[] = {
      field<&OsDefinition::name>("name", "Of its directory."),
      field<&OsDefinition::path>("path", "Where it lies."),
      field<&OsDefinition::diagnose>("diagnose", "Empty when valid, else why not."),
      field<&OsDefinition::variants>("variants", "The first is what scripts get without one."),
      field<&OsDefinition::parameters>("parameters", "What it declares."),
      field<&OsDefinition::api_versions>("api_versions", "Those it can be run with."),
      field<&OsDefinition::trusted>("trusted", "Whether it has no create_untrusted."),
  };
  return table;
}

Fields OsList::fields() {
  static constexpr Field table[] = {
      field<&OsList::definitions>("definitions", "By name, valid or not."),
  };
  return table;
}

Fields OsCreate::fields() {
  static constexpr Field table[] = {
      field<&OsCreate::instance>("instance", "What is installed."),
      field<&OsCreate::reinstall>("reinstall", "Something was installed before."),
      field<&OsCreate::force_variant>("force_variant", "Accept an unlisted variant."),
      field<&OsCreate::debug_level>("debug_level", "How much the scripts say."),
  };
  return table;
}

Fields OsRename::fields() {
  static constexpr Field table[] = {
      field<&OsRename::instance>("instance", "By its new name."),
      field<&OsRename::old_name>("old_name", "What it was called."),
      field<&OsRename::debug_level>("debug_level", "How much the scripts say."),
  };
  return table;
}

Fields BlockdevSnapshot::fields() {
  static constexpr Field table[] = {
      field<&BlockdevSnapshot::instance>("instance", "Whose it is."),
      field<&BlockdevSnapshot::disk>("disk", "What is kept as it is."),
      field<&BlockdevSnapshot::size>("size", "MiB for what changes meanwhile."),
  };
  return table;
}

Fields BlockdevSnapshotRemove::fields() {
  static constexpr Field table[] = {
      field<&BlockdevSnapshotRemove::instance>("instance", "Whose it is."),
      field<&BlockdevSnapshotRemove::disk>("disk", "Whose snapshot goes."),
  };
  return table;
}

Fields Dump::fields() {
  static constexpr Field table[] = {
      field<&Dump::file>("file", "Without a directory."),
      field<&Dump::size>("size", "Bytes."),
      field<&Dump::checksum>("checksum", "Of what is in it."),
  };
  return table;
}

Fields ExportCheck::fields() {
  static constexpr Field table[] = {
      field<&ExportCheck::instance>("instance", "Whose export."),
      field<&ExportCheck::copied>("copied", "Files that are copied as they are."),
  };
  return table;
}

Fields ExportDisk::fields() {
  static constexpr Field table[] = {
      field<&ExportDisk::instance>("instance", "Whose disk."),
      field<&ExportDisk::index>("index", "Which disk."),
      field<&ExportDisk::from_snapshot>("from_snapshot", "As it was then."),
      field<&ExportDisk::debug_level>("debug_level", "How much the scripts say."),
  };
  return table;
}

Fields ExportFinish::fields() {
  static constexpr Field table[] = {
      field<&ExportFinish::instance>("instance", "Whose export."),
      field<&ExportFinish::config>("config", "What becomes its config.ini."),
      field<&ExportFinish::dumps>("dumps", "All that it shall have."),
  };
  return table;
}

Fields ExportNames::fields() {
  static constexpr Field table[] = {
      field<&ExportNames::names>("names", "In order."),
  };
  return table;
}

Fields ExportContent::fields() {
  static constexpr Field table[] = {
      field<&ExportContent::path>("path", "Its directory."),
      field<&ExportContent::config>("config", "Its config.ini."),
      field<&ExportContent::dumps>("dumps", "Its files."),
  };
  return table;
}

Fields ExportInfo::fields() {
  static constexpr Field table[] = {
      field<&ExportInfo::path>("path", "Its name, or its directory."),
  };
  return table;
}

Fields ExportRemove::fields() {
  static constexpr Field table[] = {
      field<&ExportRemove::instance>("instance", "Whose turn it is."),
      field<&ExportRemove::export_name>("export", "What goes."),
  };
  return table;
}

Fields ExportDiscard::fields() {
  static constexpr Field table[] = {
      field<&ExportDiscard::instance>("instance", "Whose."),
  };
  return table;
}

Fields ImportDisk::fields() {
  static constexpr Field table[] = {
      field<&ImportDisk::instance>("instance", "Whose disk."),
      field<&ImportDisk::index>("index", "Which disk."),
      field<&ImportDisk::path>("path", "The export's directory."),
      field<&ImportDisk::dump>("dump", "What is put on it."),
      field<&ImportDisk::debug_level>("debug_level", "How much the scripts say."),
  };
  return table;
}

Fields DomainSignature::fields() {
  static constexpr Field table[] = {
      field<&DomainSignature::hmac>("hmac", "Over salt and text."),
      field<&DomainSignature::salt>("salt", "What is drawn for it."),
  };
  return table;
}

Fields TransferKey::fields() {
  static constexpr Field table[] = {
      field<&TransferKey::handshake>("handshake", "Of the handshake."),
      field<&TransferKey::key_name>("key_name", "Of its name."),
      field<&TransferKey::certificate>("certificate", "Its certificate, signed."),
  };
  return table;
}

Fields TransferKeyCreate::fields() {
  static constexpr Field table[] = {
      field<&TransferKeyCreate::key_name>("key_name", "What it is called."),
      field<&TransferKeyCreate::node_name>("node_name", "Whose it is."),
      field<&TransferKeyCreate::address>("address", "Where that is."),
  };
  return table;
}

Fields TransferKeyRemove::fields() {
  static constexpr Field table[] = {
      field<&TransferKeyRemove::key_name>("key_name", "What it is called."),
  };
  return table;
}

Fields PeerDisk::fields() {
  static constexpr Field table[] = {
      field<&PeerDisk::host>("host", "Where it listens."),
      field<&PeerDisk::port>("port", "Its TCP port."),
      field<&PeerDisk::magic>("magic", "What is said first."),
      field<&PeerDisk::signature>("signature", "Of all that."),
  };
  return table;
}

Fields PeerCertificate::fields() {
  static constexpr Field table[] = {
      field<&PeerCertificate::certificate>("certificate", "PEM."),
  };
  return table;
}

Fields TransferSendCheck::fields() {
  static constexpr Field table[] = {
      field<&TransferSendCheck::key_name>("key_name", "The key that was made."),
      field<&TransferSendCheck::key_signature>("key_signature", "Of its name."),
      field<&TransferSendCheck::certificate>("certificate", "The destination's, signed."),
      field<&TransferSendCheck::disks>("disks", "Where they go."),
      field<&TransferSendCheck::compress>("compress", "How they are compressed."),
  };
  return table;
}

Fields TransferReceiveCheck::fields() {
  static constexpr Field table[] = {
      field<&TransferReceiveCheck::version>("version", "Of the protocol."),
      field<&TransferReceiveCheck::handshake>("handshake", "Of the handshake."),
      field<&TransferReceiveCheck::certificate>("certificate", "The source's, signed."),
      field<&TransferReceiveCheck::compress>("compress", "How disks are compressed."),
  };
  return table;
}

Fields TransferSent::fields() {
  static constexpr Field table[] = {
      field<&TransferSent::sizes>("sizes", "Bytes of each disk."),
  };
  return table;
}

Fields TransferSend::fields() {
  static constexpr Field table[] = {
      field<&TransferSend::instance>("instance", "Whose disks."),
      field<&TransferSend::from_snapshot>("from_snapshot", "As they were then."),
      field<&TransferSend::key_name>("key_name", "The key that was made."),
      field<&TransferSend::peer_certificate>("peer_certificate", "The destination's."),
      field<&TransferSend::compress>("compress", "How they are compressed."),
      field<&TransferSend::peers>("peers", "Where they go."),
      field<&TransferSend::debug_level>("debug_level", "How much the scripts say."),
  };
  return table;
}

Fields TransferReceive::fields() {
  static constexpr Field table[] = {
      field<&TransferReceive::instance>("instance", "Whose disks."),
      field<&TransferReceive::address>("address", "Where to listen."),
      field<&TransferReceive::peer_certificate>("peer_certificate", "The source's."),
      field<&TransferReceive::compress>("compress", "How they are compressed."),
      field<&TransferReceive::connect_timeout_s>("connect_timeout_s",
                                                 "Seconds in which the source connects."),
      field<&TransferReceive::debug_level>("debug_level", "How much the scripts say."),
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
      field<&InstanceStart::instance>("instance", "What is started."),
      field<&InstanceStart::startup_paused>("startup_paused", "Whether it stays paused."),
  };
  return table;
}

Fields InstanceShutdown::fields() {
  static constexpr Field table[] = {
      field<&InstanceShutdown::instance>("instance", "Its name."),
      field<&InstanceShutdown::hypervisor>("hypervisor", "What runs it."),
      field<&InstanceShutdown::timeout_s>("timeout_s", "Seconds until the plug; 0: at once."),
  };
  return table;
}

Fields InstanceSoftReboot::fields() {
  static constexpr Field table[] = {
      field<&InstanceSoftReboot::instance>("instance", "Its name."),
      field<&InstanceSoftReboot::hypervisor>("hypervisor", "What runs it."),
  };
  return table;
}

Fields InstanceAdjust::fields() {
  static constexpr Field table[] = {
      field<&InstanceAdjust::instance>("instance", "As it shall be."),
  };
  return table;
}

Fields InstanceBalloon::fields() {
  static constexpr Field table[] = {
      field<&InstanceBalloon::instance>("instance", "Its name."),
      field<&InstanceBalloon::hypervisor>("hypervisor", "What runs it."),
      field<&InstanceBalloon::memory>("memory", "MiB that it keeps."),
  };
  return table;
}

Fields InstanceResizeDisk::fields() {
  static constexpr Field table[] = {
      field<&InstanceResizeDisk::instance>("instance", "Its name."),
      field<&InstanceResizeDisk::hypervisor>("hypervisor", "What runs it."),
      field<&InstanceResizeDisk::disk>("disk", "What has grown."),
      field<&InstanceResizeDisk::size>("size", "MiB now."),
  };
  return table;
}

Fields RunningNic::fields() {
  static constexpr Field table[] = {
      field<&RunningNic::uuid>("uuid", "Which one."),
      field<&RunningNic::tap>("tap", "The interface of the node."),
      field<&RunningNic::params>("params", "What it was connected with."),
      field<&RunningNic::lacks_filter>("lacks_filter", "Whether its rules are gone."),
  };
  return table;
}

Fields RunningInstance::fields() {
  static constexpr Field table[] = {
      field<&RunningInstance::name>("name", "What it was started as."),
      field<&RunningInstance::hypervisor>("hypervisor", "What runs it."),
      field<&RunningInstance::state>("state", "What it does."),
      field<&RunningInstance::memory>("memory", "MiB that it has now."),
      field<&RunningInstance::vcpus>("vcpus", "CPUs that it sees."),
      field<&RunningInstance::cpu_seconds>("cpu_seconds", "Time of CPUs used."),
      field<&RunningInstance::pid>("pid", "Of its QEMU."),
      field<&RunningInstance::hvparams>("hvparams", "What it was started with."),
      field<&RunningInstance::memory_max>("memory_max", "MiB it was started with; 0: unknown."),
      field<&RunningInstance::nics>("nics", "Those it has now."),
      field<&RunningInstance::disks>("disks", "UUIDs of those it has now."),
  };
  return table;
}

Fields RunningInstances::fields() {
  static constexpr Field table[] = {
      field<&RunningInstances::instances>("instances", "By the truth of the processes."),
  };
  return table;
}

Fields AllInstancesInfo::fields() {
  static constexpr Field table[] = {
      field<&AllInstancesInfo::hypervisors>("hypervisors", "Which are asked."),
      field<&AllInstancesInfo::instances>("instances", "The only ones asked for."),
  };
  return table;
}

Fields NicsValidate::fields() {
  static constexpr Field table[] = {
      field<&NicsValidate::nics>("nics", "What would be connected."),
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
      field<&HypervisorAdvice::is_known>("is_known", "Whether it could be told if it starts."),
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
      field<&TestDelay::duration_s>("duration_s", "Seconds."),
  };
  return table;
}

Fields BootstrapReply::fields() {
  static constexpr Field table[] = {
      field<&BootstrapReply::node_name>("node_name", "What the node calls itself."),
      field<&BootstrapReply::primary_ip>("primary_ip", "Where others reach it."),
      field<&BootstrapReply::port>("port", "Of its daemon."),
  };
  return table;
}

Fields Bootstrap::fields() {
  static constexpr Field table[] = {
      field<&Bootstrap::cluster_name>("cluster_name", "What the cluster shall be called."),
      field<&Bootstrap::node_uuid>("node_uuid", "Of this node from now on."),
      field<&Bootstrap::master_ip>("master_ip", "Empty: none is brought up."),
      field<&Bootstrap::master_netdev>("master_netdev", "Empty with master_ip empty."),
      field<&Bootstrap::master_netmask>("master_netmask", "Bits of the network."),
      field<&Bootstrap::file_storage_dirs>("file_storage_dirs", "Made, and allowed for disks."),
      field<&Bootstrap::volume_group_name>("volume_group_name", "Must be there; empty: none."),
  };
  return table;
}

Fields CryptoRenewed::fields() {
  static constexpr Field table[] = {
      field<&CryptoRenewed::files>("files", "Paths of what was renewed."),
  };
  return table;
}

Fields RenewCrypto::fields() {
  static constexpr Field table[] = {
      field<&RenewCrypto::cluster_certificate>("cluster_certificate",
                                               "The authority, and all that it signed."),
      field<&RenewCrypto::node_certificates>("node_certificates",
                                             "Signed by the authority that there is."),
      field<&RenewCrypto::rapi_certificate>("rapi_certificate", "Of the remote API."),
      field<&RenewCrypto::rapi_pem>("rapi_pem", "Certificate and key."),
      field<&RenewCrypto::rapi_file>("rapi_file", "Where they were read; empty: they are made."),
      field<&RenewCrypto::hmac_key>("hmac_key", "The key hmac.key."),
      field<&RenewCrypto::domain_secret>("domain_secret", "What clusters share."),
      field<&RenewCrypto::domain_secret_text>("domain_secret_text", "Its one line."),
      field<&RenewCrypto::domain_secret_file>("domain_secret_file",
                                              "Where it was read; empty: it is made."),
      field<&RenewCrypto::dry_run>("dry_run", "Only check it."),
  };
  return table;
}

}  // namespace flotte::rpc
