#include "node/daemon/node_daemon.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <boost/json/serialize.hpp>
#include <future>
#include <map>
#include <thread>

#include "net/certificates.h"
#include "node/daemon/cluster_keys.h"
#include "node/daemon/settings.h"
#include "node/daemon/state_files.h"
#include "node/daemon/test_daemon.h"
#include "sys/deeds.h"
#include "sys/defaults_file.h"

namespace flotte::node {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

mode_t mode_of(std::string const& path) {
  struct stat now{};
  EXPECT_EQ(::stat(path.c_str(), &now), 0) << path;
  return now.st_mode & 07777;
}

rpc::CallContext job_context(std::int64_t epoch, std::int64_t step) {
  return {.leader_epoch = epoch, .job = 7, .step = step, .timeout = 30s};
}

// A call that waits until the test lets it go on.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  int entered = 0;
  bool is_open = false;
  bool was_asked_to_stop = false;

  Result<rpc::NodeFacts> pass(rpc::Progress const& progress) {
    {
      std::lock_guard const lock(mutex);
      ++entered;
    }
    changed.notify_all();
    progress(rpc::say_line("begun"));
    for (;;) {
      std::unique_lock lock(mutex);
      if (changed.wait_for(lock, 10ms, [&] { return is_open; })) break;
      if (progress(just_asking)) continue;
      was_asked_to_stop = true;
      return fail(ErrorCode::EnvironmentError, "stopped");
    }
    rpc::NodeFacts facts;
    facts.boot_id = "passed";
    return facts;
  }
  void open() {
    std::lock_guard const lock(mutex);
    is_open = true;
    changed.notify_all();
  }
  void wait_for_entry() {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, 20s, [&] { return entered > 0; }));
  }
};

Machinery gated(Gate& gate) {
  Machinery machinery;
  machinery.add_calls = [&gate](rpc::Dispatcher& dispatcher) {
    dispatcher.on<rpc::NodeInfo>(
        [&gate](rpc::NodeInfo const&, rpc::CallContext const&, rpc::Progress const& progress) {
          return gate.pass(progress);
        });
  };
  return machinery;
}

TEST(NodeDaemon, serves_only_the_local_door_before_there_is_a_cluster) {
  TestDaemon test;
  EXPECT_EQ(test.daemon->port(), 0);
  EXPECT_TRUE(test.call_locally("test_delay", {{"duration_s", 0.0}}));
  EXPECT_EQ(mode_of(test.paths.node_socket()), 0600U);
}

TEST(NodeDaemon, bootstrap_makes_the_files_and_opens_the_port_at_once) {
  TestDaemon test;
  auto const answer = test.bootstrap();
  ASSERT_TRUE(answer) << answer.error().message;
  auto const reply = schema::decode<rpc::BootstrapReply>(*answer);
  EXPECT_EQ(reply->port, test.daemon->port());
  EXPECT_EQ(reply->primary_ip, "127.0.0.1");
  EXPECT_FALSE(reply->node_name.empty());

  auto const& lib = test.paths.lib();
  for (auto const* name : {"/node.pem", "/ca.key", "/rapi.pem", "/hmac.key",
                           "/cluster-domain-secret", "/controller/client.pem"}) {
    EXPECT_EQ(mode_of(lib + name), 0600U) << name;
  }
  EXPECT_EQ(mode_of(lib + "/ssconf_cluster_name"), 0444U);
  EXPECT_EQ(contents_of(lib + "/ssconf_cluster_name"), "c1.example.com\n");
  EXPECT_EQ(contents_of(lib + "/cluster-name"), "c1.example.com\n");
  EXPECT_EQ(mode_of(test.paths.controller()), 0700U);
  for (auto const& path : {test.paths.run(), test.paths.logs(), test.paths.controller_run(),
                           test.paths.controller_sockets(), test.paths.etc()}) {
    EXPECT_EQ(mode_of(path), 0755U) << path;
  }
  EXPECT_EQ(mode_of(test.paths.controller_log()), 0640U);
  auto const certificate = net::inspect_certificate(contents_of(lib + "/node.pem"));
  EXPECT_EQ(certificate->common_name, test_uuid);
  EXPECT_EQ(contents_of(lib + "/ssconf_master_candidates_certs"),
            std::string(test_uuid) + "=" + certificate->sha1 + "\n");
  EXPECT_EQ(net::inspect_certificate(contents_of(test.paths.controller_certificate()))->common_name,
            "flotte-controller");
}

