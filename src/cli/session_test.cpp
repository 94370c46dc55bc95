#include "cli/session.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "net/server.h"

namespace flotte::cli {
namespace {

// A controller that answers a question, is killed after it has read the next request, and is back
// at once: says how many came.
class DyingController {
 public:
  explicit DyingController(std::string const& path) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr const*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
    thread_ = std::thread([this] { serve(); });
  }
  int end() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
    return requests_;
  }

 private:
  void serve() {
    for (int peer = 0; (peer = ::accept(fd_, nullptr, nullptr)) >= 0; ::close(peer)) {
      char buffer[4096];
      while (::read(peer, buffer, sizeof buffer) > 0 && ++requests_ == 1) {
        constexpr std::string_view answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        EXPECT_EQ(::write(peer, answer.data(), answer.size()), ssize_t{answer.size()});
      }
    }
  }
  int fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int requests_ = 0;
  std::thread thread_;
};

TEST(Session, a_job_is_not_submitted_again_when_no_answer_comes) {
  char root[] = "/tmp/flotte-session-XXXXXX";
  ASSERT_NE(::mkdtemp(root), nullptr);
  Paths const paths{std::string(root)};
  DyingController controller(paths.controller_socket());
  Session session(paths);
  EXPECT_TRUE(session.get("cluster"));
  EXPECT_FALSE(session.submit(boost::json::array{boost::json::array{}}));
  EXPECT_EQ(controller.end(), 2);
  std::filesystem::remove_all(root);
}

// The stream ends after a long silence, as when the controller is restarted.
TEST(Session, who_waited_long_looks_for_the_controller_as_long_as_others) {
  char root[] = "/tmp/flotte-session-XXXXXX";
  ASSERT_NE(::mkdtemp(root), nullptr);
  Paths const paths{std::string(root)};
  constexpr auto reconnect_max = std::chrono::seconds(2);
  int streams = 0;
  std::filesystem::create_directories(
      std::filesystem::path(paths.controller_socket()).parent_path());
  auto server = net::Server::create(
      {.unix_socket = net::UnixListen{.path = paths.controller_socket()}},
      [&](net::Request const&, net::Responder& responder) {
        EXPECT_TRUE(responder.start_stream(200, "application/x-ndjson"));
        if (++streams == 1) return std::this_thread::sleep_for(reconnect_max * 1.2);
        EXPECT_TRUE(responder.write(
            R"({"job":7,"done":{"status":"success","opstatus":["success"],"opresult":[5]}})"
            "\n"));
        EXPECT_TRUE(responder.finish());
      });
  ASSERT_TRUE(server) << server.error().message;
  Session session(paths);
  auto const result = session.follow(7, {.prints_log = false, .reconnect_max = reconnect_max});
  ASSERT_TRUE(result) << result.error().text;
  EXPECT_EQ(*result, boost::json::array{5});
  EXPECT_EQ(streams, 2);
  server->reset();
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace flotte::cli
