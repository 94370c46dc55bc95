// OP_INSTANCE_CREATE: creates an instance, its disks and what is on them.
#pragma once

#include <map>

#include "jobs/unit.h"
#include "model/export_config.h"
#include "opcodes/instance.h"
#include "units/devices.h"

namespace flotte::units {

namespace json = boost::json;

struct InstanceCreate {
  using Op = opcodes::InstanceCreate;
  // An export as its node has it.
  struct Export {
    NodeId node;
    std::string path;
    std::vector<rpc::Dump> dumps;  // its files
    model::ExportedInstance instance;
  };
  struct Facts {
    // Of the nodes that may take it.
    std::map<std::string, rpc::NodeFacts> nodes;
    // Of those that did not tell, or can't connect its NICs: why.
    std::map<std::string, Error> left_out;
    // Of the same nodes, unless nothing is installed.
    std::map<std::string, rpc::OsList> operating_systems;
    // Of the same nodes, where volumes are adopted.
    std::map<std::string, rpc::VolumeList> volumes;
    std::optional<rpc::ResolvedName> resolved;  // where the name is checked
    // Where UUIDs and MAC addresses come from, so that plan() is a pure function.
    std::int64_t seed = 0;
    double now = 0;
    DrawnAddresses drawn;               // addresses of networks, for its NICs
    std::vector<std::string> warnings;  // of the node that will have it
    std::optional<Export> exported;     // that it is made from
    std::string peer_certificate;       // of another cluster's node that sends its disks
  };
  // What comes onto one of its disks.
  struct Import {
    std::int64_t disk = 0;
    rpc::Dump dump;

    static schema::Fields fields();
  };
  struct Plan {
    model::Instance instance;
    rpc::InstanceSpec spec;
    bool installs = false;
    bool wipes = false;
    bool force_variant = false;
    bool ignores_secondary = false;
    bool starts = false;
    std::int64_t debug_level = 0;
    std::vector<rpc::Volume> adopted;  // one a disk, or none
    std::vector<Import> imports;
    std::string import_path;
    std::string peer_certificate;  // who sends its disks; empty: nobody
    std::string compress;          // how
    std::int64_t connect_timeout_s = 0;
    std::string rename_from;  // the name it had when it was exported; empty: nothing is imported
    std::vector<std::string> warnings;  // what is warned of before
    std::vector<std::string> notes;     // what is told before

    static schema::Fields fields();
  };

  static Result<jobs::LockSet> locks(Op const& op, model::Cluster const& cluster);
  static Result<Facts> inspect(Op const& op, model::Cluster const& cluster,
                               jobs::NodeReader& nodes);
  static Result<Plan> plan(Op const& op, model::Cluster const& cluster, Facts const& facts);
  // Of the name as it was looked up: that may be another than was typed.
  static jobs::LockSet plan_locks(Plan const& plan);
  static std::vector<std::string> claims(Plan const& plan);
  static Result<jobs::Hooks> hooks(Op const& op, model::Cluster const& cluster, Plan const& plan);
  static Result<json::value> apply(Plan const& plan, jobs::JobContext& job);

 private:
  // What the export says where nobody says anything else.
  static Result<Op> with_export(Op op, std::optional<Export> const& from);
  static Result<std::optional<Export>> find_export(Op const& op, model::Cluster const& cluster,
                                                   jobs::NodeReader& nodes);
  static Result<std::string> check_source(Op const& op, model::Cluster const& cluster,
                                          jobs::NodeReader& nodes);
  static Result<Export> read_export(std::string const& path, model::Node const& node,
                                    jobs::NodeReader& nodes);
  static Result<Facts> look(Op const& op, model::Cluster const& cluster, jobs::NodeReader& nodes,
                            Facts facts);
  static Result<void> check_nics(Op const& op, model::Cluster const& cluster,
                                 model::Node const& node, jobs::NodeReader& nodes);
  static Result<std::vector<std::string>> check_starts(Op const& op, model::Cluster const& cluster,
                                                       Facts const& facts, jobs::NodeReader& nodes);
};

}  // namespace flotte::units