TEST(NodeDaemon, refuses_a_second_cluster_and_repeats_the_same_answer) {
  TestDaemon test;
  auto const first = test.bootstrap();
  auto const secret = contents_of(test.paths.lib() + "/cluster-domain-secret");
  EXPECT_EQ(*test.bootstrap(), *first);
  auto other = TestDaemon::wish();
  other.cluster_name = "other.example.com";
  auto const refused = test.bootstrap(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error_class, ErrorClass::Prereq);
  EXPECT_THAT(refused.error().message, HasSubstr("Cluster is already initialised"));
  EXPECT_EQ(contents_of(test.paths.lib() + "/cluster-domain-secret"), secret);
}

TEST(NodeDaemon, bootstrap_finishes_what_a_crash_left_half_done) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  test.stop();
  std::filesystem::remove(cluster_name_file(test.paths));
  std::filesystem::remove(test.paths.controller_certificate());
  test.start();
  EXPECT_EQ(test.daemon->port(), 0);
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  EXPECT_TRUE(client.ask(test.node(), rpc::TestDelay{0}, job_context(1, 1)));
}

TEST(NodeDaemon, a_refused_bootstrap_leaves_nothing) {
  Machinery machinery;
  machinery.raise_master_address = [](Membership const&) -> Result<void> {
    return fail(ErrorCode::EnvironmentError, "no such interface");
  };
  TestDaemon test(machinery);
  auto wish = TestDaemon::wish();
  wish.master_ip = "192.0.2.7";
  wish.master_netdev = "none0";
  EXPECT_FALSE(test.bootstrap(wish));
  EXPECT_EQ(test.daemon->port(), 0);
  EXPECT_FALSE(std::filesystem::exists(test.paths.node_certificate()));
  EXPECT_FALSE(std::filesystem::exists(test.paths.lib() + "/ssconf_cluster_name"));
  EXPECT_TRUE(test.bootstrap());
}

TEST(NodeDaemon, who_leaves_drops_the_address_that_the_cluster_has_now) {
  std::string dropped;
  Machinery machinery;
  machinery.raise_master_address = [](Membership const&) -> Result<void> { return {}; };
  std::function<bool()> answers;
  bool is_stuck = true;
  machinery.drop_master_address = [&](Membership const& member) -> Result<void> {
    EXPECT_FALSE(answers()) << "a controller could bring it up again";
    if (is_stuck) return fail(ErrorCode::EnvironmentError, "it is stuck");
    dropped =
        fmt::format("{} of {} on {}", member.master_ip, member.cluster_name, member.master_netdev);
    return {};
  };
  TestDaemon test(machinery);
  auto wish = TestDaemon::wish();
  wish.master_ip = "192.0.2.7";
  wish.master_netdev = "br0";
  ASSERT_TRUE(test.bootstrap(wish));
  for (auto const& [key, value] :
       {std::pair{"cluster_name", "c2.example.com"}, std::pair{"master_ip", "192.0.2.8"},
        std::pair{"master_netdev", "br1"}}) {
    ASSERT_TRUE(
        write_state_file(test.paths.lib() + "/ssconf_" + key, std::string(value) + "\n", 0444));
  }
  rpc::NodeClient client(test.paths);
  answers = [&, node = test.node()] {
    return client.ask(node, rpc::TestDelay{0}, job_context(1, 1)).has_value();
  };
  EXPECT_TRUE(answers());
  EXPECT_FALSE(test.call_locally(rpc::LeaveCluster::name, {}));
  EXPECT_NE(test.daemon->port(), 0) << "it is still a node";
  is_stuck = false;
  ASSERT_TRUE(test.call_locally(rpc::LeaveCluster::name, {}));
  EXPECT_EQ(dropped, "192.0.2.8 of c2.example.com on br1");
}

