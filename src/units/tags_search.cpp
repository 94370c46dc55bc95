#include "units/tags_search.h"

#include <re2/re2.h>

#include "jobs/job_context.h"

namespace flotte::units {

Result<jobs::LockSet> TagsSearch::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<TagsSearch::Facts> TagsSearch::inspect(Op const&, model::Cluster const&, jobs::NodeReader&) {
  return Facts{};
}

Result<TagsSearch::Plan> TagsSearch::plan(Op const& op, model::Cluster const& cluster,
                                          Facts const&) {
  re2::RE2 const pattern(op.pattern, re2::RE2::Quiet);
  if (!pattern.ok()) {
    return fail(ErrorCode::WrongInput, "Invalid search pattern '{}': {}", op.pattern,
                pattern.error());
  }
  Plan plan;
  auto const look = [&](std::string const& path, std::vector<std::string> const& tags) {
    for (auto const& tag : tags) {
      if (!re2::RE2::PartialMatch(tag, pattern)) continue;
      plan.answer.push_back(json::array{json::string_view(path), json::string_view(tag)});
    }
  };
  look("/cluster", cluster.settings().tags);
  for (auto const& instance : cluster.instances_by_name()) {
    look("/instances/" + instance->name, instance->tags);
  }
  for (auto const& node : cluster.nodes_by_name()) look("/nodes/" + node->name, node->tags);
  for (auto const& [id, group] : cluster.groups()) look("/nodegroup/" + group->name, group->tags);
  for (auto const& [id, network] : cluster.networks()) {
    look("/network/" + network->name, network->tags);
  }
  return plan;
}

Result<json::value> TagsSearch::apply(Plan const& plan, jobs::JobContext&) {
  return plan.answer;
}

}  // namespace flotte::units
