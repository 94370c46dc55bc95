// The fake hypervisor, as Ganeti's: a file per running instance below <run>/fake-hypervisor. It
// misbehaves when a file
// `<name>.fail` lies there: start fails with its text.
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <filesystem>
#include <mutex>

#include "model/params.h"
#include "node/hypervisor/hypervisor.h"
#include "sys/files.h"

namespace flotte::node {

namespace json = boost::json;
namespace {

class Fake final : public Hypervisor {
 public:
  explicit Fake(Paths const& paths) : directory_(paths.run() + "/fake-hypervisor") {}

  Result<void> start(rpc::InstanceSpec const& spec, std::vector<std::string> const&,
                     bool paused) override {
    std::lock_guard const guard(mutex_);
    TRY(sys::make_directories(directory_, 0750));
    if (auto const wish = sys::read_file(file_of(spec.name) + ".fail")) {
      return fail(ErrorCode::EnvironmentError, "{}", *wish);
    }
    rpc::RunningInstance running;
    running.name = spec.name;
    running.hypervisor = model::HypervisorKind::Fake;
    running.state = paused ? rpc::RunState::Paused : rpc::RunState::Running;
    running.memory = {model::number_of(spec.beparams, "maxmem")};
    running.vcpus = model::number_of(spec.beparams, "vcpus");
    running.hvparams = spec.hvparams;
    return sys::write_file(file_of(spec.name), json::serialize(schema::encode(running)), 0640);
  }

  Result<void> stop(std::string const& name, std::chrono::seconds) override {
    std::lock_guard const guard(mutex_);
    ::unlink(file_of(name).c_str());
    return {};
  }

  Result<void> soft_reboot(std::string const& name) override {
    if (sys::exists(file_of(name))) return {};
    return fail(ErrorCode::WrongState, "Instance {} does not run", name);
  }

  Result<void> resize_disk(std::string const&, rpc::DiskSpec const&, MiB) override { return {}; }

  Result<std::vector<rpc::RunningInstance>> list() override {
    std::lock_guard const guard(mutex_);
    std::vector<rpc::RunningInstance> found;
    std::error_code error;
    for (auto const& entry : std::filesystem::directory_iterator(directory_, error)) {
      if (entry.path().extension() == ".fail") continue;
      auto const text = TRY(sys::read_file(entry.path().string()));
      found.push_back(TRY(schema::decode<rpc::RunningInstance>(TRY(schema::parse(text)))));
    }
    return found;
  }

 private:
  std::string file_of(std::string const& name) const { return directory_ + "/" + name; }

  std::mutex mutex_;
  std::string directory_;
};

}  // namespace

std::unique_ptr<Hypervisor> make_fake(Paths const& paths) {
  return std::make_unique<Fake>(paths);
}

}  // namespace flotte::node