TEST(NodeDaemon, obeys_the_administrators_list_of_file_storage_directories) {
  TestDaemon test;
  auto wish = TestDaemon::wish();
  wish.file_storage_dirs = {test.root.path() + "/elsewhere"};
  std::ofstream(test.paths.file_storage_paths_file()) << "/srv/other\n";
  auto const refused = test.bootstrap(wish);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("add a line"));
  std::filesystem::remove(test.paths.file_storage_paths_file());
  ASSERT_TRUE(test.bootstrap(wish));
  EXPECT_EQ(contents_of(test.paths.file_storage_paths_file()), wish.file_storage_dirs[0] + "\n");
  EXPECT_TRUE(std::filesystem::is_directory(wish.file_storage_dirs[0]));
}

TEST(NodeDaemon, refuses_names_that_could_leave_the_directory) {
  TestDaemon test;
  for (auto const* name : {"", "../x", "a\nb", "A B"}) {
    auto wish = TestDaemon::wish();
    wish.cluster_name = name;
    EXPECT_FALSE(test.bootstrap(wish)) << name;
  }
  auto wish = TestDaemon::wish();
  wish.node_uuid = NodeId("not-a-uuid");
  EXPECT_FALSE(test.bootstrap(wish));
}

TEST(NodeDaemon, answers_the_controller_over_mutual_tls) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  auto const done = client.ask(test.node(), rpc::TestDelay{0}, job_context(1, 1));
  EXPECT_TRUE(done) << done.error().message;
  auto const bad = client.ask(test.node(), rpc::TestDelay{-1}, job_context(1, 2));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::WrongInput);
  EXPECT_EQ(bad.error().error_class, ErrorClass::ByStage);
}

TEST(NodeDaemon, refuses_unknown_calls_and_those_of_the_local_door_by_name) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  for (auto const* name :
       {"frobnicate", "bootstrap", "node_leave_cluster", "crypto_renew", "../x"}) {
    auto const refused = client.invoke(test.node(), name, {}, job_context(1, 1), {});
    ASSERT_FALSE(refused) << name;
    EXPECT_THAT(refused.error().message, HasSubstr(name));
    EXPECT_NE(refused.error().error_class, ErrorClass::Unreachable);
  }
}

TEST(NodeDaemon, refuses_any_certificate_but_the_controllers) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  // The node's own is issued by the same authority.
  rpc::NodeClient as_node({test.paths.node_certificate(), test.paths.cluster_ca()});
  auto const refused = as_node.ask(test.node(), rpc::TestDelay{0}, job_context(1, 1));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("Only the controller may call"));

  auto const authority = net::make_authority("somebody-else", test.clock.wall());
  auto const forged = net::issue_certificate(*authority, {"flotte-controller"}, test.clock.wall());
  auto const file = test.root.path() + "/forged.pem";
  std::ofstream(file) << forged->pem();
  rpc::NodeClient as_forger({file, test.paths.cluster_ca()});
  auto const unknown = as_forger.ask(test.node(), rpc::TestDelay{0}, job_context(1, 1));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().error_class, ErrorClass::Unreachable);
}

TEST(NodeDaemon, client_refuses_a_node_of_another_name) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  auto node = test.node();
  node.uuid = NodeId("00000000-0000-4000-8000-000000000000");
  auto const refused = client.ask(node, rpc::TestDelay{0}, job_context(1, 1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error_class, ErrorClass::Unreachable);
  EXPECT_THAT(refused.error().message, HasSubstr("Node node1.example.com (127.0.0.1:"));
}

// --- Keys and certificates are renewed

Result<boost::json::value> renew(TestDaemon& test, rpc::RenewCrypto const& wish) {
  return test.call_locally(rpc::RenewCrypto::name, schema::encode(wish));
}

