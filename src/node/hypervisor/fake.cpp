// The fake hypervisor, as Ganeti's: a file per running instance below <run>/fake-hypervisor.
//
// It misbehaves when a file lies beside it: `<instance>.fail` (start and stop fail with its text),
// `<instance>.hang` (start and stop wait until the file is gone), `<instance>.die` (the guest is
// dead as soon as its start has succeeded), `<instance>.silent` (the guest lets go of no device
// until the file is gone; what it was asked for it has let go of then).
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "model/params.h"
#include "node/hypervisor/hypervisor.h"
#include "rpc/devices.h"
#include "sys/files.h"

namespace flotte::node {

namespace json = boost::json;
namespace {

using namespace std::chrono_literals;

constexpr auto hang_max = 600s;
constexpr auto hang_look = 50ms;

class Fake final : public Hypervisor {
 public:
  explicit Fake(Paths const& paths) : directory_(paths.run() + "/fake-hypervisor") {}

  Result<rpc::HypervisorAdvice> check(rpc::InstanceSpec const&) override {
    return rpc::HypervisorAdvice{};
  }

  Result<void> start(rpc::InstanceSpec const& spec, std::vector<std::string> const&,
                     bool paused) override {
    TRY(misbehave(spec.name));
    std::lock_guard const guard(mutex_);
    TRY(sys::make_directories(directory_, 0750));
    if (auto const known = TRY(read(spec.name))) {
      if (known->uuid == spec.uuid.text()) return {};
      return fail(ErrorCode::WrongState, "An instance named {} with another UUID runs already",
                  spec.name);
    }
    Guest guest;
    guest.uuid = spec.uuid.text();
    guest.running.name = spec.name;
    guest.running.hypervisor = model::HypervisorKind::Fake;
    guest.running.state = paused ? rpc::RunState::Paused : rpc::RunState::Running;
    guest.running.memory = {model::number_of(spec.beparams, "maxmem")};
    guest.running.vcpus = model::number_of(spec.beparams, "vcpus");
    guest.running.hvparams = spec.hvparams;
    if (sys::exists(wish(spec.name, "die"))) return {};
    guest.spec = spec_of_devices(spec);
    return write(guest);
  }

  Result<void> stop(std::string const& name, std::chrono::seconds) override {
    TRY(misbehave(name));
    std::lock_guard const guard(mutex_);
    return sys::remove_file(file_of(name));
  }

  Result<void> soft_reboot(std::string const& name) override {
    std::lock_guard const guard(mutex_);
    if (sys::exists(file_of(name))) return {};
    return fail(ErrorCode::WrongState, "Instance {} does not run", name);
  }

  Result<void> resize_disk(std::string const& name, rpc::DiskSpec const&, MiB) override {
    std::lock_guard const guard(mutex_);
    if (sys::exists(file_of(name))) return {};
    return fail(ErrorCode::WrongState, "Instance {} does not run", name);
  }

  Result<void> adjust(rpc::InstanceSpec const& spec, std::vector<std::string> const&,
                      GoesOn const&) override {
    std::lock_guard const guard(mutex_);
    auto known = TRY(read(spec.name));
    if (!known) return {};
    if (is_silent(spec.name)) {
      if (auto const first = rpc::first_to_go(known->spec, {}, spec)) {
        known->leaving.insert(first->uuid);
        TRY(write(*known));
        return rpc::not_let_go(spec.name, first->title);
      }
    }
    known->spec = spec_of_devices(spec);
    // Of those that it has still it may let go.
    std::erase_if(known->leaving, [&](std::string const& uuid) {
      return !is_silent(spec.name) || !rpc::has_device(spec, uuid);
    });
    return write(*known);
  }

  std::vector<std::string> asked() override {
    std::lock_guard const guard(mutex_);
    std::vector<std::string> found;
    for (auto const& name : sys::names_in(directory_)) {
      if (!name.starts_with(guest_prefix)) continue;
      auto const guest = read(name.substr(guest_prefix.size()));
      if (guest && *guest && !(*guest)->leaving.empty()) found.push_back((*guest)->running.name);
    }
    return found;
  }

  std::optional<rpc::InstanceSpec> lacking(std::string const& name) override {
    std::lock_guard const guard(mutex_);
    auto const known = read(name);
    if (!known || !*known || (*known)->leaving.empty() || is_silent(name)) return std::nullopt;
    return (*known)->spec;
  }

  Result<void> balloon(std::string const& name, MiB memory) override {
    std::lock_guard const guard(mutex_);
    auto known = TRY(read(name));
    if (!known) return {};
    known->running.memory = memory;
    return write(*known);
  }

