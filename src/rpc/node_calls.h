// The node API, declared once: what a controller may ask of a node daemon, and what it answers.
//
// Each call is a struct of arguments with a `name`, a `Reply` and its field table. Calls that
// change something are idempotent: they carry the job's id and step number (CallContext), and
// repeating one is harmless. Values.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/instance.h"

namespace flotte::rpc {

namespace json = boost::json;

struct Nothing {
  static schema::Fields fields() { return {}; }
};

// A disk as a node needs to know it: the model's disk with its filled parameters.
struct DiskSpec {
  model::Disk disk;
  std::int64_t index = 0;
  json::object params;  // filled diskparams of its template

  static schema::Fields fields();
};

struct NicSpec {
  model::Nic nic;
  json::object params;   // filled: mode, link, vlan, and antispoof where it is on
  json::object network;  // what scripts are told of the one it is in: NETWORK_NAME, …; empty: none

  static schema::Fields fields();
};

// All that is needed to install or boot an instance; nothing is looked up elsewhere.
struct InstanceSpec {
  std::string name;
  InstanceId uuid;
  model::HypervisorKind hypervisor = model::HypervisorKind::Kvm;
  std::string os;
  json::object hvparams;  // filled
  json::object beparams;  // filled
  json::object osparams;  // filled, private and secret ones too
  std::vector<DiskSpec> disks;
  std::vector<NicSpec> nics;
  std::optional<std::int64_t> network_port;
  std::vector<std::string> tags;
  std::string primary_node;  // names, for the scripts' environment
  std::string cluster_name;
  std::int64_t epoch = 0;
  double ctime = 0;
  double mtime = 0;

  static schema::Fields fields();
};

// --- What a node is
// ---------------------------------------------------------------------------------------------------

struct VolumeGroup {
  std::string name;
  MiB size;
  MiB free;
  MiB extent;  // what volumes are rounded up to; 0: unknown

  static schema::Fields fields();
};

struct NodeFacts {
  MiB memory_total;
  MiB memory_free;
  MiB memory_node;  // used by the node itself
  std::int64_t cpu_total = 0;
  std::int64_t cpu_nodes = 1;
  std::int64_t cpu_sockets = 1;
  std::int64_t cpu_node = 1;  // cores that the node keeps for itself
  std::string boot_id;
  std::vector<VolumeGroup> volume_groups;
  MiB file_total;  // of the file system below the directory asked for
  MiB file_free;
  double wall_time = 0;            // the node's clock, seconds since the epoch
  std::string accelerator;         // "kvm" or "tcg"
  std::string accelerator_reason;  // one sentence
  std::string software_version;

  static schema::Fields fields();
};

struct NodeInfo {
  static constexpr std::string_view name = "node_info";
  using Reply = NodeFacts;
  std::string file_storage_dir;

  static schema::Fields fields();
};

// --- What is wrong with a node
// ------------------------------------------------------------------------------------------------

struct CertificateState {
  std::string path;
  std::string error;  // why it can't be read; empty when it can
  double not_before = 0;
  double not_after = 0;

  static schema::Fields fields();
};

struct FileFault {
  std::string path;
  std::string fault;  // "has mode 0644; chmod 0600 /path"
  bool is_missing = false;

  static schema::Fields fields();
};

// What a guest, or one that was, has in the run directory.
struct RunFile {
  std::string path;
  std::string instance;

  static schema::Fields fields();
};

struct NodeFindings {
  std::vector<std::string> missing_bridges;
  std::vector<std::string> nic_faults;  // why NICs asked for could not be connected
  std::vector<CertificateState> certificates;
  std::vector<FileFault> file_faults;  // the cluster's own files and directories
  std::vector<std::string> forbidden_storage_paths;
  std::vector<FileFault> storage_faults;  // of the directories asked for
  std::vector<RunFile> run_files;
  bool has_master_ip = true;
  std::string oob_fault;  // why the out-of-band program can't be run; empty: it can

