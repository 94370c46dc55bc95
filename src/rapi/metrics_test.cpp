#include "rapi/metrics.h"

#include <gmock/gmock.h>

#include "rapi/api_fixture.h"

namespace flotte::rapi {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MetricsTest : public ApiTest {
 protected:
  MetricsTest() {
    make_cluster();
    EXPECT_TRUE(config_->update(
        [](store::ClusterEdit& edit) -> Result<void> {
          edit.put(model::Instance{.uuid = InstanceId("web1"),
                                   .name = "web1",
                                   .primary_node = NodeId("n"),
                                   .hypervisor = model::HypervisorKind::Fake,
                                   .admin_state = model::AdminState::Up});
          auto node = **edit.cluster().node(NodeId("n"));
          node.name = "n\"1\\";
          edit.put(std::move(node));
          return {};
        },
        {}));
  }
};

TEST_F(MetricsTest, what_is_known_is_told_and_what_is_not_is_not) {
  auto const text = *metrics(services_);
  EXPECT_THAT(text, HasSubstr("# HELP flotte_instances Instances.\n"
                              "# TYPE flotte_instances gauge\n"
                              "flotte_instances{status=\"ERROR_down\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("flotte_instance_up{instance=\"web1\",node=\"n\\\"1\\\\\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("flotte_instance_wanted_up{instance=\"web1\",node=\"n\\\"1\\\\\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("flotte_node_answers{node=\"n\\\"1\\\\\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("flotte_node_memory_size_bytes{"));
  EXPECT_THAT(text, HasSubstr("flotte_node_primary_instances{node=\"n\\\"1\\\\\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("flotte_cluster_info{name=\"cluster\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("flotte_queue_drained 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("flotte_instance_memory_bytes{"))) << "it does not run";

  nodes_.set_reachable(NodeId("n"), false);
  auto const without = *metrics(services_);
  EXPECT_THAT(without, HasSubstr("flotte_node_answers{node=\"n\\\"1\\\\\"} 0\n"));
  EXPECT_THAT(without, Not(HasSubstr("flotte_instance_up{")));
  EXPECT_THAT(without, HasSubstr("flotte_instance_wanted_up{"));
}

TEST_F(MetricsTest, jobs_are_counted_by_their_status) {
  queue_->start();
  json::object const op{{"OP_ID", "OP_TEST_DELAY"}, {"duration", 0}};
  for (int i = 0; i < 3; ++i) {
    auto const id = queue_->submit({json::array{op}}).front();
    while (!jobs::is_final(queue_->job(*id)->status())) std::this_thread::yield();
  }
  EXPECT_THAT(*metrics(services_), HasSubstr("flotte_jobs{status=\"success\"} 3\n"));
}

}  // namespace
}  // namespace flotte::rapi