std::map<std::string, std::string> keys_of(Paths const& paths) {
  std::map<std::string, std::string> all;
  for (auto const& path :
       {paths.cluster_ca(), authority_key_file(paths), paths.node_certificate(),
        paths.controller_certificate(), paths.rapi_certificate(), paths.hmac_key(),
        paths.domain_secret(), paths.lib() + "/ssconf_master_candidates_certs"}) {
    all[std::filesystem::path(path).filename()] = contents_of(path);
  }
  return all;
}

std::vector<std::string> changed(std::map<std::string, std::string> const& before,
                                 std::map<std::string, std::string> const& after) {
  std::vector<std::string> names;
  for (auto const& [name, text] : before) {
    if (after.at(name) != text) names.push_back(name);
  }
  return names;
}

TEST(RenewCrypto, changes_what_is_asked_for_and_nothing_else) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  using Names = std::vector<std::string>;
  auto const cases = {
      std::pair{rpc::RenewCrypto{}, Names{}},
      std::pair{rpc::RenewCrypto{.cluster_certificate = true, .hmac_key = true, .dry_run = true},
                Names{}},
      std::pair{rpc::RenewCrypto{.rapi_certificate = true}, Names{"rapi.pem"}},
      std::pair{rpc::RenewCrypto{.hmac_key = true}, Names{"hmac.key"}},
      std::pair{rpc::RenewCrypto{.domain_secret = true}, Names{"cluster-domain-secret"}},
      std::pair{rpc::RenewCrypto{.node_certificates = true},
                Names{"client.pem", "node.pem", "ssconf_master_candidates_certs"}},
      std::pair{
          rpc::RenewCrypto{.cluster_certificate = true},
          Names{"ca.key", "ca.pem", "client.pem", "node.pem", "ssconf_master_candidates_certs"}},
  };
  for (auto const& [wish, names] : cases) {
    auto const before = keys_of(test.paths);
    auto const done = renew(test, wish);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(changed(before, keys_of(test.paths)), names);
    EXPECT_THAT(cluster_file_faults(test.paths), ::testing::IsEmpty());
  }
  EXPECT_FALSE(std::filesystem::exists(next_authority_file(test.paths)));
  auto const shown = net::inspect_certificate(contents_of(test.paths.node_certificate()));
  EXPECT_EQ(keys_of(test.paths)["ssconf_master_candidates_certs"],
            std::string(test_uuid) + "=" + shown->sha1 + "\n");
}

TEST(RenewCrypto, takes_what_others_made) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  auto const own = net::make_self_signed_rsa({"web"}, test.clock.wall(), net::Days(9))->pem();
  ASSERT_TRUE(renew(test, {.rapi_certificate = true,
                           .rapi_pem = own,
                           .rapi_file = "/root/own.pem",
                           .domain_secret = true,
                           .domain_secret_text = "\r\n the other's secret\r\n\n",
                           .domain_secret_file = "/root/secret"}));
  EXPECT_EQ(contents_of(test.paths.rapi_certificate()), own);
  EXPECT_EQ(contents_of(test.paths.domain_secret()), " the other's secret\n");
}