  static schema::Fields fields();
};

// Looks only; says what is found, whatever state the node is in.
struct NodeVerify {
  static constexpr std::string_view name = "node_verify";
  using Reply = NodeFindings;
  std::vector<std::string> bridges;
  std::vector<std::string> storage_dirs;  // for disks that are files
  std::string master_ip;                  // empty: it needs none
  std::vector<NicSpec> nics;              // those that need more than a bridge
  schema::json::object ssconf;            // what must be in ssconf_<key>
  std::string oob_program;                // empty: there is none

  static schema::Fields fields();
};

// What others read of the configuration: the files ssconf_<key>. The keys that aren't named stay.
struct SsconfWrite {
  static constexpr std::string_view name = "ssconf_write";
  using Reply = Nothing;
  schema::json::object values;
  std::int64_t number = 0;  // of one leader the highest is the latest

  static schema::Fields fields();
};

// --- Storage
// ----------------------------------------------------------------------------------------------------------

struct BlockdevCreate {
  static constexpr std::string_view name = "blockdev_create";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;

  static schema::Fields fields();
};

// The same, but nobody gets it before BlockdevWipe has overwritten it. A call of its own, so that
// no daemon of another version takes it for one that may be given as it is.
struct BlockdevCreateUnwiped {
  static constexpr std::string_view name = "blockdev_create_unwiped";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;

  static schema::Fields fields();
};

struct BlockdevRemove {
  static constexpr std::string_view name = "blockdev_remove";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;

  static schema::Fields fields();
};

// The volume `volume` of the disk's volume group becomes the disk, with what is on it. It is whole
// and a volume of its own, has the disk's size, and `owner` as the instance that it says it is of
// (empty: none). Nobody has it open.
struct BlockdevAdopt {
  static constexpr std::string_view name = "blockdev_adopt";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;
  std::string volume;
  std::string owner;

  static schema::Fields fields();
};

// Undoes BlockdevAdopt: the disk is again what it was.
struct BlockdevRelease {
  static constexpr std::string_view name = "blockdev_release";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;
  std::string volume;
  std::string owner;

  static schema::Fields fields();
};

// Whose the disk is, what it is called and where it lies change from what `disk` and `owner` say to
// what `new_disk` and `new_owner` say; what is on it stays. An empty owner is nobody. Its epoch is
// `epoch` then. What undoes it is the same call with both sides exchanged and `is_undo`. Nobody has
// it open.
struct BlockdevRename {
  static constexpr std::string_view name = "blockdev_rename";
  using Reply = Nothing;
  std::string instance;  // one of the owners: whose turn it is
  DiskSpec disk;
  std::string owner;
  DiskSpec new_disk;
  std::string new_owner;
  std::int64_t epoch = 0;
  // A disk that is missing is no error, nor is another one that was in the way: nothing was done.
  bool is_undo = false;

  static schema::Fields fields();
};

// Copies what is on the disk to another one of the instance, which is as large at least and was
// made for it; reports progress. Where the disk is empty a file stays sparse. Nobody has them open.
struct BlockdevConvert {
  static constexpr std::string_view name = "blockdev_convert";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;
  DiskSpec new_disk;
  std::int64_t epoch = 0;  // as by BlockdevAssemble

  static schema::Fields fields();
};

// Grows to `size`; smaller or equal does nothing. What had grown and was not wiped is given back
// first.
struct BlockdevGrow {
  static constexpr std::string_view name = "blockdev_grow";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;
  MiB size;
  bool is_undo = false;  // of a disk that got lost there is nothing to give back

  static schema::Fields fields();
};

// The same, but nobody sees what is new before BlockdevWipe has overwritten it.
struct BlockdevGrowUnwiped {
  static constexpr std::string_view name = "blockdev_grow_unwiped";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;
  MiB size;

  static schema::Fields fields();
};

struct DevicePath {
  std::string path;           // what opens the disk
  std::string link;           // <run>/instance-disks/<instance>:<index>
  std::string device_number;  // "253:3", or "N/A:N/A" for files
  MiB size;                   // 0 when the node can't tell, e.g. of an inactive volume
  bool is_active = false;     // the link is there and opens something
  // From there on it is to be wiped and isn't. What it has grown is not counted by `size`.
  std::optional<MiB> unwiped;

