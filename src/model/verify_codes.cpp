#include "model/verify_codes.h"

#include <algorithm>

namespace flotte::model {
namespace {

constexpr VerifyCode table[] = {
    {"ECLUSTERCERT", "cluster"},
    {"ECLUSTERCFG", "cluster"},
    {"ECLUSTERCLIENTCERT", "cluster"},
    {"ECLUSTERDANGLINGINST", "instance"},
    {"ECLUSTERDANGLINGNODES", "node"},
    {"ECLUSTERFILECHECK", "cluster"},
    // Ours: Ganeti has no jobs that outlive a failure.
    {"ECLUSTERJOBQUEUE", "job"},
    {"EEXTAGS", "cluster"},
    {"EGROUPDIFFERENTPVSIZE", "group"},
    {"EINSTANCEBADNODE", "instance"},
    {"EINSTANCEDOWN", "instance"},
    {"EINSTANCEFAULTYDISK", "instance"},
    {"EINSTANCELAYOUT", "instance"},
    {"EINSTANCEMISSINGCFGPARAMETER", "instance"},
    {"EINSTANCEMISSINGDISK", "instance"},
    {"EINSTANCEPOLICY", "instance"},
    {"EINSTANCESPLITGROUPS", "instance"},
    {"EINSTANCEUNSUITABLENODE", "instance"},
    {"EINSTANCEWRONGNODE", "instance"},
    {"ENODEDRBD", "node"},
    {"ENODEDRBDHELPER", "node"},
    {"ENODEDRBDVERSION", "node"},
    {"ENODEFILECHECK", "node"},
    {"ENODEFILESTORAGEPATHS", "node"},
    {"ENODEFILESTORAGEPATHUNUSABLE", "node"},
    {"ENODEGLUSTERSTORAGEPATHUNUSABLE", "node"},
    {"ENODEHOOKS", "node"},
    {"ENODEHV", "node"},
    {"ENODELVM", "node"},
    {"ENODEN1", "node"},
    {"ENODENET", "node"},
    {"ENODEOOBPATH", "node"},
    {"ENODEORPHANINSTANCE", "node"},
    {"ENODEORPHANLV", "node"},
    {"ENODEOS", "node"},
    {"ENODERPC", "node"},
    {"ENODESETUP", "node"},
    {"ENODESHAREDFILESTORAGEPATHUNUSABLE", "node"},
    {"ENODESSH", "node"},
    {"ENODETIME", "node"},
    {"ENODEUSERSCRIPTS", "node"},
    {"ENODEVERSION", "node"},
};

}  // namespace

std::span<VerifyCode const> verify_codes() {
  return table;
}

VerifyCode const* verify_code(std::string_view name) {
  auto const* found = std::ranges::find(table, name, &VerifyCode::name);
  return found == std::end(table) ? nullptr : found;
}

}  // namespace flotte::model
