#include "units/tags_set.h"

#include <algorithm>

namespace flotte::units {

Result<jobs::LockSet> TagsSet::locks(Op const& op, model::Cluster const& cluster) {
  return tag_locks(op.kind, op.name.value_or(""), cluster);
}

Result<TagsSet::Facts> TagsSet::inspect(Op const&, model::Cluster const&, jobs::NodeReader&) {
  return Facts{};
}

Result<TagsSet::Plan> TagsSet::plan(Op const& op, model::Cluster const& cluster, Facts const&) {
  TRY(check_tags(op.tags));
  auto const name = op.name.value_or("");
  auto tags = TRY(tags_of(op.kind, name, cluster));
  for (auto const& tag : op.tags) {
    if (std::ranges::find(tags, tag) == tags.end()) tags.push_back(tag);
  }
  return Plan{.kind = op.kind, .name = name, .tags = std::move(tags)};
}

Result<json::value> TagsSet::apply(Plan const& plan, jobs::JobContext& job) {
  return apply_tags(plan, job);
}

}  // namespace flotte::units
