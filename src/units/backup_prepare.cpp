#include "units/backup_prepare.h"

#include "base/random.h"
#include "jobs/job_context.h"
#include "units/instance_steps.h"

namespace flotte::units {

namespace json = boost::json;

Result<jobs::LockSet> BackupPrepare::locks(Op const& op, model::Cluster const& cluster) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  return jobs::LockSet{jobs::shared(jobs::LockLevel::Instance, instance->name),
                       jobs::shared(jobs::LockLevel::Node, instance->primary_node.text())};
}

Result<BackupPrepare::Facts> BackupPrepare::inspect(Op const& op, model::Cluster const& cluster,
                                                    jobs::NodeReader& nodes) {
  auto const instance = TRY(cluster.instance(op.instance_name));
  TRY(online_primary(cluster, *instance));
  return Facts{fmt::format("x509-{}", nodes.random().uuid())};
}

Result<BackupPrepare::Plan> BackupPrepare::plan(Op const& op, model::Cluster const& cluster,
                                                Facts const& facts) {
  if (op.mode != "remote" && op.mode != "local") {
    return fail(ErrorCode::WrongInput, "Exports are of mode 'local' or 'remote', not '{}'",
                op.mode);
  }
  auto const instance = TRY(cluster.instance(op.instance_name));
  auto const node = TRY(cluster.node(instance->primary_node));
  return Plan{node->uuid, node->name, node->primary_ip, op.mode == "remote" ? facts.key_name : ""};
}

Result<json::value> BackupPrepare::apply(Plan const& plan, jobs::JobContext& job) {
  if (plan.key_name.empty()) return json::value();
  job.log(fmt::format("Generating X509 certificate on {}", plan.node_name));
  auto const made =
      TRY(job.step("Making a key", plan.node,
                   rpc::TransferKeyCreate{plan.key_name, plan.node_name, plan.address},
                   {.undo = jobs::undo_call(plan.node, rpc::TransferKeyRemove{plan.key_name})}));
  auto const text = [](std::string const& of) { return json::string(of); };
  return json::object{
      {"handshake", json::array{0, text(made.handshake.hmac), text(made.handshake.salt)}},
      {"x509_key_name",
       json::array{text(plan.key_name), text(made.key_name.hmac), text(made.key_name.salt)}},
      {"x509_ca", text(made.certificate)}};
}

schema::Fields BackupPrepare::Plan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&Plan::node>("node", "Where the key is made."),
      field<&Plan::node_name>("node_name", "Its name."),
      field<&Plan::address>("address", "Its address."),
      field<&Plan::key_name>("key_name", "What the key is called."),
  };
  return table;
}

}  // namespace flotte::units
