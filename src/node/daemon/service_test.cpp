// Who may ask, by which door: what the kernel and TLS let through is looked at once more.
#include "node/daemon/service.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "node/daemon/test_daemon.h"
#include "rpc/wire.h"

namespace flotte::node {
namespace {

class Answer final : public net::Responder {
 public:
  Result<void> send(net::Response const& response) override {
    status = response.status;
    return {};
  }
  Result<void> start_stream(unsigned with, std::string_view) override {
    status = with;
    return {};
  }
  Result<void> write(std::string_view) override { return {}; }
  Result<void> finish() override { return {}; }
  Result<std::unique_ptr<net::Stream>> hand_over(unsigned, std::string_view) override {
    return fail(ErrorCode::InternalError, "Nothing is streamed here");
  }
  bool client_gone() override { return false; }

  unsigned status = 0;
};

class Doors : public ::testing::Test {
 protected:
  Doors() {
    dispatcher_.on<rpc::NodeInfo>(
        [](rpc::NodeInfo const&, rpc::CallContext const&, rpc::Progress const&) {
          return Result<rpc::NodeFacts>(rpc::NodeFacts{});
        });
  }

  unsigned status(Door door, net::Peer const& peer) {
    net::Request request;
    request.method = "POST";
    request.path = fmt::format("{}{}", rpc::call_path, rpc::NodeInfo::name);
    request.body = R"({"arguments":{},"context":{}})";
    request.peer = peer;
    Answer answer;
    service_.handle(door, request, answer);
    return answer.status;
  }

  static net::Peer user(uid_t uid) { return {.transport = net::Transport::Unix, .uid = uid}; }
  static net::Peer certified(std::string name) {
    return {.transport = net::Transport::Tls, .certificate_name = std::move(name)};
  }

  TemporaryRoot directory_;
  SystemClock clock_;
  rpc::Dispatcher dispatcher_;
  LeaderEpoch epoch_{directory_.path() + "/epoch", 0};
  Service service_{dispatcher_, epoch_, clock_, {}};
};

TEST_F(Doors, the_local_one_is_for_root_and_who_the_daemon_runs_as) {
  EXPECT_EQ(status(Door::Local, user(0)), 200U);
  EXPECT_EQ(status(Door::Local, user(::geteuid())), 200U);
  EXPECT_EQ(status(Door::Local, user(::geteuid() + 1)), 403U);
  EXPECT_EQ(status(Door::Local, certified("flotte-controller")), 403U);
}

TEST_F(Doors, that_to_the_network_is_for_the_controller) {
  EXPECT_EQ(status(Door::Network, certified("flotte-controller")), 200U);
  EXPECT_EQ(status(Door::Network, certified("")), 403U);
  EXPECT_EQ(status(Door::Network, certified("0c7ac7a4-6c5e-4ae4-8a35-2f5e7a0f1c11")), 403U);
  EXPECT_EQ(status(Door::Network, user(0)), 403U);
}

}  // namespace
}  // namespace flotte::node
