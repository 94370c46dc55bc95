#include "invariants.h"

#include <algorithm>

#include "generators.h"
#include "model/ssconf.h"
#include "opcodes/opcode.h"
#include "store/config_store.h"

namespace flotte::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view config_prefix = "/config/";
constexpr std::string_view jobs_prefix = "/jobs/";
constexpr std::string_view archive_prefix = "/archive/";
constexpr std::string_view journal_prefix = "/journal/";
constexpr auto wait_max = 12h;

template <class T>
Result<T> decode(std::string const& value) {
  return schema::decode<T>(TRY(schema::parse(value)), schema::UnknownKeys::Refuse);
}

bool takes_disks(json::object const& op) {
  auto const* disks = op.if_contains("disks");
  if (opcodes::op_id_of(op) != "OP_INSTANCE_SET_PARAMS") return false;
  if (auto const* wanted = op.if_contains("disk_template"); wanted && !wanted->is_null()) {
    return true;
  }
  if (!disks) return false;
  return std::ranges::any_of(disks->as_array(), [](json::value const& change) {
    return change.at(0) == "remove" || change.at(0) == "detach";
  });
}

JobId job_of(std::string_view key) {
  return JobId{std::stoll(std::string(key.substr(key.rfind('/') + 1)))};
}

JobId job_of_journal(std::string_view key) {
  auto const rest = key.substr(journal_prefix.size());
  return JobId{std::stoll(std::string(rest.substr(0, rest.find('/'))))};
}

// Of a job of one opcode; others may have done something before.
bool is_refused_by_hooks(jobs::Job const& job) {
  auto const* result = job.ops[0].result.if_array();
  return job.ops.size() == 1 && result && !result->empty() && (*result)[0] == "HooksAbort";
}

}  // namespace

void Invariants::fail(std::string invariant, std::string what) {
  if (!broken_) broken_ = Broken{std::move(invariant), std::move(what)};
}

void Invariants::reload() {
  cluster_ = {};
  jobs_.clear();
  archived_.clear();
  begun_.clear();
  for (auto const& kv : store_.content(journal_prefix)) begun_.insert(job_of_journal(kv.key));
  for (auto const& kv : store_.content(config_prefix)) take_config(kv.key, &kv.value);
  for (auto const& kv : store_.content(jobs_prefix)) take_job(kv.key, kv.value);
  for (auto const& kv : store_.content(archive_prefix)) archived_.insert(job_of(kv.key));
}

void Invariants::on_written(store::Txn const& txn) {
  ++checks_;
  // What nobody was told of is gone: what is left is looked at anew.
  if (txn.operations.empty()) reload();
  bool is_config = txn.operations.empty();
  for (auto const& operation : txn.operations) {
    auto const& key = operation.key;
    auto const is_put = operation.kind == store::Operation::Kind::Put;
    if (operation.value.find(secret) != std::string::npos) fail("no secret is stored", key);
    if (key.starts_with(config_prefix)) {
      take_config(key, is_put ? &operation.value : nullptr);
      is_config = true;
    } else if (key.starts_with(jobs_prefix) && is_put) {
      take_job(key, operation.value);
    } else if (key.starts_with(journal_prefix) && is_put) {
      begun_.insert(job_of_journal(key));
    } else if (key.starts_with(archive_prefix) && is_put) {
      archived_.insert(job_of(key));
    }
  }
  if (is_config) check_config();
}

