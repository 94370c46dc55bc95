#include "world.h"

#include <boost/json/serialize.hpp>

#include "generators.h"
#include "model/address_pool.h"
#include "model/names.h"
#include "rapi/live_query.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;

constexpr auto lease = 10s;
constexpr auto settle_max = 12h;
constexpr std::size_t trace_max = 200'000;

NodeId node_id(std::int64_t number) {
  return NodeId(fmt::format("node-{}", number));
}

json::object first_settings() {
  return {{"cluster_name", "sim"},
          {"volume_group_name", "xenvg"},
          {"file_storage_dir", "/srv/ganeti/file-storage"},
          {"master_ip", "192.0.2.250"},
          {"master_netdev", "br0"},
          {"enabled_hypervisors", json::array{"kvm", "fake"}},
          {"enabled_disk_templates", json::array{"plain", "file", "diskless"}},
          {"nicparams", json::object{{"mode", "bridged"}, {"link", "br0"}}},
          {"prealloc_wipe_disks", true},
          {"bootstrap", json::object{{"node_uuid", "node-1"},
                                     {"node_name", "node1"},
                                     {"primary_ip", "192.0.2.1"},
                                     {"port", 1811}}}};
}

}  // namespace

// A machine on which a controller is kept running.
struct World::Host {
  std::size_t index = 0;
  std::shared_ptr<Process> process;
  std::unique_ptr<controller::Core> core;
  bool leads = false;
  bool is_stopping = false;
  Instant stays_down_until{};
};

World::World(Options options)
    : options_(std::move(options)),
      scheduler_(options_.seed * 7919 + 1),
      random_(options_.seed * 7919 + 2),
      store_(scheduler_, options_.seed * 7919 + 3),
      nodes_(scheduler_, options_.seed * 7919 + 4),
      invariants_(scheduler_, store_, nodes_) {
  store_.on_written([this](store::Txn const& txn) { invariants_.on_written(txn); });
  store_.on_point([this](std::string_view what) { on_point(what, nullptr); });
  nodes_.on_point([this](std::string_view what, NodeId const* node) { on_point(what, node); });
  nodes_.on_deed([this](rpc::CallContext const& context, std::string_view call,
                        std::int64_t highest) { invariants_.on_call(context, call, highest); });
  nodes_.on_changed([this](NodeId const& node) { invariants_.on_node_changed(node); });
}

World::~World() = default;

std::optional<Broken> World::broken() const {
  if (scheduler_.standstill()) return Broken{"progress", *scheduler_.standstill()};
  return const_cast<World*>(this)->invariants_.broken();
}

void World::note(std::string text) {
  auto const now = scheduler_.now().time_since_epoch();
  fingerprint_ = fingerprint_ * 1'099'511'628'211U ^
                 (std::hash<std::string>{}(text) + static_cast<std::uint64_t>(now.count()));
  if (!options_.is_traced) return;
  if (trace_.size() >= trace_max) trace_.erase(trace_.begin(), trace_.begin() + trace_max / 2);
  trace_.push_back(fmt::format("{:12.6f} {:<14} {}",
                               std::chrono::duration<double>(now).count() - 3600,
                               scheduler_.process()->name, text));
}

void World::run(std::function<void(World&)> const& story) {
  scheduler_.run([&] {
    outside_ = scheduler_.start_process("outside");
    set_up();
    story(*this);
    settle();
    is_over_ = true;
    // Nobody is interrupted in the middle of ending a process.
    while (pending_ > 0) scheduler_.sleep_for(1s);
    for (std::int64_t i = 1; i <= options_.nodes; ++i) nodes_.kill_daemon(node_id(i));
  });
}

namespace {

// One that the first group is connected to, one that the other is, and one that none is.
void add_networks(store::ClusterEdit& edit) {
  std::vector<NetworkId> ids;
  for (int i = 0; i < 3; ++i) {
    model::Network network{
        .uuid = NetworkId(fmt::format("00000000-0000-4000-8000-00000000001{}", i)),
        .name = fmt::format("network-{}", i),
        .network = fmt::format("198.51.100.{}/28", 16 * i)};
    CHECK(model::reserve_ends(network));
    ids.push_back(network.uuid);
    edit.put(std::move(network));
  }
  for (auto const& [id, group] : edit.cluster().groups()) {
    auto changed = *group;
    auto const& network = group->name == "default" ? ids[0] : ids[1];
    changed.networks.push_back({.network = network, .mode = "bridged", .link = "br0"});
    edit.put(std::move(changed));
  }
}

}  // namespace

