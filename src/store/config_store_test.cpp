#include "store/config_store.h"

#include <gmock/gmock.h>

#include <atomic>
#include <new>
#include <set>
#include <thread>
#include <tuple>

#include "store/memory_store.h"

namespace flotte::store {
namespace {

using ::testing::HasSubstr;

// A store whose commits are on their way until the test lets them go, the last one first.
class SlowStore final : public Store {
 public:
  Result<std::vector<KeyValue>> range(std::string_view prefix, std::size_t limit) override {
    return store_.range(prefix, limit);
  }
  Result<TxnReply> txn(Txn const& txn) override {
    std::unique_lock guard(mutex_);
    auto const ticket = ++last_ticket_;
    on_their_way_.insert(ticket);
    changed_.notify_all();
    changed_.wait(guard, [&] { return !is_held_ && *on_their_way_.rbegin() == ticket; });
    on_their_way_.erase(ticket);
    changed_.notify_all();
    if (has_no_memory_) throw std::bad_alloc();
    if (failing_ > 0) {
      --failing_;
      return fail(ErrorCode::EnvironmentError, "The store is full");
    }
    return store_.txn(txn);
  }
  void hold() {
    std::lock_guard const guard(mutex_);
    is_held_ = true;
    is_waited_ = false;
  }
  void let_go() {
    std::lock_guard const guard(mutex_);
    is_held_ = false;
    changed_.notify_all();
  }
  void fail_those_on_their_way() {
    std::lock_guard const guard(mutex_);
    is_held_ = false;
    failing_ = on_their_way_.size();
    changed_.notify_all();
  }
  void have_no_memory(bool has_none) { has_no_memory_ = has_none; }
  void wait_for(std::size_t on_their_way) {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [&] { return on_their_way_.size() == on_their_way; });
  }
  // Somebody waits for his turn.
  void note_waiting() {
    std::lock_guard const guard(mutex_);
    is_waited_ = true;
    changed_.notify_all();
  }
  // Until the second one waits for the first, or, wrongly, is on its way beside it.
  void wait_for_second() {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return is_waited_ || on_their_way_.size() == 2; });
  }

 private:
  MemoryStore store_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t last_ticket_ = 0;
  std::set<std::uint64_t> on_their_way_;
  bool is_held_ = false;
  bool is_waited_ = false;
  std::size_t failing_ = 0;
  std::atomic<bool> has_no_memory_ = false;
};

// The machine's, and tells who begins to wait.
class TellingClock final : public SystemClock {
 public:
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& condition,
                  Instant deadline) override {
    if (on_wait) on_wait();
    return SystemClock::wait_until(lock, condition, deadline);
  }

  std::function<void()> on_wait;
};

NodeId const node_id("node-1");

model::Instance machine(std::string const& name, std::string const& mac = "") {
  model::Instance instance{.uuid = InstanceId(name), .name = name, .primary_node = node_id};
  if (!mac.empty()) instance.nics.push_back({.uuid = NicId(name), .mac = mac});
  return instance;
}

ConfigStore::Edit putting(model::Instance instance) {
  return [instance = std::move(instance)](ClusterEdit& edit) -> Result<void> {
    edit.put(instance);
    return {};
  };
}

ConfigStore::Edit with_mac(std::string const& name, std::string const& mac) {
  return [=](ClusterEdit& edit) -> Result<void> {
    auto instance = TRY(edit.get(InstanceId(name)));
    instance.nics = {{.uuid = NicId(name), .mac = mac}};
    edit.put(std::move(instance));
    return {};
  };
}

template <class S>
class OverStore : public ::testing::Test {
 protected:
  OverStore() {
    must([](ClusterEdit& edit) -> Result<void> {
      model::Settings settings;
      settings.uuid = ClusterId("c");
      settings.cluster_name = "cluster";
      edit.put(std::move(settings));
      edit.put(model::Group{.uuid = GroupId("g"), .name = "default"});
      edit.put(model::Node{.uuid = node_id, .name = "node1", .group = GroupId("g")});
      return {};
    });
  }
  void must(ConfigStore::Edit const& edit) {
    auto const done = config_->update(edit, {});
    EXPECT_TRUE(done) << done.error().message;
  }
  std::string error_of(ConfigStore::Edit const& edit) {
    auto const done = config_->update(edit, {});
    return done ? "done" : done.error().message;
  }