  static schema::Fields fields();
};

// Makes the disk usable on this node and fences it: a lower epoch than the disk's own is refused,
// and so is a new disk that was to be wiped and isn't. One that had grown, and whose end was to be
// wiped and isn't, is again as large as it was.
struct BlockdevAssemble {
  static constexpr std::string_view name = "blockdev_assemble";
  using Reply = DevicePath;
  std::string instance;
  DiskSpec disk;
  std::int64_t epoch = 0;

  static schema::Fields fields();
};

struct BlockdevShutdown {
  static constexpr std::string_view name = "blockdev_shutdown";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;

  static schema::Fields fields();
};

struct BlockdevFound {
  std::vector<std::optional<DevicePath>> devices;  // in the order asked; null when it isn't there
  static schema::Fields fields();
};

// Looks only.
struct BlockdevFind {
  static constexpr std::string_view name = "blockdev_find";
  using Reply = BlockdevFound;
  std::string instance;
  std::vector<DiskSpec> disks;

  static schema::Fields fields();
};

// Overwrites with zeros what was allocated to be wiped and isn't yet; reports progress. All else is
// left alone, so that a guest may run meanwhile. "blockdev_wipe" overwrote all of a disk: who asks
// for that is refused.
struct BlockdevWipe {
  static constexpr std::string_view name = "blockdev_wipe_unwiped";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;  // as large as it is to be: WrongState where it is smaller

  static schema::Fields fields();
};

// Keeps what is on the disk as it is now, so that it can be exported while its guest goes on. Of
// what is written meanwhile there is room for `size`: more, and the snapshot is lost, never the
// disk. A disk has one snapshot: an earlier one goes.
struct BlockdevSnapshot {
  static constexpr std::string_view name = "blockdev_snapshot";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;
  MiB size;

  static schema::Fields fields();
};

struct BlockdevSnapshotRemove {
  static constexpr std::string_view name = "blockdev_snapshot_remove";
  using Reply = Nothing;
  std::string instance;
  DiskSpec disk;

  static schema::Fields fields();
};

struct Volume {
  std::string phys;  // physical devices, "/dev/sda1,/dev/sdb1"
  std::string vg;
  std::string name;
  MiB size;
  bool is_active = true;
  bool is_open = false;
  std::string owner;       // the instance that it says it is of
  bool is_hidden = false;  // a part of another one, which LVM doesn't list
  std::string fault;       // "is a thin pool: …": why it can't be a disk, or is a broken one
  std::string hindrance;   // "is being moved …": why it can't be taken over now
  std::vector<std::string> snapshots;  // that would go with it
  std::optional<MiB> unwiped;          // as DevicePath has it

  static schema::Fields fields();
};

struct VolumeList {
  std::vector<Volume> volumes;
  static schema::Fields fields();
};

struct NodeVolumes {
  static constexpr std::string_view name = "node_volumes";
  using Reply = VolumeList;

  static schema::Fields fields() { return {}; }
};

struct DiskFile {
  std::string path;
  MiB size;
  static schema::Fields fields();
};

struct DiskFileList {
  std::vector<DiskFile> files;
  static schema::Fields fields();
};

// The disk files below a directory, for finding orphans.
struct FileStorageList {
  static constexpr std::string_view name = "file_storage_list";
  using Reply = DiskFileList;
  std::string directory;

  static schema::Fields fields();
};

// --- Operating systems
// ------------------------------------------------------------------------------------------------

struct OsParameter {
  std::string name;
  std::string doc;
  static schema::Fields fields();
};

struct OsDefinition {
  std::string name;
  std::string path;
  std::string diagnose;  // empty when valid, else why not
  std::vector<std::string> variants;
  std::vector<OsParameter> parameters;
  std::vector<std::int64_t> api_versions;
  bool trusted = true;

  static schema::Fields fields();
};

struct OsList {
  std::vector<OsDefinition> definitions;
  static schema::Fields fields();
};

struct OsDiagnose {
  static constexpr std::string_view name = "os_diagnose";
  using Reply = OsList;