TEST(RenewCrypto, touches_nothing_when_something_is_wrong_with_it) {
  TestDaemon test;
  EXPECT_FALSE(renew(test, {.hmac_key = true})) << "no cluster";
  ASSERT_TRUE(test.bootstrap());
  auto const before = keys_of(test.paths);
  auto const expired =
      net::make_self_signed_rsa({"web"}, test.clock.wall() - net::Days(9), net::Days(2))->pem();
  auto const secret = [](std::string text) {
    return rpc::RenewCrypto{.hmac_key = true,
                            .domain_secret = true,
                            .domain_secret_text = std::move(text),
                            .domain_secret_file = "/root/secret"};
  };
  for (auto const& [wish, why] : std::vector<std::pair<rpc::RenewCrypto, std::string>>{
           std::pair{secret("\n\n"),
                     "from /root/secret: A cluster domain secret is one line; there is none"},
           std::pair{secret("a\nb"), "there are more"},
           std::pair{secret("a\tb"), "printable ASCII"}, std::pair{secret("\xc3\xa4"), "printable"},
           std::pair{secret(std::string(5000, 'x')), "4096 bytes"},
           std::pair{rpc::RenewCrypto{.cluster_certificate = true,
                                      .rapi_certificate = true,
                                      .rapi_pem = "nonsense",
                                      .rapi_file = "/root/own.pem",
                                      .hmac_key = true},
                     "Unable to load X509 certificate from /root/own.pem: Not a certificate"},
           std::pair{rpc::RenewCrypto{.rapi_certificate = true,
                                      .rapi_pem = expired,
                                      .rapi_file = "/root/own.pem",
                                      .hmac_key = true,
                                      .domain_secret = true},
                     "expired on"}}) {
    auto const refused = renew(test, wish);
    ASSERT_FALSE(refused) << why;
    EXPECT_THAT(refused.error().message, HasSubstr(why));
    EXPECT_EQ(refused.error().code, ErrorCode::WrongInput);
  }
  std::filesystem::remove(authority_key_file(test.paths));
  auto const unsigned_ = renew(test, {.node_certificates = true, .hmac_key = true});
  ASSERT_FALSE(unsigned_);
  EXPECT_THAT(unsigned_.error().message, HasSubstr("ca.key is missing"));
  EXPECT_EQ(changed(before, keys_of(test.paths)), std::vector<std::string>{"ca.key"});
  EXPECT_TRUE(renew(test, {.cluster_certificate = true})) << "which it mends";
}

// What both sides have at each moment of a renewal, as a kill would leave it.
struct Moments {
  static inline Moments* current = nullptr;
  TestDaemon& test;
  model::Node node;
  rpc::NodeClient old_client{test.paths};
  std::string copies = test.root.path() + "-moments";
  int count = 0;
  std::vector<std::string> unanswered;

  explicit Moments(TestDaemon& daemon) : test(daemon), node(daemon.node()) { current = this; }
  ~Moments() {
    sys::moment_hook = nullptr;
    std::filesystem::remove_all(copies);
  }
  static void look(std::string_view deed, std::string_view to_what) {
    sys::moment_hook = nullptr;
    current->look_at(fmt::format("{} {}", deed, to_what));
    sys::moment_hook = look;
  }
  void look_at(std::string const& moment) {
    ++count;
    rpc::NodeClient fresh(test.paths);
    for (auto* client : {&old_client, &fresh}) {
      auto const answer = client->ask(node, rpc::TestDelay{0}, job_context(1, count));
      if (!answer) unanswered.push_back(moment + ": " + answer.error().message);
    }
    auto const copy = fmt::format("{}/{}", copies, count);
    std::filesystem::create_directories(copy + "/var");
    std::filesystem::copy(test.root.path() + "/var/lib", copy + "/var/lib",
                          std::filesystem::copy_options::recursive);
  }
};

class RenewCryptoAtEachMoment : public ::testing::TestWithParam<bool> {};

TEST_P(RenewCryptoAtEachMoment, the_node_is_reached_and_a_new_start_finishes_it) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  Moments moments(test);
  sys::moment_hook = Moments::look;
  auto const done = renew(test, {.cluster_certificate = GetParam(), .node_certificates = true});
  sys::moment_hook = nullptr;
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_THAT(moments.unanswered, ::testing::IsEmpty());
  EXPECT_GT(moments.count, 5);
  for (int moment = 1; moment <= moments.count; ++moment) {
    SCOPED_TRACE(moment);
    Paths const paths(fmt::format("{}/{}", moments.copies, moment));
    auto const started = NodeDaemon::create(paths, Machinery{}, test.clock, test.random);
    ASSERT_TRUE(started) << started.error().message;
    EXPECT_FALSE(std::filesystem::exists(next_authority_file(paths)));
    EXPECT_EQ(contents_of(paths.cluster_ca()).find("BEGIN", 20), std::string::npos)
        << "one authority is left";
    auto node = test.node();
    node.port = (*started)->port();
    rpc::NodeClient client(paths);
    auto const answer = client.ask(node, rpc::TestDelay{0}, job_context(1, 1));
    EXPECT_TRUE(answer) << answer.error().message;
    auto const shown = net::inspect_certificate(contents_of(paths.node_certificate()));
    EXPECT_EQ(contents_of(paths.lib() + "/ssconf_master_candidates_certs"),
              std::string(test_uuid) + "=" + shown->sha1 + "\n");
  }
}
INSTANTIATE_TEST_SUITE_P(, RenewCryptoAtEachMoment, ::testing::Bool(),
                         [](auto const& is) -> std::string {
                           return is.param ? "authority" : "certificates";
                         });