  TellingClock clock_;
  S store_;
  std::unique_ptr<ConfigStore> config_ = std::move(ConfigStore::create(store_, clock_).value());
};

using Config = OverStore<MemoryStore>;

class BusyConfig : public OverStore<SlowStore> {
 protected:
  BusyConfig() {
    clock_.on_wait = [this] { store_.note_waiting(); };
  }
};

TEST_F(Config, what_is_written_is_read_again) {
  must(putting(machine("web1", "aa:00:00:00:00:01")));
  auto const again = std::move(ConfigStore::create(store_, clock_).value());
  auto const cluster = again->snapshot();
  EXPECT_EQ((*cluster->instance("web1"))->nics.at(0).mac, "aa:00:00:00:00:01");
  EXPECT_TRUE(cluster->other_with_mac("aa:00:00:00:00:01", InstanceId("web2")));
}

TEST_F(Config, an_edit_that_fails_changes_nothing) {
  auto const before = config_->snapshot();
  EXPECT_EQ(error_of([](ClusterEdit& edit) -> Result<void> {
              edit.put(machine("web1"));
              return fail(ErrorCode::WrongInput, "No");
            }),
            "No");
  EXPECT_EQ(config_->snapshot(), before);
}

TEST_F(Config, what_one_has_another_can_not_get_and_both_are_named) {
  auto first = machine("web1", "aa:00:00:00:00:01");
  first.network_port = 11000;
  must(putting(first));
  EXPECT_EQ(error_of(putting(machine("web2", "aa:00:00:00:00:01"))),
            "The MAC address aa:00:00:00:00:01 of web2 is already used by web1");
  auto namesake = machine("other");
  namesake.name = "WEB1";
  EXPECT_EQ(error_of(putting(namesake)), "The name WEB1 of WEB1 is already used by web1");
  auto neighbour = machine("web2");
  neighbour.network_port = 11000;
  EXPECT_EQ(error_of(putting(neighbour)), "The port 11000 of web2 is already used by web1");
  auto twice = machine("web2", "aa:00:00:00:00:02");
  twice.nics.push_back(twice.nics[0]);
  EXPECT_EQ(error_of(putting(twice)),
            "The MAC address aa:00:00:00:00:02 of web2 is already used by web2");
  auto homeless = machine("web2");
  homeless.primary_node = NodeId("nosuch");
  EXPECT_EQ(error_of(putting(homeless)), "The primary node of web2 does not exist");
  EXPECT_EQ(config_->snapshot()->instances().size(), 1U);
}

class NetworksInConfig : public Config {
 protected:
  NetworksInConfig() {
    must([](ClusterEdit& edit) -> Result<void> {
      edit.put(model::Network{.uuid = lan, .name = "lan", .network = "192.0.2.0/24"});
      edit.put(model::Network{.uuid = wan, .name = "wan", .network = "192.0.2.0/24"});
      auto group = TRY(edit.get(GroupId("g")));
      group.networks = {{.network = lan, .mode = "bridged", .link = "br0"}};
      edit.put(std::move(group));
      edit.put(model::Group{.uuid = GroupId("h"), .name = "h"});
      return {};
    });
  }
  static model::Instance in(NetworkId const& network, std::string const& name,
                            std::optional<std::string> ip) {
    auto instance = machine(name, "aa:00:00:00:00:" + name);
    instance.nics[0].network = network;
    instance.nics[0].ip = std::move(ip);
    return instance;
  }

  static inline NetworkId const lan{"lan-uuid"};
  static inline NetworkId const wan{"wan-uuid"};
};