void Invariants::take_config(std::string const& key, std::string const* value) {
  auto const take = [&]<class T>(T const*) {
    auto object = decode<T>(*value);
    if (!object) return fail("the configuration is valid", object.error().message);
    cluster_.put(std::move(*object));
  };
  if (key == "/config/settings") return take(static_cast<model::Settings const*>(nullptr));
  constexpr std::string_view of_instances = "/config/instances/";
  if (!key.starts_with(of_instances)) {
    return model::for_each_kind([&]<class T>() {
      auto const prefix = store::key_of<T>({});
      if (!key.starts_with(prefix)) return;
      if (value) return take(static_cast<T const*>(nullptr));
      cluster_.remove(model::IdOf<T>(key.substr(prefix.size())));
    });
  }
  InstanceId const id(key.substr(of_instances.size()));
  auto const known = cluster_.instances().find(id);
  auto const epoch = known == cluster_.instances().end() ? 0 : known->second->epoch;
  auto const name = known == cluster_.instances().end() ? std::string() : known->second->name;
  if (!value) {
    if (known != cluster_.instances().end()) {
      spoiled_.erase(known->second->name);
      unrecorded_.erase(known->second->name);
    }
    return cluster_.remove(id);
  }
  take(static_cast<model::Instance const*>(nullptr));
  auto const now = cluster_.instances().find(id);
  if (now != cluster_.instances().end() && !name.empty() && now->second->name != name) {
    follow_name(name, now->second->name);
  }
  if (now != cluster_.instances().end() && now->second->epoch < epoch) {
    fail("an instance's epoch never goes back",
         fmt::format("{}: {} after {}", now->second->name, now->second->epoch, epoch));
  }
}

// What is known of an instance goes with its name.
void Invariants::follow_name(std::string const& before, std::string const& after) {
  for (auto* names : {&spoiled_, &unrecorded_}) {
    names->erase(after);
    if (names->erase(before) > 0) names->insert(after);
  }
  for (auto* seen : {&ran_, &stood_}) {
    seen->erase(after);
    if (auto node = seen->extract(before)) {
      node.key() = after;
      seen->insert(std::move(node));
    }
  }
}

void Invariants::take_job(std::string const& key, std::string const& value) {
  auto const parsed = schema::parse(value);
  auto const job = parsed ? jobs::decode_job(*parsed) : Result<jobs::Job>(Failure(parsed.error()));
  if (!job) return fail("a stored job can be read", job.error().message);
  auto const status = job->status();
  auto& known = jobs_[job_of(key)];
  if (jobs::is_final(known) && status != known) {
    fail("a job ends once", fmt::format("job {} was {} and became {}", number(job->id),
                                        jobs::to_string(known), jobs::to_string(status)));
  }
  known = status;
  priorities_[job->id] = job->ops.back().priority;
  if (is_refused_by_hooks(*job) && begun_.contains(job->id)) {
    fail("what hooks refuse is not begun", fmt::format("job {}", number(job->id)));
  }
  for (auto const& op : job->ops) {
    auto const id = opcodes::op_id_of(op.input);
    auto const* name = op.input.if_contains("instance_name");
    auto const* no_remember = op.input.if_contains("no_remember");
    auto const* only_if_wished = op.input.if_contains("only_if_wished");
    auto const is_watcher_s = only_if_wished && *only_if_wished == true;
    if (id == "OP_INSTANCE_STARTUP" && no_remember && *no_remember == true && !is_watcher_s) {
      unrecorded_.insert(std::string(std::string_view(name->get_string())));
    }
    auto const* disks = op.input.if_contains("disks");
    if (id == "OP_INSTANCE_RECREATE_DISKS" && status == jobs::Status::Success && name &&
        (!disks || disks->as_array().empty())) {
      auto const instance = cluster_.instance(std::string_view(name->get_string()));
      if (instance) {
        std::erase_if(lost_, [&](auto const& entry) { return entry.second == (*instance)->uuid; });
      }
    }
    if (status != jobs::Status::Error && status != jobs::Status::Canceled) continue;
    if (name &&
        (id == "OP_INSTANCE_REMOVE" || id == "OP_INSTANCE_GROW_DISK" || takes_disks(op.input))) {
      spoiled_.insert(std::string(std::string_view(name->get_string())));
    }
  }
}

