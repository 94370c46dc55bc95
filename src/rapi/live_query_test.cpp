#include "rapi/live_query.h"

#include <gmock/gmock.h>

#include <mutex>

#include "rapi/api_fixture.h"

namespace flotte::rapi {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

// Nodes with an export each, named after them; "silent" says nothing.
class Exporters final : public rpc::Node {
 public:
  Result<json::value> invoke(model::Node const& node, std::string_view call, json::object const&,
                             rpc::CallContext const&, rpc::Progress const&) override {
    std::scoped_lock const lock(mutex_);
    asked.push_back(fmt::format("{} {}", node.name, call));
    if (node.name == "silent") return fail(ErrorCode::EnvironmentError, "no answer");
    return json::value{{"names", json::array{json::value("of " + node.name)}}};
  }

  std::vector<std::string> asked;

 private:
  std::mutex mutex_;
};

class ExportQuery : public ApiTest {
 protected:
  ExportQuery() {
    make_cluster();
    auto const done = config_->update(
        [](store::ClusterEdit& edit) -> Result<void> {
          for (std::string const name : {"away", "other", "silent"}) {
            edit.put(model::Node{.uuid = NodeId(name),
                                 .name = name,
                                 .group = GroupId("g"),
                                 .offline = name == "away"});
          }
          return {};
        },
        {});
    EXPECT_TRUE(done) << done.error().message;
  }

  std::string rows(json::object body) {
    body.emplace("what", "export");
    jobs::Seams const seams{clock_, random_, store_, *config_, exporters_, keys_};
    auto const answer = run_query(seams, *queue_, 1, body);
    return answer ? json::serialize(answer->at("data")) : answer.error().message;
  }

  Exporters exporters_;
};

TEST_F(ExportQuery, every_node_that_is_not_offline_is_asked) {
  EXPECT_EQ(rows({{"fields", json::array{"node", "export"}}}),
            R"([[[0,"away"],[4,null]],[[0,"n1"],[0,"of n1"]],[[0,"other"],[0,"of other"]],)"
            R"([[0,"silent"],[2,null]]])");
  EXPECT_THAT(exporters_.asked,
              UnorderedElementsAre("n1 export_list", "other export_list", "silent export_list"));
}

TEST_F(ExportQuery, of_named_nodes_only_these_are_asked) {
  EXPECT_EQ(rows({{"fields", json::array{"export"}}, {"names", json::array{"other", "away"}}}),
            R"([[[0,"of other"]],[[4,null]]])");
  EXPECT_THAT(exporters_.asked, ElementsAre("other export_list"));
}

}  // namespace
}  // namespace flotte::rapi