TEST_F(NetworksInConfig, an_address_is_one_nic_s) {
  must(putting(in(lan, "01", "192.0.2.7")));
  must(putting(in(lan, "02", std::nullopt)));
  EXPECT_EQ(error_of(putting(in(lan, "03", "192.0.2.7"))),
            "The IP address 192.0.2.7 of 03 is already used by 01");
  auto twice = in(lan, "04", "192.0.2.8");
  twice.nics.push_back(twice.nics[0]);
  twice.nics[1].mac = "aa:00:00:00:00:05";
  EXPECT_EQ(error_of(putting(twice)), "The IP address 192.0.2.8 of 04 is already used by 04");
  EXPECT_EQ(config_->snapshot()->addresses_in(lan), (std::vector<std::string>{"192.0.2.7"}));
  must(putting(in(lan, "01", "192.0.2.9")));
  must(putting(in(lan, "03", "192.0.2.7")));
  must([](ClusterEdit& edit) -> Result<void> {
    edit.remove(InstanceId("01"));
    return {};
  });
  EXPECT_EQ(config_->snapshot()->addresses_in(lan), (std::vector<std::string>{"192.0.2.7"}));
}

TEST_F(NetworksInConfig, a_network_that_nics_are_in_stays_connected) {
  EXPECT_EQ(error_of(putting(in(wan, "01", std::nullopt))),
            "The network wan of 01 is not connected to the group default");
  must(putting(in(lan, "01", std::nullopt)));
  EXPECT_EQ(error_of([](ClusterEdit& edit) -> Result<void> {
              auto group = TRY(edit.get(GroupId("g")));
              group.networks.clear();
              edit.put(std::move(group));
              return {};
            }),
            "01 is in the network meanwhile");
  EXPECT_EQ(error_of([](ClusterEdit& edit) -> Result<void> {
              auto node = TRY(edit.get(node_id));
              node.group = GroupId("h");
              edit.put(std::move(node));
              return {};
            }),
            "The network lan of 01 is not connected to the group h");
}

TEST_F(NetworksInConfig, a_connected_network_stays_and_a_name_is_one_network_s) {
  EXPECT_EQ(error_of([](ClusterEdit& edit) -> Result<void> {
              edit.remove(lan);
              return {};
            }),
            "Group default is connected to the network meanwhile");
  EXPECT_EQ(error_of([](ClusterEdit& edit) -> Result<void> {
              auto group = TRY(edit.get(GroupId("h")));
              group.networks = {{.network = NetworkId("nosuch")}};
              edit.put(std::move(group));
              return {};
            }),
            "Network 'nosuch' not found");
  EXPECT_EQ(error_of([](ClusterEdit& edit) -> Result<void> {
              auto network = TRY(edit.get(wan));
              network.name = "lan";
              edit.put(std::move(network));
              return {};
            }),
            "The name lan is already used by the network lan-uuid");
  must([](ClusterEdit& edit) -> Result<void> {
    edit.remove(wan);
    return {};
  });
  EXPECT_EQ(config_->snapshot()->networks().size(), 1U);
}

// As a build before this one could leave it.
TEST_F(Config, one_damaged_instance_stops_nobody) {
  for (auto const* name : {"web1", "web2"}) {
    Txn txn;
    txn.put(fmt::format("/config/instances/{}", name),
            boost::json::serialize(schema::encode(machine(name, "aa:00:00:00:00:01"))));
    ASSERT_TRUE(store_.txn(txn)->succeeded);
  }
  config_ = std::move(ConfigStore::create(store_, clock_).value());
  must(putting(machine("web3", "aa:00:00:00:00:03")));
  auto stopped = machine("web2", "aa:00:00:00:00:01");
  stopped.admin_state = model::AdminState::Up;
  must(putting(stopped));
  EXPECT_THAT(error_of(with_mac("web3", "aa:00:00:00:00:01")), HasSubstr("already used by web1"));
  must(with_mac("web1", "aa:00:00:00:00:02"));
  EXPECT_THAT(error_of(with_mac("web3", "aa:00:00:00:00:01")), HasSubstr("already used by web2"));
  must(with_mac("web2", "aa:00:00:00:00:04"));
  must(with_mac("web3", "aa:00:00:00:00:01"));
}

