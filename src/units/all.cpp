#include "units/all.h"

#include "units/backup_export.h"
#include "units/backup_prepare.h"
#include "units/backup_remove.h"
#include "units/cluster_activate_master_ip.h"
#include "units/cluster_deactivate_master_ip.h"
#include "units/cluster_post_init.h"
#include "units/cluster_redist_conf.h"
#include "units/cluster_rename.h"
#include "units/cluster_repair_disk_sizes.h"
#include "units/cluster_set_params.h"
#include "units/cluster_verify.h"
#include "units/cluster_verify_config.h"
#include "units/cluster_verify_disks.h"
#include "units/cluster_verify_group.h"
#include "units/group_add.h"
#include "units/group_assign_nodes.h"
#include "units/group_remove.h"
#include "units/group_rename.h"
#include "units/group_set_params.h"
#include "units/group_verify_disks.h"
#include "units/instance_activate_disks.h"
#include "units/instance_create.h"
#include "units/instance_deactivate_disks.h"
#include "units/instance_grow_disk.h"
#include "units/instance_multi_alloc.h"
#include "units/instance_query_data.h"
#include "units/instance_reboot.h"
#include "units/instance_recreate_disks.h"
#include "units/instance_reinstall.h"
#include "units/instance_remove.h"
#include "units/instance_rename.h"
#include "units/instance_set_params.h"
#include "units/instance_shutdown.h"
#include "units/instance_startup.h"
#include "units/network_add.h"
#include "units/network_connect.h"
#include "units/network_disconnect.h"
#include "units/network_remove.h"
#include "units/network_rename.h"
#include "units/network_set_params.h"
#include "units/node_query_storage.h"
#include "units/node_query_volumes.h"
#include "units/node_set_params.h"
#include "units/os_diagnose.h"
#include "units/tags_del.h"
#include "units/tags_search.h"
#include "units/tags_set.h"
#include "units/test_delay.h"
#include "units/test_jqueue.h"
#include "units/test_os_params.h"

namespace flotte::units {

void add_all(jobs::UnitTable& table) {
  table.add<BackupExport>();
  table.add<BackupPrepare>();
  table.add<BackupRemove>();
  table.add<ClusterActivateMasterIp>();
  table.add<ClusterDeactivateMasterIp>();
  table.add<ClusterPostInit>();
  table.add<ClusterRedistConf>();
  table.add<ClusterRename>();
  table.add<ClusterRepairDiskSizes>();
  table.add<ClusterSetParams>();
  table.add<ClusterVerify>();
  table.add<ClusterVerifyConfig>();
  table.add<ClusterVerifyDisks>();
  table.add<ClusterVerifyGroup>();
  table.add<GroupAdd>();
  table.add<GroupAssignNodes>();
  table.add<GroupRemove>();
  table.add<GroupRename>();
  table.add<GroupSetParams>();
  table.add<GroupVerifyDisks>();
  table.add<InstanceActivateDisks>();
  table.add<InstanceCreate>();
  table.add<InstanceDeactivateDisks>();
  table.add<InstanceGrowDisk>();
  table.add<InstanceMultiAlloc>();
  table.add<InstanceQueryData>();
  table.add<InstanceReboot>();
  table.add<InstanceRecreateDisks>();
  table.add<InstanceReinstall>();
  table.add<InstanceRemove>();
  table.add<InstanceRename>();
  table.add<InstanceSetParams>();
  table.add<InstanceShutdown>();
  table.add<InstanceStartup>();
  table.add<NetworkAdd>();
  table.add<NetworkConnect>();
  table.add<NetworkDisconnect>();
  table.add<NetworkRemove>();
  table.add<NetworkRename>();
  table.add<NetworkSetParams>();
  table.add<NodeQueryStorage>();
  table.add<NodeQueryVolumes>();
  table.add<NodeSetParams>();
  table.add<OsDiagnose>();
  table.add<TagsDel>();
  table.add<TagsSearch>();
  table.add<TagsSet>();
  table.add<TestDelay>();
  table.add<TestJqueue>();
  table.add<TestOsParams>();
}

}  // namespace flotte::units