void World::set_up() {
  for (std::int64_t i = 1; i <= options_.nodes; ++i) nodes_.add(node_id(i));
  nodes_.fake().change(node_id(1), [](rpc::FakeNodeState& state) {
    for (std::int64_t i = 0; i < cluster_names; ++i) {
      auto const name = fmt::format("sim-{}", i);
      state.hosts[name] = {.name = name, .ip = fmt::format("192.0.2.{}", 251 + i)};
    }
  });
  for (std::int64_t i = 0; i < options_.controllers; ++i) {
    auto& host = *hosts_.emplace_back(std::make_unique<Host>());
    host.index = static_cast<std::size_t>(i);
    ++supervisors_;
    play_outside(fmt::format("supervisor-{}", i), [this, &host] {
      supervise(host);
      --supervisors_;
    });
  }
  ask_leader([this](controller::Core& core) {
    CHECK(core.initialise(first_settings(), {.name = "simulation"}));
    CHECK(core.config().update(
        [this](store::ClusterEdit& edit) -> Result<void> {
          edit.put(model::Group{
              .uuid = GroupId("00000000-0000-4000-8000-00000000000a"),
              .name = lengthened("group-0",
                                 std::min(options_.name_length, model::object_name_bytes_max))});
          add_networks(edit);
          return {};
        },
        {}));
    for (std::int64_t i = 2; i <= options_.nodes; ++i) {
      CHECK(core.config().update(
          [&](store::ClusterEdit& edit) -> Result<void> {
            auto node = TRY(edit.get(node_id(1)));
            node.uuid = node_id(i);
            node.name = fmt::format("node{}", i);
            node.primary_ip = fmt::format("192.0.2.{}", i);
            edit.put(std::move(node));
            return {};
          },
          {}));
    }
  });
  add_idle_machines();
  ++supervisors_;
  play_outside("locks", [this] {
    while (!is_over_) {
      scheduler_.sleep_for(1min);
      nodes_.fake().forget_calls();
      look_at_locks();
    }
    --supervisors_;
  });
  std::vector<JobId> jobs;
  for (std::int64_t i = 0; i < options_.machines; ++i) {
    auto const job = submit(json::array{json::object{
        {"OP_ID", "OP_INSTANCE_CREATE"},
        {"instance_name", json::string(lengthened(fmt::format("vm-{}", i), options_.name_length))},
        {"mode", "create"},
        {"disk_template", i % 3 == 0 ? "plain" : "diskless"},
        {"disks", i % 3 == 0 ? json::array{json::object{{"size", 1024}}} : json::array{}},
        {"nics", json::array{json::object{}}},
        {"ignore_ipolicy", true},
        {"os_type", "noop"},
        {"tags", json::array{"tag-0", "tag-1", "tag-2", "tag-3", "tag-4"}},
        {"beparams", json::object{{"memory", 128}, {"vcpus", 1}}},
        {"start", i % 2 == 0 && i < 80},
        {"pnode", json::string(fmt::format("node{}", 1 + i % options_.nodes))}}});
    CHECK(job);
    jobs.push_back(*job);
  }
  for (auto const job : jobs) CHECK(wait_for(job, 10h) == jobs::Status::Success);
}

// Without jobs: there may be thousands.
void World::add_idle_machines() {
  constexpr std::int64_t at_once = 500;
  for (std::int64_t first = 0; first < options_.idle_machines; first += at_once) {
    ask_leader([&](controller::Core& core) {
      CHECK(core.config().update(
          [&](store::ClusterEdit& edit) -> Result<void> {
            for (auto i = first; i < std::min(first + at_once, options_.idle_machines); ++i) {
              model::Instance idle;
              idle.uuid = InstanceId(fmt::format("00000000-0000-4000-9000-{:012}", i));
              idle.name = fmt::format("idle-{}", i);
              idle.primary_node = node_id(1 + i % options_.nodes);
              idle.os = "noop";
              auto const mac = fmt::format("ee:00:00:00:{:02x}:{:02x}", i / 256, i % 256);
              idle.nics.push_back({.uuid = NicId(idle.uuid.text()), .mac = mac});
              edit.put(std::move(idle));
            }
            return {};
          },
          {}));
    });
  }
}

