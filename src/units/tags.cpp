#include "units/tags.h"

#include <re2/re2.h>

#include <algorithm>

#include "jobs/job_context.h"
#include "store/config_store.h"

namespace flotte::units {

namespace json = boost::json;

namespace {

constexpr std::size_t tag_characters_max = 128;
constexpr std::size_t tags_max = 4096;

Failure unknown_kind(std::string_view kind) {
  return fail(ErrorCode::WrongInput,
              "Tags of kind '{}' are not known or not built yet; cluster, node, nodegroup, "
              "network and instance are",
              kind);
}

Result<void> put_tags(TagsPlan const& plan, store::ClusterEdit& edit) {
  auto const& [kind, name, given] = plan;
  auto tags = kept_tags(given);
  auto const put = [&](auto object) -> Result<void> {
    object.tags = std::move(tags);
    edit.put(std::move(object));
    return {};
  };
  auto const& cluster = edit.cluster();
  if (kind == "cluster") return put(edit.settings());
  if (kind == "instance") return put(TRY(edit.get(TRY(cluster.instance(name))->uuid)));
  if (kind == "node") return put(TRY(edit.get(TRY(cluster.node(name))->uuid)));
  if (kind == "nodegroup") return put(TRY(edit.get(TRY(cluster.group(name))->uuid)));
  if (kind == "network") return put(TRY(edit.get(TRY(cluster.network(name))->uuid)));
  return unknown_kind(kind);
}

}  // namespace

Result<void> check_tags(std::vector<std::string> const& tags) {
  if (tags.empty()) return fail(ErrorCode::WrongInput, "No tags given");
  if (tags.size() > tags_max) return fail(ErrorCode::WrongInput, "At most {} tags", tags_max);
  for (auto const& tag : tags) {
    auto const is_continued = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
    auto const characters =
        tag.size() - static_cast<std::size_t>(std::ranges::count_if(tag, is_continued));
    if (characters > tag_characters_max) {
      return fail_as(ErrorClass::Tag, ErrorCode::WrongInput, "Tag too long (>{} characters)",
                     tag_characters_max);
    }
    if (tag.empty()) {
      return fail_as(ErrorClass::Tag, ErrorCode::WrongInput, "Tags cannot be empty");
    }
    // Letters and digits of any script, as Python's \w; what is no UTF-8 matches nothing.
    static re2::RE2 const valid(R"([\p{L}\p{N}\p{M}_.+*/:@-]+)");
    if (!re2::RE2::FullMatch(tag, valid)) {
      return fail_as(ErrorClass::Tag, ErrorCode::WrongInput, "Tag contains invalid characters");
    }
  }
  return {};
}

std::vector<std::string> kept_tags(std::vector<std::string> tags) {
  std::ranges::sort(tags);
  auto const twice = std::ranges::unique(tags);
  tags.erase(twice.begin(), twice.end());
  return tags;
}

Result<jobs::LockSet> tag_locks(std::string const& kind, std::string const& name,
                                model::Cluster const& cluster) {
  using namespace jobs;
  if (kind == "cluster") return LockSet{exclusive(LockLevel::Cluster, "settings")};
  if (kind == "instance") {
    return LockSet{exclusive(LockLevel::Instance, TRY(cluster.instance(name))->name)};
  }
  if (kind == "node")
    return LockSet{exclusive(LockLevel::Node, TRY(cluster.node(name))->uuid.text())};
  if (kind == "nodegroup") {
    return LockSet{exclusive(LockLevel::NodeGroup, TRY(cluster.group(name))->uuid.text())};
  }
  if (kind == "network") {
    return LockSet{exclusive(LockLevel::Network, TRY(cluster.network(name))->uuid.text())};
  }
  return unknown_kind(kind);
}

Result<std::vector<std::string>> tags_of(std::string const& kind, std::string const& name,
                                         model::Cluster const& cluster) {
  if (kind == "cluster") return cluster.settings().tags;
  if (kind == "instance") return TRY(cluster.instance(name))->tags;
  if (kind == "node") return TRY(cluster.node(name))->tags;
  if (kind == "nodegroup") return TRY(cluster.group(name))->tags;
  if (kind == "network") return TRY(cluster.network(name))->tags;
  return unknown_kind(kind);
}

Result<json::value> apply_tags(TagsPlan const& plan, jobs::JobContext& job) {
  TRY(job.commit("Changing the tags",
                 [&](store::ClusterEdit& edit) -> Result<void> { return put_tags(plan, edit); }));
  return nullptr;
}

schema::Fields TagsPlan::fields() {
  using schema::field;
  static constexpr schema::Field table[] = {
      field<&TagsPlan::kind>("kind", "What carries the tags."),
      field<&TagsPlan::name>("name", "Its name."),
      field<&TagsPlan::tags>("tags", "All its tags from now on."),
  };
  return table;
}

}  // namespace flotte::units
