#include "node/hypervisor/kvm/qmp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/json/value.hpp>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

namespace flotte::node {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr std::string_view greeting = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";

// A monitor that serves one client with a script of lines: what it says after each line it gets.
class Monitor {
 public:
  explicit Monitor(std::vector<std::string> says) {
    char pattern[] = "/tmp/flotte-qmp-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path().c_str());
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 1);
    thread_ = std::thread([this, says = std::move(says)] { serve(says); });
  }
  ~Monitor() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    std::filesystem::remove_all(directory_);
  }
  std::string path() const { return directory_ + "/qmp"; }

 private:
  void serve(std::vector<std::string> const& says) {
    int const client = ::accept(listener_, nullptr, nullptr);
    if (client < 0) return;
    for (auto const& text : says) {
      (void)!::write(client, text.data(), text.size());
      char line[4096];
      if (::read(client, line, sizeof line) <= 0) break;
    }
    ::close(client);
  }

  std::string directory_;
  int listener_ = -1;
  std::thread thread_;
};

constexpr std::string_view agreed = "{\"return\": {}, \"id\": 1}\r\n";

TEST(Qmp, tells_answers_from_events) {
  Monitor monitor({std::string(greeting), std::string(agreed),
                   "{\"event\": \"RESET\", \"data\": {}}\r\n{\"return\": 7, \"id\": 2}\r\n"});
  auto qmp = Qmp::connect(monitor.path(), 2s);
  ASSERT_TRUE(qmp) << qmp.error().message;
  auto const answer = qmp->run("x");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, 7);
  EXPECT_TRUE(qmp->wait_for_event("RESET", 0ms));
  EXPECT_FALSE(qmp->wait_for_event("RESET", 10ms));
}

TEST(Qmp, a_late_answer_is_not_taken_for_the_next_one) {
  Monitor monitor({std::string(greeting), std::string(agreed), "",
                   "{\"return\": \"late\", \"id\": 2}\r\n{\"return\": \"own\", \"id\": 3}\r\n"});
  auto qmp = Qmp::connect(monitor.path(), 2s);
  ASSERT_TRUE(qmp);
  auto const first = qmp->run("slow", {}, 20ms);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().error_class, ErrorClass::Unreachable);
  auto const second = qmp->run("quick");
  ASSERT_TRUE(second);
  EXPECT_EQ(*second, "own");
}

TEST(Qmp, an_error_is_quoted) {
  Monitor monitor({std::string(greeting), std::string(agreed),
                   "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 2}\r\n"});
  auto qmp = Qmp::connect(monitor.path(), 2s);
  ASSERT_TRUE(qmp);
  EXPECT_EQ(qmp->run("cont").error().message, "QEMU refused cont: no");
}

TEST(Qmp, nonsense_is_an_error) {
  for (auto const* text : {"hello\r\n", "[1]\r\n", "{}\r\n", ""}) {
    Monitor monitor({text});
    EXPECT_FALSE(Qmp::connect(monitor.path(), 50ms)) << text;
  }
}

TEST(Qmp, an_endless_line_is_cut_short) {
  Monitor monitor({std::string(5 << 20, 'x')});
  auto const qmp = Qmp::connect(monitor.path(), 5s);
  ASSERT_FALSE(qmp);
  EXPECT_THAT(qmp.error().message, HasSubstr("too long"));
}

TEST(Qmp, nobody_there_is_named) {
  auto const qmp = Qmp::connect("/nonexistent/qmp", 10ms);
  ASSERT_FALSE(qmp);
  EXPECT_EQ(qmp.error().error_class, ErrorClass::Unreachable);
  EXPECT_THAT(qmp.error().message, HasSubstr("/nonexistent/qmp"));
}

}  // namespace
}  // namespace flotte::node