// What was the pool of ports in the settings is what instances have.
TEST_F(Config, a_store_with_the_fields_of_older_builds_is_read) {
  Txn txn;
  txn.put("/config/settings",
          R"({"uuid": "c", "cluster_name": "old", "highest_used_port": 11007,
              "tcpudp_port_pool": [11003]})");
  ASSERT_TRUE(store_.txn(txn)->succeeded);
  config_ = std::move(ConfigStore::create(store_, clock_).value());
  EXPECT_EQ(config_->snapshot()->settings().cluster_name, "old");
  must([](ClusterEdit& edit) -> Result<void> {
    auto settings = edit.settings();
    settings.mac_prefix = "bb:00:00";
    edit.put(settings);
    return {};
  });
}

TEST_F(Config, ports_are_given_out_from_the_lowest) {
  auto const add = [this](std::string const& name) {
    must([&](ClusterEdit& edit) -> Result<void> {
      auto instance = machine(name);
      instance.network_port = TRY(edit.allocate_port());
      edit.put(std::move(instance));
      return {};
    });
    return *(*config_->snapshot()->instance(name))->network_port;
  };
  EXPECT_EQ(add("a"), 11000);
  EXPECT_EQ(add("b"), 11001);
  must([](ClusterEdit& edit) -> Result<void> {
    edit.remove(InstanceId("a"));
    return {};
  });
  EXPECT_EQ(add("c"), 11000);
  EXPECT_EQ(add("d"), 11002);
}

TEST_F(Config, a_group_with_nodes_stays) {
  EXPECT_THAT(error_of([](ClusterEdit& edit) {
                edit.remove(GroupId("g"));
                return Result<void>();
              }),
              HasSubstr("node1"));
  EXPECT_THAT(error_of([](ClusterEdit& edit) -> Result<void> {
                auto node = TRY(edit.get(node_id));
                node.group = GroupId("nosuch");
                edit.put(std::move(node));
                return {};
              }),
              HasSubstr("does not exist"));
  EXPECT_THAT(error_of([](ClusterEdit& edit) -> Result<void> {
                edit.put(model::Group{.uuid = GroupId("h"), .name = "default"});
                return {};
              }),
              HasSubstr("already used by the group g"));
}

TEST_F(Config, serial_numbers_never_go_back) {
  must(putting(machine("web1")));
  auto const before = **config_->snapshot()->instance("web1");
  must(putting(machine("web1")));
  must(putting(before));
  EXPECT_EQ((*config_->snapshot()->instance("web1"))->serial_no, before.serial_no + 2);
}

// Nobody else can write while one leads; if it happens all the same, nothing is made worse.
TEST_F(Config, what_something_else_wrote_is_not_overwritten) {
  must(putting(machine("web1")));
  auto const other = std::move(ConfigStore::create(store_, clock_).value());
  ASSERT_TRUE(other->update(with_mac("web1", "aa:00:00:00:00:01"), {}));
  EXPECT_THAT(error_of(with_mac("web1", "aa:00:00:00:00:02")), HasSubstr("something else writes"));
  // Also where it was only read.
  EXPECT_THAT(error_of([](ClusterEdit& edit) -> Result<void> {
                TRY(edit.get(InstanceId("web1")));
                edit.put(machine("web2"));
                return {};
              }),
              HasSubstr("something else writes"));
}

TEST_F(BusyConfig, two_at_once_do_not_get_one_address) {
  must(putting(machine("web1")));
  must(putting(machine("web2")));
  store_.hold();
  std::string first;
  std::string second;
  std::thread one([&] { first = error_of(with_mac("web1", "aa:00:00:00:00:01")); });
  store_.wait_for(1);
  std::thread two([&] { second = error_of(with_mac("web2", "aa:00:00:00:00:01")); });
  store_.wait_for_second();
  store_.let_go();
  one.join();
  two.join();
  EXPECT_EQ(first, "done");
  EXPECT_EQ(second, "The MAC address aa:00:00:00:00:01 of web2 is already used by web1");
  must(putting(machine("web3")));
}