void Invariants::check_config() {
  std::set<std::string> names;
  std::set<std::string> macs;
  std::set<DiskId> disks;
  std::set<std::int64_t> ports;
  std::set<std::string> group_names;
  for (auto const& [id, group] : cluster_.groups()) {
    if (!group_names.insert(group->name).second) fail("names of groups are unique", group->name);
  }
  std::set<std::string> network_names;
  for (auto const& [id, network] : cluster_.networks()) {
    if (!network_names.insert(network->name).second) {
      fail("names of networks are unique", network->name);
    }
  }
  std::set<std::pair<NetworkId, std::string>> addresses;
  for (auto const& [id, node] : cluster_.nodes()) {
    if (!cluster_.groups().contains(node->group)) fail("each node has a group", node->name);
  }
  for (auto const& [id, instance] : cluster_.instances()) {
    if (!names.insert(instance->name).second) fail("names are unique", instance->name);
    if (!cluster_.nodes().contains(instance->primary_node)) {
      fail("the configuration is valid", fmt::format("{} has no primary node", instance->name));
    }
    for (auto const& disk : instance->disks) {
      if (!disks.insert(disk.uuid).second || cluster_.detached_disks().contains(disk.uuid)) {
        fail("a disk is one instance's, or nobody's", disk.uuid.text());
      }
    }
    for (auto const& nic : instance->nics) {
      if (!macs.insert(nic.mac).second) fail("MAC addresses are unique", nic.mac);
      if (!nic.network) continue;
      auto const group = cluster_.group_of(instance->primary_node);
      if (!cluster_.find(*nic.network) || !group || !group->connection(*nic.network)) {
        fail("networks of NICs are connected", instance->name);
      }
      if (nic.ip && !addresses.emplace(*nic.network, *nic.ip).second) {
        fail("addresses of networks are unique", *nic.ip);
      }
    }
    if (instance->network_port && !ports.insert(*instance->network_port).second) {
      fail("ports are unique", std::to_string(*instance->network_port));
    }
  }
}

void Invariants::on_node_changed(NodeId const&) {
  ++checks_;
  auto const now = scheduler_.now();
  std::map<std::string, std::string> writers;  // by disk
  std::set<std::string> running;
  for (auto const& [id, node] : cluster_.nodes()) {
    nodes_.fake().change(id, [&](rpc::FakeNodeState& state) {
      for (auto const& [name, guest] : state.guests) {
        if (guest.state != rpc::RunState::UserDown) running.insert(name);
        auto const known = cluster_.instances().find(guest.spec.uuid);
        if (known == cluster_.instances().end()) {
          fail("every guest is an instance's", fmt::format("{} on {}", name, node->name));
        } else if (guest.spec.epoch > known->second->epoch) {
          fail("the wish is recorded before the deed",
               fmt::format("{} was started with epoch {}, recorded is {}", name, guest.spec.epoch,
                           known->second->epoch));
        } else if (known->second->primary_node != id) {
          fail("a guest runs on its primary node", fmt::format("{} on {}", name, node->name));
        }
        if (guest.state == rpc::RunState::UserDown) continue;
        for (auto const& disk : guest.spec.disks) {
          auto key = rpc::fake_disk_key(disk.disk);
          if (disk.disk.dev_type != model::DiskTemplate::SharedFile) key += "@" + id.text();
          auto const [writer, is_only] = writers.emplace(key, name);
          if (!is_only) {
            fail("one writer per disk", fmt::format("{}: {} and {}", key, writer->second, name));
          }
          auto const there = state.disks.find(rpc::fake_disk_key(disk.disk));
          if (there == state.disks.end()) {
            fail("a guest's disks exist", fmt::format("{} of {}", key, name));
          } else if (there->second.epoch > guest.spec.epoch) {
            fail("one writer per disk", fmt::format("{} has epoch {} and {} runs with {}", key,
                                                    there->second.epoch, name, guest.spec.epoch));
          }
        }
      }
    });
  }
  for (auto const& [id, instance] : cluster_.instances()) {
    (running.contains(instance->name) ? ran_ : stood_)[instance->name] = now;
  }
  for (auto const& name : running) ran_[name] = now;
}