  static schema::Fields fields() { return {}; }
};

// Runs the OS definition's create script; its output is streamed. The disks must be assembled.
struct OsCreate {
  static constexpr std::string_view name = "instance_os_add";
  using Reply = Nothing;
  InstanceSpec instance;
  bool reinstall = false;
  bool force_variant = false;
  std::int64_t debug_level = 0;

  static schema::Fields fields();
};

// Runs the OS definition's rename script, for an instance that was called `old_name`; its output is
// streamed. The disks must be assembled.
struct OsRename {
  static constexpr std::string_view name = "instance_run_rename";
  using Reply = Nothing;
  InstanceSpec instance;
  std::string old_name;
  std::int64_t debug_level = 0;

  static schema::Fields fields();
};

// --- Exports (docs/ganeti.md, "Exports")
// ---------------------------------------------------------------------------------------------

// The content of one disk, as a file of an export.
struct Dump {
  std::string file;  // without a directory; empty: the export has none of this disk
  Bytes size;
  std::string checksum;  // "sha256-pieces:…", see node/storage/checksum.h; empty: unknown

  friend bool operator==(Dump const&, Dump const&) = default;
  static schema::Fields fields();
};

// Looks only: whether an export of the instance can be made here, before anything is stopped for
// it.
struct ExportCheck {
  static constexpr std::string_view name = "export_check";
  using Reply = Nothing;
  std::string instance;
  std::vector<std::string> copied;  // files whose content must find room

  static schema::Fields fields();
};

// Writes the content of a disk into the export that is being made: by the OS definition's export
// script or, where the instance has no OS, as it is. Of a running instance the snapshot is read,
// else the disk, which must be assembled.
struct ExportDisk {
  static constexpr std::string_view name = "export_disk";
  using Reply = Dump;
  InstanceSpec instance;
  std::int64_t index = 0;  // of the disk
  bool from_snapshot = false;
  std::int64_t debug_level = 0;

  static schema::Fields fields();
};

// What was written becomes the instance's export; one of before goes.
struct ExportFinish {
  static constexpr std::string_view name = "finalize_export";
  using Reply = Nothing;
  std::string instance;
  std::string config;       // config.ini
  std::vector<Dump> dumps;  // all that it shall have

  static schema::Fields fields();
};

struct ExportNames {
  std::vector<std::string> names;
  static schema::Fields fields();
};

struct ExportList {
  static constexpr std::string_view name = "export_list";
  using Reply = ExportNames;

  static schema::Fields fields() { return {}; }
};

struct ExportContent {
  std::string path;         // of its directory
  std::string config;       // config.ini, of whoever made it
  std::vector<Dump> dumps;  // all its files that may be dumps

  static schema::Fields fields();
};

// Looks only. `path` is the name of an export or an absolute path.
struct ExportInfo {
  static constexpr std::string_view name = "export_info";
  using Reply = ExportContent;
  std::string path;

  static schema::Fields fields();
};

// One that isn't there is no error.
struct ExportRemove {
  static constexpr std::string_view name = "export_remove";
  using Reply = Nothing;
  std::string instance;     // whose turn it is
  std::string export_name;  // finished

  static schema::Fields fields();
};

// What ExportDisk wrote and nobody finished goes; a finished one stays.
struct ExportDiscard {
  static constexpr std::string_view name = "export_discard";
  using Reply = Nothing;
  std::string instance;

  static schema::Fields fields();
};

// Puts what ExportDisk wrote on a disk, which must be assembled: by the OS definition's import
// script or, where the instance has no OS, as it is. WrongState: it isn't what was exported.
struct ImportDisk {
  static constexpr std::string_view name = "import_disk";
  using Reply = Nothing;
  InstanceSpec instance;
  std::int64_t index = 0;  // of the disk
  std::string path;        // of the export's directory
  Dump dump;
  std::int64_t debug_level = 0;

  static schema::Fields fields();
};

// --- Moves between clusters (docs/ganeti.md, "Moves between clusters")
// ---------------------------------------------------------------------------------------------

// By the cluster domain secret.
struct DomainSignature {
  std::string hmac;
  std::string salt;

