#include "units/tags_del.h"

#include <algorithm>

namespace flotte::units {

Result<jobs::LockSet> TagsDel::locks(Op const& op, model::Cluster const& cluster) {
  return tag_locks(op.kind, op.name.value_or(""), cluster);
}

Result<TagsDel::Facts> TagsDel::inspect(Op const&, model::Cluster const&, jobs::NodeReader&) {
  return Facts{};
}

Result<TagsDel::Plan> TagsDel::plan(Op const& op, model::Cluster const& cluster, Facts const&) {
  TRY(check_tags(op.tags));
  auto const name = op.name.value_or("");
  auto tags = TRY(tags_of(op.kind, name, cluster));
  std::vector<std::string> missing;
  for (auto const& tag : op.tags) {
    if (std::erase(tags, tag) == 0) missing.push_back(fmt::format("'{}'", tag));
  }
  if (!missing.empty()) {
    return fail(ErrorCode::UnknownEntity, "Tag(s) {} not found", fmt::join(missing, ", "));
  }
  return Plan{.kind = op.kind, .name = name, .tags = std::move(tags)};
}

Result<json::value> TagsDel::apply(Plan const& plan, jobs::JobContext& job) {
  return apply_tags(plan, job);
}

}  // namespace flotte::units