TEST(RenewCrypto, goes_on_beside_calls_that_run_and_calls_that_come) {
  Gate gate;
  TestDaemon test(gated(gate));
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  auto running = std::async(std::launch::async, [&] {
    return client.ask(test.node(), rpc::NodeInfo{}, job_context(1, 1));
  });
  gate.wait_for_entry();
  std::atomic<bool> is_over = false;
  std::vector<std::future<std::string>> users;
  for (int user = 0; user < 3; ++user) {
    users.push_back(std::async(std::launch::async, [&, user] {
      // The first keeps its connections, the others make new ones.
      for (int i = 0; !is_over; ++i) {
        rpc::NodeClient fresh(test.paths);
        auto& used = user == 0 ? client : fresh;
        auto const answer =
            used.ask(test.node(), rpc::TestDelay{0}, job_context(1, 100 + 10 * i + user));
        if (!answer) return answer.error().message;
      }
      return std::string();
    }));
  }
  for (int i = 0; i < 10; ++i) {
    auto const done = renew(test, {.cluster_certificate = true});
    ASSERT_TRUE(done) << done.error().message;
  }
  is_over = true;
  for (auto& user : users) EXPECT_EQ(user.get(), "");
  gate.open();
  auto const answer = running.get();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->boot_id, "passed");
}

TEST(RenewCrypto, a_call_from_before_it_can_still_be_stopped) {
  Gate gate;
  TestDaemon test(gated(gate));
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  std::atomic<bool> goes_on = true;
  auto running = std::async(std::launch::async, [&] {
    return client.invoke(test.node(), rpc::NodeInfo::name, {}, job_context(1, 1),
                         [&](std::string_view) { return goes_on.load(); });
  });
  gate.wait_for_entry();
  ASSERT_TRUE(renew(test, {.cluster_certificate = true}));
  goes_on = false;
  EXPECT_FALSE(running.get());
  EXPECT_TRUE(gate.was_asked_to_stop);
}

TEST(RenewCrypto, those_with_the_last_certificates_are_strangers_afterwards) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  auto const keep = [&](std::string const& path) {
    auto const kept = test.root.path() + "/kept-" + std::filesystem::path(path).filename().string();
    std::filesystem::copy_file(path, kept);
    return kept;
  };
  auto const certificate = keep(test.paths.controller_certificate());
  auto const authority = keep(test.paths.cluster_ca());
  ASSERT_TRUE(renew(test, {.cluster_certificate = true}));
  rpc::NodeClient thief({certificate, test.paths.cluster_ca()});
  EXPECT_FALSE(thief.ask(test.node(), rpc::TestDelay{0}, job_context(1, 1)));
  rpc::NodeClient misled({test.paths.controller_certificate(), authority});
  EXPECT_FALSE(misled.ask(test.node(), rpc::TestDelay{0}, job_context(1, 2)));
}

TEST(NodeDaemon, refuses_a_deposed_leader_also_after_a_restart) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  EXPECT_TRUE(client.ask(test.node(), rpc::TestDelay{0}, job_context(5, 1)));
  auto const before = client.ask(test.node(), rpc::TestDelay{0}, job_context(4, 2));
  ASSERT_FALSE(before);
  EXPECT_THAT(before.error().message, HasSubstr("deposed leader"));
  test.stop();
  test.start();
  EXPECT_FALSE(client.ask(test.node(), rpc::TestDelay{0}, job_context(4, 3)));
  EXPECT_TRUE(client.ask(test.node(), rpc::TestDelay{0}, job_context(5, 3)));
}