  static schema::Fields fields();
};

struct TransferKey {
  DomainSignature handshake;
  DomainSignature key_name;
  std::string certificate;  // signed

  static schema::Fields fields();
};

// Makes the key that the disks of an instance are sent with, for a day; one that is there stays.
// Those of before whose day is over go.
struct TransferKeyCreate {
  static constexpr std::string_view name = "x509_cert_create";
  using Reply = TransferKey;
  std::string key_name;
  std::string node_name;  // that the certificate is of
  std::string address;    // and its address

  static schema::Fields fields();
};

// One that isn't there is no error.
struct TransferKeyRemove {
  static constexpr std::string_view name = "x509_cert_remove";
  using Reply = Nothing;
  std::string key_name;

  static schema::Fields fields();
};

// Where a disk goes to.
struct PeerDisk {
  std::string host;
  std::int64_t port = 0;
  std::string magic;
  DomainSignature signature;

  static schema::Fields fields();
};

struct PeerCertificate {
  std::string certificate;  // PEM

  static schema::Fields fields();
};

// Looks only: whether what the destination said is signed by our secret, and disks can be sent
// there. WrongInput: what isn't right.
struct TransferSendCheck {
  static constexpr std::string_view name = "transfer_send_check";
  using Reply = PeerCertificate;
  std::string key_name;
  DomainSignature key_signature;
  std::string certificate;  // signed, of the destination
  std::vector<PeerDisk> disks;
  std::string compress;

  static schema::Fields fields();
};

// The same of what the source said.
struct TransferReceiveCheck {
  static constexpr std::string_view name = "transfer_receive_check";
  using Reply = PeerCertificate;
  std::int64_t version = 0;
  DomainSignature handshake;
  std::string certificate;  // signed, of the source
  std::string compress;

  static schema::Fields fields();
};

struct TransferSent {
  std::vector<Bytes> sizes;  // of what each disk gave

  static schema::Fields fields();
};

// Sends all disks of an instance at the same time, each as ExportDisk would write it.
struct TransferSend {
  static constexpr std::string_view name = "transfer_send";
  using Reply = TransferSent;
  InstanceSpec instance;
  bool from_snapshot = false;
  std::string key_name;
  std::string peer_certificate;  // PEM
  std::string compress;
  std::vector<PeerDisk> peers;  // one a disk
  std::int64_t debug_level = 0;

  static schema::Fields fields();
};

// Listens for all disks of an instance, says where (an entry "remote-import" of the job's log), and
// puts on them what comes, as ImportDisk would. The disks must be assembled.
struct TransferReceive {
  static constexpr std::string_view name = "transfer_receive";
  using Reply = Nothing;
  InstanceSpec instance;
  std::string address;           // of this node
  std::string peer_certificate;  // PEM
  std::string compress;
  std::int64_t connect_timeout_s = 0;
  std::int64_t debug_level = 0;

  static schema::Fields fields();
};

// --- Instances
// --------------------------------------------------------------------------------------------------------

enum class Paused { No, Yes };

struct InstanceStart {
  static constexpr std::string_view name = "instance_start";
  using Reply = Nothing;
  InstanceSpec instance;
  bool startup_paused = false;

  static schema::Fields fields();
};

struct InstanceShutdown {
  static constexpr std::string_view name = "instance_shutdown";
  using Reply = Nothing;
  std::string instance;
  model::HypervisorKind hypervisor = model::HypervisorKind::Kvm;
  // ACPI first; the plug after this many seconds. 0: the plug at once.
  std::int64_t timeout_s = 120;

  static schema::Fields fields();
};

// Soft: the guest is reset by the hypervisor, with the parameters it was started with.
struct InstanceSoftReboot {
  static constexpr std::string_view name = "instance_reboot";
  using Reply = Nothing;
  std::string instance;
  model::HypervisorKind hypervisor = model::HypervisorKind::Kvm;