void World::play_outside(std::string name, std::function<void()> body) {
  ++pending_;
  scheduler_.spawn(outside_, std::move(name), [this, body = std::move(body)] {
    body();
    --pending_;
  });
}

void World::supervise(Host& host) {
  while (!is_over_) {
    if (host.stays_down_until > scheduler_.now()) scheduler_.sleep_until(host.stays_down_until);
    host.process = scheduler_.start_process(fmt::format("controller-{}", host.index));
    note(fmt::format("controller {} starts", host.index));
    scheduler_.spawn(host.process, "main", [this, &host] {
      host.core = std::make_unique<controller::Core>(
          controller::Core::Seams{scheduler_, random_, store_, nodes_, keys_},
          options_.controllers > 1 ? Duration(lease) : Duration::zero());
      if (auto const led = host.core->lead(); !led) {
        note(fmt::format("can't lead: {}", led.error().message));
        scheduler_.die();
      }
      note(fmt::format("leads with epoch {}", host.core->epoch()));
      host.core->start();
      host.leads = true;
      while (host.core->leads()) scheduler_.sleep_for(1s);
      note("leads no more");
      scheduler_.die();
    });
    while (!host.process->is_dead && !host.is_stopping && !is_over_) scheduler_.sleep_for(200ms);
    host.leads = false;
    if (host.is_stopping && !host.process->is_dead && host.core) {
      note(fmt::format("controller {} is stopped", host.index));
      host.core->stop();
    }
    host.is_stopping = false;
    if (host.process->tasks > 0 || !host.process->is_dead) scheduler_.kill(*host.process);
    host.core.reset();
    note(fmt::format("controller {} has ended", host.index));
    scheduler_.sleep_for(1s);
  }
}

World::Host* World::leader() {
  // One that hangs may still believe that it leads: the highest epoch is the truth.
  Host* found = nullptr;
  for (auto const& host : hosts_) {
    if (!host->leads || host->process->is_dead || !host->core->leads()) continue;
    if (!found || host->core->epoch() > found->core->epoch()) found = host.get();
  }
  return found;
}

void World::lose_disks(json::object const& op) {
  auto const instance =
      invariants_.cluster().instance(std::string_view(op.at("instance_name").as_string()));
  if (!instance || (*instance)->admin_state != model::AdminState::Down) return;
  std::set<std::int64_t> wanted;
  if (auto const* disks = op.if_contains("disks")) {
    for (auto const& one : disks->as_array()) wanted.insert(one.at(0).as_int64());
  }
  auto const& node = (*instance)->primary_node;
  nodes_.fake().change(node, [&](rpc::FakeNodeState& state) {
    if (state.guests.contains((*instance)->name)) return;
    for (std::size_t i = 0; i < (*instance)->disks.size(); ++i) {
      if (!wanted.empty() && !wanted.contains(static_cast<std::int64_t>(i))) continue;
      auto const key = rpc::fake_disk_key((*instance)->disks[i]);
      auto const lost = state.disks.find(key);
      if (lost == state.disks.end()) continue;
      if (lost->second.disk.dev_type == model::DiskTemplate::Plain) {
        state.facts.volume_groups.front().free.value += lost->second.size.value;
      }
      state.disks.erase(lost);
      invariants_.on_lost(key + "@" + node.text(), (*instance)->uuid);
      note(fmt::format("{} of {} is lost", key, (*instance)->name));
    }
  });
}

std::int64_t World::epoch() {
  auto* host = leader();
  return host ? host->core->epoch() : 0;
}

void World::hang_leader(Duration duration) {
  if (auto* host = leader()) scheduler_.hang(*host->process, duration);
}