  bool is_running(std::string const& name) override { return sys::exists(file_of(name)); }

  bool uses(std::string const& name, DiskId const& disk) override {
    std::lock_guard const guard(mutex_);
    auto const known = read(name);
    if (!known) return true;  // nobody knows: better not
    return *known && rpc::has_device((*known)->spec, disk.text());
  }

  Result<std::vector<rpc::RunningInstance>> list(std::vector<std::string> const& only) override {
    std::lock_guard const guard(mutex_);
    std::vector<rpc::RunningInstance> found;
    auto const add = [&](std::string const& name) {
      auto const written = read_written(name);
      auto const* running = written && *written ? (*written)->if_contains("running") : nullptr;
      auto one = running ? schema::decode<rpc::RunningInstance>(*running)
                         : Result<rpc::RunningInstance>(not_a_guest(name));
      if (one && one->name == name) found.push_back(*std::move(one));
    };
    std::ranges::for_each(only, add);
    if (!only.empty()) return found;
    for (auto const& name : sys::names_in(directory_)) {
      // Beside the guests lie wishes for misbehaviour, and files that are just being written.
      if (name.starts_with(guest_prefix)) add(name.substr(guest_prefix.size()));
    }
    return found;
  }

 private:
  struct Guest {
    std::string uuid;
    rpc::RunningInstance running;
    rpc::InstanceSpec spec;         // its disks and NICs, and whose they are
    std::set<std::string> leaving;  // UUIDs of those that it was asked to let go of and had not
  };

  // Parameters may be secret.
  static rpc::InstanceSpec spec_of_devices(rpc::InstanceSpec const& spec) {
    rpc::InstanceSpec kept;
    kept.name = spec.name;
    kept.uuid = spec.uuid;
    kept.hypervisor = spec.hypervisor;
    kept.disks = spec.disks;
    kept.nics = spec.nics;
    kept.epoch = spec.epoch;
    return kept;
  }

  bool is_silent(std::string const& name) const { return sys::exists(wish(name, "silent")); }

  Result<void> write(Guest const& guest) const {
    json::object const written{{"uuid", json::string_view(guest.uuid)},
                               {"running", schema::encode(guest.running)},
                               {"spec", schema::encode(guest.spec)},
                               {"leaving", json::value_from(guest.leaving)}};
    return sys::write_file(file_of(guest.running.name), json::serialize(written), 0640);
  }

  static constexpr std::string_view guest_prefix = "guest:";

  std::string file_of(std::string const& name) const {
    return fmt::format("{}/{}{}", directory_, guest_prefix, name);
  }
  std::string wish(std::string const& name, std::string_view what) const {
    return fmt::format("{}/{}.{}", directory_, name, what);
  }

  Result<void> misbehave(std::string const& name) const {
    auto const until = std::chrono::steady_clock::now() + hang_max;
    while (sys::exists(wish(name, "hang")) && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(hang_look);
    }
    if (auto const text = sys::read_file(wish(name, "fail"))) {
      return fail(ErrorCode::EnvironmentError, "{}", *text);
    }
    return {};
  }

  Failure not_a_guest(std::string const& name) const {
    return fail(ErrorCode::EnvironmentError, "{} is no guest", file_of(name));
  }

  Result<std::optional<json::object>> read_written(std::string const& name) const {
    auto const text = sys::read_file(file_of(name));
    if (!text && !sys::exists(file_of(name))) return std::optional<json::object>();
    auto value = TRY(schema::parse(TRY(text)));
    if (!value.is_object()) return not_a_guest(name);
    return std::optional(std::move(value.get_object()));
  }

  Result<std::optional<Guest>> read(std::string const& name) const {
    auto const object = TRY(read_written(name));
    if (!object) return std::optional<Guest>();
    auto const* running = object->if_contains("running");
    if (!running) return not_a_guest(name);
    auto const* spec = object->if_contains("spec");
    Guest guest{model::text_of(*object, "uuid"),
                TRY(schema::decode<rpc::RunningInstance>(*running)),
                spec ? TRY(schema::decode<rpc::InstanceSpec>(*spec)) : rpc::InstanceSpec(),
                {}};
    if (auto const* leaving = object->if_contains("leaving"); leaving && leaving->is_array()) {
      for (auto const& uuid : leaving->get_array()) {
        if (uuid.is_string()) guest.leaving.emplace(uuid.get_string());
      }
    }
    return std::optional(std::move(guest));
  }

  std::mutex mutex_;
  std::string directory_;
};

}  // namespace

std::unique_ptr<Hypervisor> make_fake(Paths const& paths) {
  return std::make_unique<Fake>(paths);
}

}  // namespace flotte::node