  static schema::Fields fields();
};

// Tells a running guest that one of its disks has grown; refused while what is new is to be wiped.
struct InstanceResizeDisk {
  static constexpr std::string_view name = "resize_disk";
  using Reply = Nothing;
  std::string instance;
  model::HypervisorKind hypervisor = model::HypervisorKind::Kvm;
  DiskSpec disk;
  MiB size;

  static schema::Fields fields();
};

// Makes the disks and NICs of a running guest those of `instance`, by UUID: what it lacks is
// plugged, what it has too much is unplugged, a NIC with another link is connected anew. The disks
// are activated first, as by BlockdevAssemble. A guest that doesn't run is left alone.
struct InstanceAdjust {
  static constexpr std::string_view name = "instance_adjust_devices";
  using Reply = Nothing;
  InstanceSpec instance;

  static schema::Fields fields();
};

// What a running guest may use of its memory. One that doesn't run, or no longer, is left alone.
struct InstanceBalloon {
  static constexpr std::string_view name = "instance_balloon_memory";
  using Reply = Nothing;
  std::string instance;
  model::HypervisorKind hypervisor = model::HypervisorKind::Kvm;
  MiB memory;

  static schema::Fields fields();
};

enum class RunState { Running, Paused, UserDown };

// A NIC as a guest has it: its tap, and the parameters it was connected with.
struct RunningNic {
  NicId uuid;
  std::string tap;
  json::object params;
  bool lacks_filter = false;  // antispoof is on, and somebody took its rules away

  static schema::Fields fields();
};

struct RunningInstance {
  std::string name;
  model::HypervisorKind hypervisor = model::HypervisorKind::Kvm;
  RunState state = RunState::Running;
  MiB memory;
  std::int64_t vcpus = 0;
  double cpu_seconds = 0;
  std::int64_t pid = 0;
  // What it was started with, and what was plugged in since, for "takes effect at the next start".
  // No memory_max: nothing is known of that.
  json::object hvparams;
  MiB memory_max;
  std::vector<RunningNic> nics;
  std::vector<DiskId> disks;

  static schema::Fields fields();
};

struct RunningInstances {
  std::vector<RunningInstance> instances;
  static schema::Fields fields();
};

// What runs, by the truth of the processes, not by what was wished.
struct AllInstancesInfo {
  static constexpr std::string_view name = "all_instances_info";
  using Reply = RunningInstances;
  std::vector<model::HypervisorKind> hypervisors;
  std::vector<std::string> instances;  // empty: all

  static schema::Fields fields();
};

// Whether the node could connect such NICs: bridges and switches are there, and what they need.
struct NicsValidate {
  static constexpr std::string_view name = "nics_validate";
  using Reply = Nothing;
  std::vector<NicSpec> nics;

  static schema::Fields fields();
};

// The cluster's address on the interface of its master.
struct MasterAddress {
  static constexpr std::string_view name = "node_master_address";
  using Reply = Nothing;
  std::string ip;
  std::string netdev;
  std::int64_t netmask = 32;
  bool is_up = true;

  static schema::Fields fields();
};

struct HypervisorAdvice {
  std::vector<std::string> warnings;  // sentences
  // Whether it could be told at all; if not, the last warning says why.
  bool is_known = true;
  static schema::Fields fields();
};

// Whether the node could start such an instance: what its parameters name is there, and its
// hypervisor takes them. Nothing is changed, and nothing of the instance is opened: it may run.
struct HypervisorValidate {
  static constexpr std::string_view name = "hypervisor_validate_params";
  using Reply = HypervisorAdvice;
  InstanceSpec instance;

  static schema::Fields fields();
};

// --- Hooks
// ------------------------------------------------------------------------------------------------------------

enum class HookOutcome { Skipped, Failed, Succeeded };

struct HookResult {
  std::string script;  // "instance-start-pre.d/10-check"
  HookOutcome outcome = HookOutcome::Skipped;
  std::string output;

  static schema::Fields fields();
};

struct HookResults {
  std::vector<HookResult> results;  // in the order in which they ran
  std::vector<std::string> later;   // of the directories asked about, those that hold something

