#include "units/instance_multi_alloc.h"

#include <set>

#include "jobs/job_context.h"
#include "model/params.h"

namespace flotte::units {

Result<jobs::LockSet> InstanceMultiAlloc::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<InstanceMultiAlloc::Facts> InstanceMultiAlloc::inspect(Op const&, model::Cluster const&,
                                                              jobs::NodeReader&) {
  return Facts{};
}

// All or none is submitted: what is wrong with one of them is said before any is made.
Result<InstanceMultiAlloc::Plan> InstanceMultiAlloc::plan(Op const& op,
                                                          model::Cluster const& cluster,
                                                          Facts const&) {
  if (op.iallocator) {
    return fail(ErrorCode::WrongInput, "Iallocators are not built yet, '{}' was given",
                *op.iallocator);
  }
  if (op.instances.empty()) return fail(ErrorCode::WrongInput, "No instances are given");
  Plan plan;
  std::set<std::string> names;
  auto const* creation = opcodes::find(opcodes::InstanceCreate::op_id);
  for (std::size_t i = 0; i < op.instances.size(); ++i) {
    auto const* given = op.instances[i].if_object();
    if (!given) return fail(ErrorCode::WrongInput, "Instance {} is no object", i);
    if (auto const unknown = opcodes::unknown_parameter(*creation, *given)) {
      return fail(ErrorCode::WrongInput, "Unknown fields in definition {}: {}", i, *unknown);
    }
    auto one = *given;
    one["OP_ID"] = opcodes::InstanceCreate::op_id;
    auto made = opcodes::normalise(one);
    if (!made) {
      return fail(ErrorCode::WrongInput, "Instance {} of the list: {}", i, made.error().message);
    }
    auto const name = model::text_of(*made, "instance_name");
    if (!names.insert(name).second) {
      return fail(ErrorCode::ResourceNotUnique, "Instance '{}' stands twice in the list", name);
    }
    if (cluster.instance(name)) {
      return fail_as(ErrorClass::Prereq, ErrorCode::ResourceNotUnique,
                     "Instance '{}' is already in the cluster", name);
    }
    plan.jobs.push_back(json::array{std::move(*made)});
  }
  return plan;
}

Result<json::value> InstanceMultiAlloc::apply(Plan const& plan, jobs::JobContext& job) {
  json::object answer;
  answer["jobs"] = TRY(job.submit(plan.jobs));
  return answer;
}

schema::Fields InstanceMultiAlloc::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::secret<&Plan::jobs>("jobs", "The jobs to submit.")};
  return table;
}

}  // namespace flotte::units
