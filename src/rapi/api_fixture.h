// ApiTest: what tests of both APIs stand on: a queue over a store, a configuration and nodes that
// are all in memory, and Heard, which takes what is answered. Used by *_test.cpp only.
#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <future>
#include <sstream>

#include "model/params.h"
#include "rapi/services.h"
#include "rpc/fake_node.h"
#include "store/config_store.h"
#include "store/memory_store.h"
#include "units/all.h"

namespace flotte::rapi {

// What a stream says, to its end.
class Recorder final : public net::Stream {
 public:
  explicit Recorder(std::promise<std::string> all)
      : always_writable_(::eventfd(0, EFD_CLOEXEC)), all_(std::move(all)) {}
  ~Recorder() override {
    ::close(always_writable_);
    all_.set_value(std::move(text_));
  }
  void write(std::string_view chunk) override { text_ += chunk; }
  void finish() override {}
  bool flush() override { return true; }
  std::size_t unsent_bytes() const override { return 0; }
  bool is_client_gone() const override { return false; }
  int socket() const override { return always_writable_; }

 private:
  int always_writable_;
  std::promise<std::string> all_;
  std::string text_;
};

// Takes what is answered.
class Heard final : public net::Responder {
 public:
  Result<void> send(net::Response const& response) override {
    status = response.status;
    headers = response.headers;
    body = response.body;
    return {};
  }
  Result<void> start_stream(unsigned with, std::string_view) override {
    status = with;
    return {};
  }
  Result<void> write(std::string_view chunk) override {
    body += chunk;
    return {};
  }
  Result<void> finish() override { return {}; }
  Result<std::unique_ptr<net::Stream>> hand_over(unsigned with, std::string_view) override {
    status = with;
    std::promise<std::string> all;
    streamed = all.get_future().share();
    return std::make_unique<Recorder>(std::move(all));
  }
  bool client_gone() override { return false; }

  // Of the jobs' log lines.
  std::vector<std::int64_t> serials() const {
    std::vector<std::int64_t> found;
    std::istringstream lines(body);
    for (std::string line; std::getline(lines, line);) {
      auto const parsed = *schema::parse(line);
      if (auto const* log = parsed.get_object().if_contains("log")) {
        found.push_back(log->at(0).get_int64());
      }
    }
    return found;
  }

  unsigned status = 0;
  net::Headers headers;
  std::string body;
  std::shared_future<std::string> streamed;
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() { units::add_all(units_); }

  void make_cluster() {
    auto const done = config_->update(
        [](store::ClusterEdit& edit) -> Result<void> {
          model::Settings settings;
          settings.uuid = ClusterId("c");
          settings.cluster_name = "cluster";
          settings.master_node = NodeId("n");
          settings.enabled_hypervisors = {model::HypervisorKind::Fake};
          settings.ipolicy = model::default_ipolicy();
          edit.put(std::move(settings));
          edit.put(model::Group{.uuid = GroupId("g"), .name = "default"});
          edit.put(model::Node{.uuid = NodeId("n"), .name = "n1", .group = GroupId("g")});
          return {};
        },
        {});
    EXPECT_TRUE(done) << done.error().message;
  }

  SystemClock clock_;
  SeededRandom random_{1};
  store::MemoryStore store_;
  rpc::FakeNode nodes_;
  jobs::MemoryKeys keys_;
  jobs::UnitTable units_;
  std::unique_ptr<store::ConfigStore> config_ =
      std::move(*store::ConfigStore::create(store_, clock_));
  jobs::Seams seams_{clock_, random_, store_, *config_, nodes_, keys_};
  std::unique_ptr<jobs::JobQueue> queue_ =
      std::move(*jobs::JobQueue::create(seams_, units_, 1, {}));
  Followers followers_{*queue_, clock_, 100};
  std::optional<std::int64_t> paused_until_;
  std::vector<bool> looks_;
  Services services_{.seams = seams_,
                     .queue = *queue_,
                     .leader_epoch = 1,
                     .followers = followers_,
                     .initialise = [](json::object const&,
                                      jobs::Principal const&) { return Result<JobId>(JobId{1}); },
                     .destroy = [] { return Result<void>(); },
                     .pause_watcher =
                         [this](std::optional<std::int64_t> until) {
                           paused_until_ = until;
                           return Result<void>();
                         },
                     .watcher_paused_until = [this] { return paused_until_; },
                     .watcher_looks =
                         [this](bool ignores_pause) {
                           looks_.push_back(ignores_pause);
                           return Result<void>();
                         }};
};

}  // namespace flotte::rapi