bool World::ask_leader(std::function<void(controller::Core&)> ask) {
  auto const patience = scheduler_.now() + 10min;
  Host* host = nullptr;
  while (!(host = leader())) {
    if (scheduler_.now() > patience) return false;
    scheduler_.sleep_for(500ms);
  }
  auto const done = std::make_shared<bool>(false);
  auto const process = host->process;
  scheduler_.spawn(process, "api", [host, done, ask = std::move(ask)] {
    ask(*host->core);
    *done = true;
  });
  while (!*done && !process->is_dead) scheduler_.sleep_for(20ms);
  return *done;
}

std::optional<JobId> World::submit(json::array ops) {
  std::optional<JobId> id;
  auto const answer = std::make_shared<std::optional<Result<JobId>>>();
  auto const answered = ask_leader([ops = std::move(ops), answer](controller::Core& core) {
    *answer = core.queue().submit({ops}).front();
  });
  if (!answered || !**answer) {
    if (answered) note(fmt::format("submit refused: {}", (*answer)->error().message));
    return {};
  }
  ++jobs_submitted_;
  note(fmt::format("job {} is acknowledged", number(***answer)));
  invariants_.on_acknowledged(***answer);
  return ***answer;
}

void World::change_priority(JobId job, std::int64_t priority) {
  auto const is_taken = std::make_shared<bool>(false);
  auto const answered = ask_leader([job, priority, is_taken](controller::Core& core) {
    *is_taken = core.queue().change_priority(job, priority).ok;
  });
  if (answered && *is_taken) invariants_.on_priority(job, priority);
}

std::optional<jobs::Status> World::wait_for(JobId job, Duration patience) {
  auto const until = scheduler_.now() + patience;
  while (!invariants_.has_ended(job)) {
    if (scheduler_.now() >= until || invariants_.broken()) return {};
    scheduler_.sleep_for(100ms);
  }
  return invariants_.status(job);
}

void World::play(std::vector<Entry> const& script) {
  auto const begin = scheduler_.now();
  for (auto const& entry : script) {
    if (invariants_.broken()) return;
    scheduler_.sleep_until(begin + entry.at);
    play_outside(fmt::format("entry-{}", entry.index), [this, entry] { happen(entry); });
  }
}

void World::happen(Entry const& entry) {
  switch (entry.what) {
    case Happening::Operation:
      return operate(entry);
    case Happening::List:
      return list();
    default:
      return strike(entry);
  }
}