void Invariants::on_call(rpc::CallContext const& context, std::string_view call,
                         std::int64_t highest_epoch) {
  ++checks_;
  if (context.leader_epoch < highest_epoch) {
    fail("a node obeys no deposed leader",
         fmt::format("{} of job {} with epoch {}, {} was seen", call, context.job,
                     context.leader_epoch, highest_epoch));
  }
  if (call != rpc::HooksRun::name) begun_.insert(JobId{context.job});
}

void Invariants::on_listed(std::string const& instance, bool runs, Instant asked) {
  ++checks_;
  // What is so now has been so since the last change.
  auto const last = [&](std::map<std::string, Instant> const& seen,
                        std::map<std::string, Instant> const& opposite) {
    auto const one = seen.find(instance);
    if (one == seen.end()) return opposite.contains(instance) ? Instant{} : Instant::max();
    auto const other = opposite.find(instance);
    auto const is_still_so = other == opposite.end() || other->second <= one->second;
    return is_still_so ? Instant::max() : one->second;
  };
  // The state may have changed back right after `asked`: then it was so until the opposite was
  // seen.
  auto const& seen = runs ? ran_ : stood_;
  auto const& opposite = runs ? stood_ : ran_;
  if (last(seen, opposite) == Instant::max()) return;
  auto const change = opposite.find(instance);
  if (change != opposite.end() && change->second >= asked) return;
  fail("list never shows a state that there never was",
       fmt::format("{} was listed as {}", instance, runs ? "running" : "not running"));
}

void Invariants::on_acknowledged(JobId job) {
  ++checks_;
  acknowledged_.insert(job);
  if (!jobs_.contains(job) && !archived_.contains(job)) {
    fail("no acknowledged job is lost", fmt::format("job {} was never stored", number(job)));
  }
}

void Invariants::on_waiting(JobId job) {
  auto const since = waiting_since_.emplace(job, scheduler_.now()).first->second;
  if (scheduler_.now() - since > wait_max) {
    fail("nobody starves",
         fmt::format("job {} waits since {} h", number(job), (scheduler_.now() - since) / 1h));
  }
}

bool Invariants::has_ended(JobId job) const {
  if (archived_.contains(job)) return true;
  auto const known = jobs_.find(job);
  return known != jobs_.end() && jobs::is_final(known->second);
}

std::optional<jobs::Status> Invariants::status(JobId job) const {
  auto const known = jobs_.find(job);
  return known == jobs_.end() ? std::nullopt : std::optional(known->second);
}

void Invariants::check_quiet() {
  check_store_quiet();
  auto const ssconf = model::ssconf(cluster_);
  for (auto const& [id, node] : cluster_.nodes()) {
    check_disks_of(id);
    nodes_.fake().change(id, [&](rpc::FakeNodeState& state) {
      for (auto const& [key, content] : ssconf) {
        if (content == json::string_view(state.ssconf[std::string(std::string_view(key))]))
          continue;
        fail("ssconf says what is configured",
             fmt::format("{} on {}", std::string_view(key), node->name));
      }
    });
  }
}

void Invariants::check_store_quiet() {
  std::set<JobId> stored;
  for (auto const& kv : store_.content(jobs_prefix)) stored.insert(job_of(kv.key));
  for (auto const& kv : store_.content(archive_prefix)) stored.insert(job_of(kv.key));
  for (auto const job : acknowledged_) {
    if (!stored.contains(job))
      fail("no acknowledged job is lost", fmt::format("job {}", number(job)));
    if (!has_ended(job)) fail("all jobs end", fmt::format("job {}", number(job)));
  }
  for (auto const& [job, status] : jobs_) {
    if (!jobs::is_final(status) && !archived_.contains(job)) {
      fail("all jobs end", fmt::format("job {} is {}", number(job), jobs::to_string(status)));
    }
  }
  for (auto const& [job, priority] : asked_priorities_) {
    if (priorities_[job] != priority) {
      fail("no acknowledged wish is lost",
           fmt::format("job {} has priority {}, not {}", number(job), priorities_[job], priority));
    }
  }
  for (auto const& kv : store_.content("/queue/wish/")) fail("no wish is left", kv.key);
  for (auto const& kv : store_.content("/secrets/")) fail("no secret is left", kv.key);
  for (auto const& kv : store_.content("/journal/")) {
    auto const end = kv.value.find("\"kept_before\"");
    fail("no journal is left",
         fmt::format("{}: {}", kv.key, kv.value.substr(end == std::string::npos ? 0 : end)));
  }
}