// Two commits at the same time that do not go together: what becomes of each.
class BusyNetworks : public BusyConfig {
 protected:
  BusyNetworks() {
    must([](ClusterEdit& edit) -> Result<void> {
      edit.put(model::Network{.uuid = lan, .name = "lan", .network = "192.0.2.0/24"});
      auto group = TRY(edit.get(GroupId("g")));
      group.networks = {{.network = lan, .mode = "bridged", .link = "br0"}};
      edit.put(std::move(group));
      edit.put(model::Group{.uuid = GroupId("h"), .name = "h"});
      return {};
    });
  }
  std::string second_of(ConfigStore::Edit const& first, ConfigStore::Edit const& second) {
    store_.hold();
    std::string of_first;
    std::string of_second;
    std::thread one([&] { of_first = error_of(first); });
    store_.wait_for(1);
    std::thread two([&] { of_second = error_of(second); });
    store_.wait_for_second();
    store_.let_go();
    one.join();
    two.join();
    EXPECT_EQ(of_first, "done");
    return of_second;
  }
  static ConfigStore::Edit in_lan(std::string const& name, std::optional<std::string> ip) {
    auto instance = machine(name, "aa:00:00:00:00:" + name);
    instance.nics[0].network = lan;
    instance.nics[0].ip = std::move(ip);
    return putting(std::move(instance));
  }
  template <class Id, class Change>
  static ConfigStore::Edit changing(Id const& id, Change change) {
    return [=](ClusterEdit& edit) -> Result<void> {
      auto object = TRY(edit.get(id));
      change(object);
      edit.put(std::move(object));
      return {};
    };
  }

  static inline NetworkId const lan{"lan-uuid"};
};

TEST_F(BusyNetworks, two_do_not_get_one_address_and_none_the_gateway_s) {
  EXPECT_EQ(second_of(in_lan("01", "192.0.2.7"), in_lan("02", "192.0.2.7")),
            "The IP address 192.0.2.7 of 02 is already used by 01");
  auto const gateway = changing(lan, [](auto& network) { network.gateway = "192.0.2.8"; });
  EXPECT_EQ(second_of(in_lan("03", "192.0.2.8"), gateway),
            "The gateway 192.0.2.8 of lan is the address of 03");
}

TEST_F(BusyNetworks, two_do_not_get_one_name) {
  auto const named = [](char const* uuid) {
    return [uuid](ClusterEdit& edit) -> Result<void> {
      edit.put(model::Network{.uuid = NetworkId(uuid), .name = "new", .network = "192.0.2.0/24"});
      return {};
    };
  };
  EXPECT_EQ(second_of(named("a"), named("b")), "The name new is already used by the network a");
}

TEST_F(BusyNetworks, who_comes_into_a_network_finds_it_connected) {
  auto const disconnect = changing(GroupId("g"), [](auto& group) { group.networks.clear(); });
  EXPECT_EQ(second_of(disconnect, in_lan("01", std::nullopt)),
            "The network lan of 01 is not connected to the group default");
}

TEST_F(BusyNetworks, what_somebody_comes_into_is_not_disconnected) {
  auto const disconnect = changing(GroupId("g"), [](auto& group) { group.networks.clear(); });
  EXPECT_EQ(second_of(in_lan("01", std::nullopt), disconnect), "01 is in the network meanwhile");
}

TEST_F(BusyNetworks, what_is_being_connected_is_not_removed) {
  must(changing(GroupId("g"), [](auto& group) { group.networks.clear(); }));
  auto const connect =
      changing(GroupId("h"), [](auto& group) { group.networks = {{.network = lan}}; });
  EXPECT_EQ(second_of(connect,
                      [](ClusterEdit& edit) -> Result<void> {
                        edit.remove(lan);
                        return {};
                      }),
            "Group h is connected to the network meanwhile");
}

TEST_F(BusyNetworks, a_node_does_not_take_a_newcomer_to_where_its_network_is_not) {
  auto const move = changing(node_id, [](auto& node) { node.group = GroupId("h"); });
  EXPECT_EQ(second_of(in_lan("01", std::nullopt), move),
            "The network lan of 01 is not connected to the group h");
}