TEST(NodeDaemon, a_damaged_epoch_file_stops_the_start) {
  TestDaemon test;
  test.stop();
  std::ofstream(test.paths.lib() + "/leader-epoch") << "12x";
  EXPECT_THROW(test.start(), std::runtime_error);
}

std::string local_socket;
bool was_port_opened_first = false;

TEST(NodeDaemon, answers_at_its_local_door_only_when_the_controller_can_reach_it) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  test.stop();
  local_socket = test.paths.node_socket();
  was_port_opened_first = false;
  sys::moment_hook = [](std::string_view deed, std::string_view to_what) {
    if (deed != "rename" || !to_what.ends_with("flotte-noded.port")) return;
    was_port_opened_first = !std::filesystem::exists(local_socket);
  };
  test.start();
  sys::moment_hook = nullptr;
  EXPECT_TRUE(was_port_opened_first);
}

// It answered: who asks must not think that it may have done what it was asked for.
TEST(NodeDaemon, that_can_not_reach_another_is_not_out_of_reach_itself) {
  Machinery machinery;
  machinery.add_calls = [](rpc::Dispatcher& dispatcher) {
    dispatcher.on<rpc::NodeInfo>([](rpc::NodeInfo const&, rpc::CallContext const&,
                                    rpc::Progress const&) -> Result<rpc::NodeFacts> {
      return fail_as(ErrorClass::Unreachable, ErrorCode::EnvironmentError, "QEMU does not answer");
    });
  };
  TestDaemon test(machinery);
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  auto const failed = client.ask(test.node(), rpc::NodeInfo{}, job_context(1, 1));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "QEMU does not answer");
  EXPECT_EQ(failed.error().error_class, ErrorClass::Exec);
}

TEST(NodeDaemon, takes_the_same_port_after_a_restart) {
  TestDaemon test;
  ASSERT_TRUE(test.bootstrap());
  auto const port = test.daemon->port();
  rpc::NodeClient client(test.paths);
  EXPECT_TRUE(client.ask(test.node(), rpc::TestDelay{0}, job_context(1, 1)));
  test.last_port = port;
  test.stop();
  auto const away = client.ask(test.node(), rpc::TestDelay{0}, job_context(1, 2));
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().error_class, ErrorClass::Unreachable);
  test.start();
  EXPECT_EQ(test.daemon->port(), port);
  EXPECT_TRUE(client.ask(test.node(), rpc::TestDelay{0}, job_context(1, 2)));
}

TEST(NodeDaemon, leave_undoes_everything_but_not_while_guests_run) {
  auto guests = std::make_shared<std::vector<std::string>>(std::vector<std::string>{"web1"});
  Machinery machinery;
  machinery.running_guests = [guests] { return Result<std::vector<std::string>>(*guests); };
  TestDaemon test(machinery);
  ASSERT_TRUE(test.bootstrap());
  auto const refused = test.call_locally("node_leave_cluster", {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("web1"));
  guests->clear();
  ASSERT_TRUE(test.call_locally("node_leave_cluster", {}));
  EXPECT_EQ(test.daemon->port(), 0);
  for (auto const& entry : std::filesystem::directory_iterator(test.paths.lib())) {
    EXPECT_TRUE(entry.is_directory()) << entry.path();
  }
  EXPECT_TRUE(std::filesystem::is_empty(test.paths.controller()));
  EXPECT_TRUE(test.call_locally("node_leave_cluster", {}));
  EXPECT_TRUE(test.bootstrap());
}

TEST(NodeDaemon, the_same_step_asked_twice_is_done_once) {
  Gate gate;
  TestDaemon test(gated(gate));
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  std::vector<Result<rpc::NodeFacts>> answers(2);
  std::thread first(
      [&] { answers[0] = client.ask(test.node(), rpc::NodeInfo{}, job_context(1, 1)); });
  gate.wait_for_entry();
  std::atomic<bool> has_joined = false;
  std::thread second([&] {
    // A later leader resumes the job.
    answers[1] = client.ask(test.node(), rpc::NodeInfo{}, job_context(2, 1), [&](std::string_view) {
      has_joined = true;
      return true;
    });
  });
  while (!has_joined) std::this_thread::sleep_for(1ms);
  gate.open();
  first.join();
  second.join();
  EXPECT_EQ(answers[0]->boot_id, "passed");
  EXPECT_EQ(answers[1]->boot_id, "passed");
  EXPECT_EQ(client.ask(test.node(), rpc::NodeInfo{}, job_context(2, 2))->boot_id, "passed");
  EXPECT_EQ(gate.entered, 2);
}

TEST(NodeDaemon, a_call_goes_on_when_its_client_is_gone) {
  Gate gate;
  TestDaemon test(gated(gate));
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  std::thread asking([&] {
    auto const lost = client.ask(test.node(), rpc::NodeInfo{}, job_context(1, 1));
    ASSERT_FALSE(lost);
    EXPECT_EQ(lost.error().error_class, ErrorClass::Unreachable);
  });
  gate.wait_for_entry();
  client.stop();
  asking.join();
  gate.open();
  rpc::NodeClient again(test.paths);
  EXPECT_EQ(again.ask(test.node(), rpc::NodeInfo{}, job_context(1, 1))->boot_id, "passed");
  EXPECT_EQ(gate.entered, 1);
  EXPECT_FALSE(gate.was_asked_to_stop);
}

TEST(NodeDaemon, a_listener_that_has_enough_stops_the_call_and_hears_its_end) {
  Gate gate;
  TestDaemon test(gated(gate));
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  auto const ended = client.ask(test.node(), rpc::NodeInfo{}, job_context(1, 1),
                                [](std::string_view) { return false; });
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().message, "stopped");
  EXPECT_TRUE(gate.was_asked_to_stop);
}