void World::operate(Entry const& entry) {
  SeededRandom random(entry.seed);
  json::array ops;
  std::uint64_t total = 0;
  auto const weight_of = [&](auto const& one) -> std::uint64_t {
    auto const& wanted = options_.opcodes;
    return wanted.empty() || wanted.contains(one.first) ? one.second.weight : 0;
  };
  for (auto const& one : generators()) total += weight_of(one);
  for (auto left = 1 + (random.below(10) == 0 ? random.below(3) : 0); left > 0; --left) {
    auto place = random.below(total);
    for (auto const& one : generators()) {
      if (place >= weight_of(one)) {
        place -= weight_of(one);
        continue;
      }
      auto const& generator = one.second;
      auto made = generator.make(invariants_.cluster(), random);
      if (!made) break;
      if (generator.needs_lost_disk) lose_disks(*made);
      (*made)["priority"] =
          random.below(4) == 0 ? 10 * (static_cast<std::int64_t>(random.below(3)) - 1) : 0;
      ops.push_back(std::move(*made));
      break;
    }
  }
  if (ops.empty()) return;
  if (random.below(8) == 0 && !invariants_.acknowledged().empty()) {
    auto const last = number(*invariants_.acknowledged().rbegin());
    auto const job = last - static_cast<std::int64_t>(random.below(3));
    ops[0].as_object()["depends"] =
        json::array{json::array{std::max<std::int64_t>(job, 1), json::array{"success"}}};
  }
  note(fmt::format("[{}] submits {}", entry.index, json::serialize(ops)));
  auto const job = submit(std::move(ops));
  if (!job) return;
  switch (random.below(8)) {
    case 0:
      scheduler_.sleep_for(std::chrono::milliseconds(random.below(20'000)));
      ask_leader([this, job = *job](controller::Core& core) {
        note(fmt::format("cancel of job {}: {}", number(job), core.queue().cancel(job).text));
      });
      break;
    case 1:
      change_priority(*job, -5);
      break;
    case 2:
      ask_leader([this](controller::Core& core) { core.queue().auto_archive(Duration(1h)); });
      break;
    default:
      break;
  }
}

void World::list() {
  auto const asked = scheduler_.now();
  auto const rows = std::make_shared<std::vector<std::pair<std::string, bool>>>();
  auto const answered = ask_leader([rows](controller::Core& core) {
    auto const answer =
        rapi::run_query(core.job_seams(), core.queue(), core.epoch(),
                        {{"what", "instance"}, {"fields", json::array{"name", "oper_state"}}});
    if (!answer) return;
    for (auto const& row : answer->at("data").as_array()) {
      // [[status, value], ...]; 0: there is data.
      if (row.at(1).at(0) != 0) continue;
      rows->emplace_back(std::string(row.at(0).at(1).as_string()), row.at(1).at(1).as_bool());
    }
  });
  if (!answered) return;
  for (auto const& [name, runs] : *rows) invariants_.on_listed(name, runs, asked);
}

NodeId World::any_node(Random& random) const {
  return node_id(
      1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(options_.nodes))));
}

void World::strike(Entry const& entry) {
  SeededRandom random(entry.seed);
  auto& host = *hosts_[random.below(hosts_.size())];
  auto const node = any_node(random);
  auto const seconds = std::chrono::seconds(1 + random.below(40));
  note(fmt::format("[{}] {} {}", entry.index, to_string(entry.what), node.text()));
  switch (entry.what) {
    case Happening::KillController:
      // Half of them in the middle of work.
      if (random.below(2) == 0) {
        controller_dies_in_ = 1 + random.below(40);
        return;
      }
      host.stays_down_until = scheduler_.now() + seconds / 4;
      if (host.process && !host.process->is_dead) scheduler_.kill(*host.process);
      return;
    case Happening::HangController:
      if (host.process) scheduler_.hang(*host.process, seconds);
      return;
    case Happening::RestartController:
      host.is_stopping = true;
      return;
    case Happening::KillDaemon:
      if (random.below(2) == 0) {
        daemon_dies_in_ = 1 + random.below(20);
        return;
      }
      nodes_.kill_daemon(node);
      scheduler_.sleep_for(seconds / 4);
      return nodes_.start_daemon(node);
    case Happening::HangDaemon:
      return nodes_.hang_daemon(node, seconds);
    case Happening::LosePower:
      // The first controller lives on the first node, and so on; a store of one node does so too.
      if (auto const number = std::stoul(node.text().substr(5)); number <= hosts_.size()) {
        auto& lost = *hosts_[number - 1];
        lost.stays_down_until = scheduler_.now() + 10 * seconds;
        if (lost.process && !lost.process->is_dead) scheduler_.kill(*lost.process);
        if (hosts_.size() == 1) store_.lose_power();
      }
      nodes_.lose_power(node);
      scheduler_.sleep_for(10 * seconds);
      return nodes_.start_daemon(node);
    case Happening::KillGuest:
    case Happening::GuestPowersOff: {
      std::vector<std::string> names;
      nodes_.fake().change(node, [&](rpc::FakeNodeState& state) {
        for (auto const& [name, guest] : state.guests) names.push_back(name);
      });
      if (names.empty()) return;
      auto const& name = names[random.below(names.size())];
      return entry.what == Happening::KillGuest ? nodes_.kill_guest(node, name)
                                                : nodes_.guest_powers_off(node, name);
    }
    case Happening::DiskFull: {
      std::int64_t kept = 0;
      nodes_.fake().change(node, [&](rpc::FakeNodeState& state) {
        auto& group = state.facts.volume_groups.front();
        kept = group.free.value;
        group.free.value = 0;
      });
      scheduler_.sleep_for(5 * seconds);
      return nodes_.fake().change(node, [&](rpc::FakeNodeState& state) {
        state.facts.volume_groups.front().free.value += kept;
      });
    }
    case Happening::StoreFull:
      store_.set_full(true);
      scheduler_.sleep_for(seconds);
      return store_.set_full(false);
    case Happening::StepClock:
      return scheduler_.step_wall(random.below(2) == 0 ? Duration(24h) : Duration(-24h));
    case Happening::CallMishap:
      return nodes_.arm(node, static_cast<Mishap>(1 + random.below(8)));
    case Happening::HookTrouble: {
      auto const phase = random.below(3) == 0 ? "post" : "pre";
      auto const fails =
          random.below(2) == 0 ? rpc::HookOutcome::Failed : rpc::HookOutcome::Succeeded;
      auto const takes_s = random.below(2) == 0 ? static_cast<std::int64_t>(random.below(1200)) : 0;
      nodes_.set_hooks(node, phase, {fails, "so it is", takes_s});
      scheduler_.sleep_for(seconds);
      return nodes_.set_hooks(node, phase, {});
    }
    case Happening::Operation:
    case Happening::List:
      break;
  }
}

// A place at a seam. Which process dies where is part of the plan.
void World::on_point(std::string_view what, NodeId const* node) {
  note(std::string(what));
  auto& dies_in = node ? daemon_dies_in_ : controller_dies_in_;
  if (dies_in > 0 && --dies_in == 0) {
    note("dies here");
    if (node) {
      play_outside("restart", [this, id = *node] {
        scheduler_.sleep_for(1s);
        nodes_.start_daemon(id);
      });
    }
    scheduler_.die();
  }
  if (!counts_points_ || scheduler_.process() == outside_) return;
  auto const point = points_++;
  point_names_.emplace_back(what);
  for (auto const& crash : crashes_) {
    if (crash.point != point) continue;
    auto const kills_daemon = crash.victim != Victim::Controller;
    auto const kills_controller = crash.victim != Victim::Daemon;
    note(fmt::format("point {}: {} dies", point,
                     kills_daemon && kills_controller ? "all"
                     : kills_daemon                   ? "the node daemon"
                                                      : "the controller"));
    auto const id = node ? *node : node_id(1);
    if (kills_daemon) {
      play_outside("restart", [this, id] {
        nodes_.kill_daemon(id);
        scheduler_.sleep_for(1s);
        nodes_.start_daemon(id);
      });
    }
    auto* host = leader();
    if (kills_controller && host && host->process != scheduler_.process()) {
      scheduler_.kill(*host->process);
    }
    if (kills_daemon && nodes_.daemon_process(id) &&
        nodes_.daemon_process(id) != scheduler_.process()) {
      scheduler_.kill(*nodes_.daemon_process(id));
    }
    auto const is_own = node ? kills_daemon : kills_controller;
    if (is_own) scheduler_.die();
  }
}

void World::crash_at(std::vector<CrashAt> crashes) {
  crashes_ = std::move(crashes);
  points_ = 0;
  point_names_.clear();
  counts_points_ = true;
}

void World::look_at_locks() {
  auto* host = leader();
  if (!host) return;
  for (auto const& entry : host->core->queue().locks()) {
    if (!entry.is_granted) invariants_.on_waiting(entry.job);
  }
}

// Faults end, jobs end, the watcher has looked several times.
void World::settle() {
  auto const until = scheduler_.now() + settle_max;
  while (pending_ > supervisors_ && !invariants_.broken() && scheduler_.now() < until)
    scheduler_.sleep_for(1s);
  note("calm");
  crashes_.clear();
  controller_dies_in_ = daemon_dies_in_ = 0;
  nodes_.calm();
  store_.set_full(false);
  for (auto& host : hosts_) {
    if (host->process) host->process->hangs_until = {};
  }
  auto const all_ended = [&] {
    for (auto const job : invariants_.acknowledged()) {
      if (!invariants_.has_ended(job)) return false;
    }
    return true;
  };
  while (!all_ended() && !invariants_.broken() && scheduler_.now() < until)
    scheduler_.sleep_for(1s);
  note("all jobs have ended");
  // The watcher's looks.
  scheduler_.sleep_for(5min);
  while (!all_ended() && !invariants_.broken() && scheduler_.now() < until)
    scheduler_.sleep_for(1s);
  scheduler_.sleep_for(1s);
  if (!invariants_.broken()) invariants_.check_quiet();
  if (auto* host = leader(); host && !invariants_.broken()) {
    for (auto const& entry : host->core->queue().locks()) {
      invariants_.fail("no lock is left", fmt::format("job {}", number(entry.job)));
    }
  }
}

}  // namespace flotte::simulation