// It waits to hear whether the first got it.
TEST_F(BusyConfig, what_the_first_failed_to_get_the_second_gets) {
  must(putting(machine("web1")));
  must(putting(machine("web2")));
  store_.hold();
  std::string first;
  std::string second;
  std::thread one([&] { first = error_of(with_mac("web1", "aa:00:00:00:00:01")); });
  store_.wait_for(1);
  std::thread two([&] { second = error_of(with_mac("web2", "aa:00:00:00:00:01")); });
  store_.wait_for_second();
  store_.fail_those_on_their_way();
  one.join();
  two.join();
  EXPECT_EQ(first, "The store is full");
  EXPECT_EQ(second, "done");
}

TEST_F(BusyConfig, commits_about_different_things_are_on_their_way_together) {
  constexpr int count = 16;
  store_.hold();
  std::vector<std::thread> threads;
  std::atomic<int> done = 0;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      done += error_of([&](ClusterEdit& edit) -> Result<void> {
                auto instance = machine(fmt::format("web{}", i), fmt::format("mac-{}", i));
                instance.network_port = TRY(edit.allocate_port());
                edit.put(std::move(instance));
                return {};
              }) == "done";
    });
  }
  store_.wait_for(count);
  store_.let_go();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, count);
  std::set<std::int64_t> ports;
  for (auto const& [id, instance] : config_->snapshot()->instances()) {
    ports.insert(*instance->network_port);
  }
  EXPECT_EQ(ports.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(*ports.rbegin(), 11000 + count - 1);
}

// Nobody gives up, however many want the same thing.
TEST_F(Config, edits_of_one_thing_come_one_after_the_other) {
  constexpr int threads_count = 8;
  constexpr int each = 200;
  std::vector<std::thread> threads;
  for (int i = 0; i < threads_count; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < each; ++k) {
        must([](ClusterEdit& edit) -> Result<void> {
          auto settings = edit.settings();
          ++settings.candidate_pool_size;
          edit.put(settings);
          return {};
        });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(config_->snapshot()->settings().candidate_pool_size,
            model::Settings{}.candidate_pool_size + threads_count * each);
}

TEST_F(BusyConfig, a_node_moves_into_no_group_that_is_being_removed) {
  must([](ClusterEdit& edit) -> Result<void> {
    edit.put(model::Group{.uuid = GroupId("h"), .name = "other"});
    return {};
  });
  store_.hold();
  std::string removal;
  std::string move;
  std::thread one([&] {
    removal = error_of([](ClusterEdit& edit) {
      edit.remove(GroupId("h"));
      return Result<void>();
    });
  });
  store_.wait_for(1);
  std::thread two([&] {
    move = error_of([](ClusterEdit& edit) -> Result<void> {
      auto node = TRY(edit.get(node_id));
      node.group = GroupId("h");
      edit.put(std::move(node));
      return {};
    });
  });
  store_.wait_for_second();
  store_.let_go();
  one.join();
  two.join();
  EXPECT_EQ(removal, "done");
  EXPECT_THAT(move, HasSubstr("does not exist"));
}

// A boundary catches it, and the process goes on.
TEST_F(BusyConfig, an_exception_leaves_nothing_under_way) {
  must(putting(machine("web1")));
  store_.have_no_memory(true);
  EXPECT_THROW(std::ignore = config_->update(with_mac("web1", "aa:00:00:00:00:01"), {}),
               std::bad_alloc);
  EXPECT_THROW(std::ignore = config_->forget(), std::bad_alloc);
  store_.have_no_memory(false);
  must(with_mac("web1", "aa:00:00:00:00:01"));
  must(putting(machine("web2")));
  EXPECT_TRUE(config_->forget());
}

TEST_F(BusyConfig, what_is_forgotten_leaves_nothing_of_a_commit_beside_it) {
  store_.hold();
  std::string added;
  std::thread add([&] { added = error_of(putting(machine("web1"))); });
  store_.wait_for(1);
  std::thread destroy([&] { EXPECT_TRUE(config_->forget()); });
  store_.wait_for_second();
  store_.let_go();
  add.join();
  destroy.join();
  EXPECT_EQ(added, "done");
  EXPECT_TRUE(config_->snapshot()->instances().empty());
  EXPECT_TRUE(store_.range_prefix("/config/")->empty());
}

}  // namespace
}  // namespace flotte::store