void Invariants::check_disks_of(NodeId const& node) {
  std::map<std::string, model::Disk> wished;
  std::map<std::string, std::string> owners;
  std::set<std::string> broken;  // instances with a lost disk
  std::map<std::string, model::AdminState> states;
  std::map<std::string, std::int64_t> used;  // of each volume group
  for (auto const& [id, instance] : cluster_.instances()) {
    if (instance->primary_node != node) continue;
    states[instance->name] = instance->admin_state;
    for (auto const& disk : instance->disks) {
      wished.emplace(rpc::fake_disk_key(disk), disk);
      owners[rpc::fake_disk_key(disk)] = instance->name;
    }
  }
  for (auto const& [id, detached] : cluster_.detached_disks()) {
    if (detached->node != node) continue;
    wished.emplace(rpc::fake_disk_key(detached->disk), detached->disk);
    owners[rpc::fake_disk_key(detached->disk)] = detached->owner;
  }
  nodes_.fake().change(node, [&](rpc::FakeNodeState& state) {
    for (auto const& [name, content] : state.exports) {
      if (name.ends_with(".new")) fail("no export is left half made", name);
    }
    for (auto const& [name, volume] : state.other_volumes) {
      used[name.substr(0, name.find('/'))] += volume.size.value;
    }
    for (auto const& [key, disk] : state.disks) {
      if (disk.disk.dev_type == model::DiskTemplate::Plain) {
        used[disk.disk.logical_id.at(0)] += disk.size.value;
      }
      auto const known = wished.find(key);
      if (disk.snapshot) fail("no snapshot is left", fmt::format("{} of {}", key, disk.instance));
      if (disk.unwiped && !spoiled_.contains(disk.instance)) {
        fail("nothing is left to be wiped", fmt::format("{} of {}", key, disk.instance));
      }
      if (known == wished.end()) {
        fail("no orphan disk", fmt::format("{} of {}", key, disk.instance));
      } else if (known->second.size != disk.size && !spoiled_.contains(disk.instance)) {
        fail("disks have the size that the configuration says",
             fmt::format("{}: {} MiB, {} wished", key, disk.size.value, known->second.size.value));
      }
    }
    for (auto const& [key, disk] : wished) {
      auto const lost = lost_.find(key + "@" + node.text());
      if (lost != lost_.end() && state.disks.contains(key)) lost_.erase(lost);
      if (lost_.contains(key + "@" + node.text())) {
        broken.insert(owners[key]);
      } else if (!state.disks.contains(key) && !spoiled_.contains(owners[key])) {
        fail("no disk is missing", fmt::format("{} of {}", key, owners[key]));
      }
    }
    for (auto const& group : state.facts.volume_groups) {
      if (group.size.value - group.free.value != used[group.name]) {
        fail("no space is lost", group.name);
      }
    }
    for (auto const& [name, wish] : states) {
      auto const guest = state.guests.find(name);
      auto const runs =
          guest != state.guests.end() && guest->second.state != rpc::RunState::UserDown;
      if (wish == model::AdminState::Down && runs && !unrecorded_.contains(name)) {
        fail("what should be down is down", name);
      }
      if (wish == model::AdminState::Up && !runs && !spoiled_.contains(name) &&
          !broken.contains(name)) {
        fail("what should run runs", name);
      }
    }
  });
}

}  // namespace flotte::simulation