  static schema::Fields fields();
};

// An hour for all scripts together, as Ganeti has it.
constexpr std::int64_t hooks_timeout_s = 3600;

// Runs the scripts of a directory below /etc/ganeti/hooks. One that fails is a result, no error.
// Asked again by the next leader it may run them again.
struct HooksRun {
  static constexpr std::string_view name = "hooks_runner";
  using Reply = HookResults;
  std::string directory;  // "instance-start-pre.d"
  std::string instance;   // that they are about; empty: about none
  // All that they find in their environment but what the node adds: PATH and GANETI_DATA_DIR.
  std::map<std::string, std::string> environment;
  // Directories of which it is to be said whether they hold anything.
  std::vector<std::string> later;
  std::int64_t timeout_s = hooks_timeout_s;  // for all together; the node may allow less

  static schema::Fields fields();
};

struct ResolvedName {
  std::string name;  // in full
  std::string ip;
  bool answers = false;  // somebody has the address already

  static schema::Fields fields();
};

// Looks a host's name up, and whether anybody answers at its address.
struct ResolveName {
  static constexpr std::string_view name = "resolve_name";
  using Reply = ResolvedName;
  std::string hostname;
  bool pings = false;

  static schema::Fields fields();
};

struct TestDelay {
  static constexpr std::string_view name = "test_delay";
  using Reply = Nothing;
  double duration_s = 0;

  static schema::Fields fields();
};

// --- Setting up and taking down (only through root's local door)
// -------------------------------------------------------

struct BootstrapReply {
  std::string node_name;
  std::string primary_ip;
  std::int64_t port = 0;
  static schema::Fields fields();
};

// Makes the cluster's certificates and secrets on the first node; refuses where a cluster exists.
struct Bootstrap {
  static constexpr std::string_view name = "bootstrap";
  using Reply = BootstrapReply;
  std::string cluster_name;
  NodeId node_uuid;
  std::string master_ip;      // empty: none is brought up
  std::string master_netdev;  // empty with master_ip empty
  std::int64_t master_netmask = 32;
  std::vector<std::string> file_storage_dirs;
  std::string volume_group_name;

  static schema::Fields fields();
};

// Undoes Bootstrap: takes the address down, removes certificates and run-time files. Guests must be
// gone.
struct LeaveCluster {
  static constexpr std::string_view name = "node_leave_cluster";
  using Reply = Nothing;

  static schema::Fields fields() { return {}; }
};

// What was renewed, for people: paths, never what stands in them.
struct CryptoRenewed {
  std::vector<std::string> files;
  static schema::Fields fields();
};

// Gives the cluster other keys and certificates while everything goes on. All is checked before the
// first file is written; what a crash left half done is finished by the next start or call.
struct RenewCrypto {
  static constexpr std::string_view name = "crypto_renew";
  using Reply = CryptoRenewed;
  bool cluster_certificate = false;  // the authority, and so all that it signed
  bool node_certificates = false;    // signed by the authority that there is
  bool rapi_certificate = false;
  std::string rapi_pem;
  std::string rapi_file;  // where it was read; empty: one is made
  bool hmac_key = false;
  bool domain_secret = false;
  std::string domain_secret_text;
  std::string domain_secret_file;  // where it was read; empty: one is made
  bool dry_run = false;            // only checks

  static schema::Fields fields();
};

}  // namespace flotte::rpc

namespace flotte::schema {

template <>
struct EnumNames<rpc::RunState> {
  static constexpr std::string_view type_name = "one of running, paused, user_down";
  static constexpr std::pair<rpc::RunState, std::string_view> names[] = {
      {rpc::RunState::Running, "running"},
      {rpc::RunState::Paused, "paused"},
      {rpc::RunState::UserDown, "user_down"}};
};

template <>
struct EnumNames<rpc::HookOutcome> {
  static constexpr std::string_view type_name = "one of skipped, failed, succeeded";
  static constexpr std::pair<rpc::HookOutcome, std::string_view> names[] = {
      {rpc::HookOutcome::Skipped, "skipped"},
      {rpc::HookOutcome::Failed, "failed"},
      {rpc::HookOutcome::Succeeded, "succeeded"}};
};

}  // namespace flotte::schema