TEST(NodeDaemon, a_call_that_takes_too_long_leaves_the_outcome_open) {
  Gate gate;
  TestDaemon test(gated(gate));
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  auto context = job_context(1, 1);
  context.timeout = 1s;
  auto const late = client.ask(test.node(), rpc::NodeInfo{}, context);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().error_class, ErrorClass::Unreachable);
  gate.open();
}

TEST(NodeDaemon, stopping_ends_calls_at_once) {
  Gate gate;
  TestDaemon test(gated(gate));
  ASSERT_TRUE(test.bootstrap());
  rpc::NodeClient client(test.paths);
  auto const node = test.node();
  std::thread asking([&] { EXPECT_FALSE(client.ask(node, rpc::NodeInfo{}, job_context(1, 1))); });
  gate.wait_for_entry();
  test.stop();
  asking.join();
  EXPECT_TRUE(gate.was_asked_to_stop);
}

TEST(NodeDaemon, malformed_requests_are_refused) {
  TestDaemon test;
  for (auto const* body : {"", "{", "[]", R"({"arguments":[]})", R"({"context":{"job":"x"}})"}) {
    net::Request request;
    request.method = "POST";
    request.target = "/1/call/test_delay";
    request.body = body;
    auto const response = test.local->request(request, 10s);
    ASSERT_TRUE(response);
    EXPECT_THAT(response->body, HasSubstr("error")) << body;
  }
  net::Request request;
  request.target = "/";
  EXPECT_EQ(test.local->request(request, 10s)->status, 404U);
}

TEST(ListenSettings, reads_the_defaults_file) {
  constexpr std::string_view text =
      "# NODED_PORT=1\nNODED_PORT=17\n NODED_BIND = x\nNODED_BIND='::1'\r\n";
  EXPECT_EQ(sys::value_in_defaults(text, "NODED_PORT"), "17");
  EXPECT_EQ(sys::value_in_defaults(text, "NODED_BIND"), "::1");
  EXPECT_EQ(sys::value_in_defaults(text, "NODED"), "");

  TemporaryRoot root;
  Paths const paths(root.path());
  EXPECT_EQ(listen_settings(paths)->address, "127.0.0.1");
  std::filesystem::create_directories(root.path() + "/etc/default");
  std::ofstream(root.path() + "/etc/default/flotte") << "NODED_PORT=99999\n";
  EXPECT_FALSE(listen_settings(paths));
}

}  // namespace
}  // namespace flotte::node
