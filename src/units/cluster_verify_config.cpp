#include "units/cluster_verify_config.h"

#include <ctime>
#include <map>

#include "jobs/job_context.h"
#include "model/params.h"
#include "units/verify_report.h"

namespace flotte::units {
namespace {

// "2026-11-24 05:00:00", in UTC.
std::string date(double seconds) {
  auto const when = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&when, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

// What two instances must not share.
void verify_uniqueness(model::Cluster const& cluster, VerifyReport& report) {
  std::map<std::string, std::string> macs;
  std::map<std::int64_t, std::string> ports;
  std::map<std::string, std::string> disks;
  for (auto const& instance : cluster.instances_by_name()) {
    for (std::size_t i = 0; i < instance->nics.size(); ++i) {
      auto const& mac = instance->nics[i].mac;
      auto const [first, is_new] = macs.emplace(mac, instance->name);
      if (is_new) continue;
      report.error("ECLUSTERCFG", "",
                   fmt::format("instance '{}' NIC {} mac '{}' duplicate of instance '{}'",
                               instance->name, i, mac, first->second));
    }
    if (instance->network_port) {
      auto const [first, is_new] = ports.emplace(*instance->network_port, instance->name);
      if (!is_new) {
        report.error("ECLUSTERCFG", "",
                     fmt::format("tcp/udp port {} has duplicates: instance {}, instance {}",
                                 *instance->network_port, first->second, instance->name));
      }
    }
    for (std::size_t i = 0; i < instance->disks.size(); ++i) {
      auto const id = fmt::format("{}", fmt::join(instance->disks[i].logical_id, "/"));
      auto const owner = fmt::format("disk/{} of instance '{}'", i, instance->name);
      auto const [first, is_new] = disks.emplace(id, owner);
      if (is_new) continue;
      report.error("ECLUSTERCFG", "",
                   fmt::format("{} and {} have the same logical id {}", first->second, owner, id));
    }
  }
}

void verify_settings(model::Cluster const& cluster, VerifyReport& report) {
  auto const& settings = cluster.settings();
  report.error_if(settings.enabled_hypervisors.empty(), "ECLUSTERCFG", "",
                  "enabled hypervisors list doesn't have any entries");
  for (auto const& instance : cluster.instances_by_name()) {
    if (std::ranges::find(settings.enabled_hypervisors, instance->hypervisor) ==
        settings.enabled_hypervisors.end()) {
      report.error("ECLUSTERCFG", "",
                   fmt::format("instance '{}' uses hypervisor '{}', which is not enabled",
                               instance->name, schema::name_of(instance->hypervisor)));
    }
    if (std::ranges::find(settings.enabled_disk_templates, instance->disk_template) ==
        settings.enabled_disk_templates.end()) {
      report.error("ECLUSTERCFG", "",
                   fmt::format("instance '{}' uses disk template '{}', which is not enabled",
                               instance->name, schema::name_of(instance->disk_template)));
    }
  }
  report.error_if(
      !cluster.node(settings.master_node), "ECLUSTERCFG", "",
      fmt::format("cluster has invalid primary node '{}'", settings.master_node.text()));
}

void verify_certificates(ClusterVerifyConfig::Facts const& facts, VerifyReport& report) {
  constexpr double day = 86400;
  constexpr double days_error = 7;
  constexpr double days_warning = 30;
  for (auto const& certificate : facts.certificates) {
    auto const validity = fmt::format("(valid from {} to {})", date(certificate.not_before),
                                      date(certificate.not_after));
    auto const days_left = (certificate.not_after - facts.now) / day;
    auto const tell = [&](std::string const& what, Severity severity) {
      report.error("ECLUSTERCERT", "",
                   fmt::format("While verifying {}: {}", certificate.path, what), severity);
    };
    if (!certificate.error.empty()) {
      report.error("ECLUSTERCERT", "",
                   fmt::format("Failed to load X509 certificate {}: {}", certificate.path,
                               certificate.error));
    } else if (days_left < 0) {
      tell("Certificate is expired " + validity, Severity::Error);
    } else if (certificate.not_before > facts.now) {
      tell("Certificate not yet valid " + validity, Severity::Warning);
    } else if (days_left < days_warning) {
      tell(fmt::format("Certificate expires in about {:.0f} days", days_left),
           days_left < days_error ? Severity::Error : Severity::Warning);
    }
  }
}

void verify_parameters(model::Cluster const& cluster, VerifyReport& report) {
  auto const& settings = cluster.settings();
  // Ganeti's own words, with the source and the hypervisor in each other's place.
  auto const tell = [&](std::string const& source, model::HypervisorKind kind, Error const& error) {
    report.error("ECLUSTERCFG", "",
                 fmt::format("hypervisor {} parameters syntax check (source {}): {}", source,
                             schema::name_of(kind), error.message));
  };
  for (auto const kind : settings.enabled_hypervisors) {
    auto const checked = model::enforce_hypervisor(kind, model::filled_hvparams(settings, kind));
    if (!checked) tell("cluster", kind, checked.error());
  }
  for (auto const& instance : cluster.instances_by_name()) {
    auto const filled = model::filled_hvparams(settings, *instance);
    auto const checked = model::enforce_hypervisor(instance->hypervisor, filled);
    if (!checked) tell("instance " + instance->name, instance->hypervisor, checked.error());
  }
}

void verify_references(model::Cluster const& cluster, VerifyReport& report) {
  std::vector<std::string> nodes;
  for (auto const& node : cluster.nodes_by_name()) {
    if (cluster.group(node->group.text())) continue;
    std::vector<std::string> instances;
    for (auto const& instance : cluster.instances_by_name()) {
      if (instance->primary_node == node->uuid) instances.push_back(instance->name);
    }
    nodes.push_back(fmt::format("{} ({})", node->name, fmt::join(instances, ", ")));
  }
  report.error_if(
      !nodes.empty(), "ECLUSTERDANGLINGNODES", "",
      fmt::format("the following nodes (and their instances) belong to a non existing group: {}",
                  fmt::join(nodes, ", ")));
  std::vector<std::string> instances;
  for (auto const& instance : cluster.instances_by_name()) {
    if (!cluster.node(instance->primary_node)) instances.push_back(instance->name);
  }
  report.error_if(!instances.empty(), "ECLUSTERDANGLINGINST", "",
                  fmt::format("the following instances have a non-existing primary-node: {}",
                              fmt::join(instances, ", ")));
}

}  // namespace

Result<jobs::LockSet> ClusterVerifyConfig::locks(Op const&, model::Cluster const&) {
  return jobs::LockSet{};
}

Result<ClusterVerifyConfig::Facts> ClusterVerifyConfig::inspect(Op const&,
                                                                model::Cluster const& cluster,
                                                                jobs::NodeReader& nodes) {
  Facts facts{.set_aside = nodes.set_aside(),
              .now = std::chrono::duration<double>(nodes.now().time_since_epoch()).count()};
  // A master that does not answer is the group's finding.
  if (auto const master = cluster.node(cluster.settings().master_node)) {
    if (auto found = nodes.ask(**master, rpc::NodeVerify{})) {
      facts.certificates = std::move(found->certificates);
    }
  }
  return facts;
}

Result<ClusterVerifyConfig::Plan> ClusterVerifyConfig::plan(Op const& op,
                                                            model::Cluster const& cluster,
                                                            Facts const& facts) {
  TRY(check_choices(op));
  VerifyReport report(verify_options(op));
  report.heading("Verifying cluster config");
  verify_settings(cluster, report);
  verify_uniqueness(cluster, report);
  report.heading("Verifying cluster certificate files");
  verify_certificates(facts, report);
  report.heading("Verifying hypervisor parameters");
  verify_parameters(cluster, report);
  report.heading("Verifying all nodes belong to an existing group");
  verify_references(cluster, report);
  if (!facts.set_aside.empty()) report.heading("Verifying the job queue");
  for (auto const& [job, why] : facts.set_aside) {
    report.error(
        "ECLUSTERJOBQUEUE", std::to_string(number(job)),
        fmt::format("set aside: {}; see 'gnt-job info {}', then archive it", why, number(job)));
  }
  return Plan{.lines = report.lines(), .is_good = report.is_good()};
}

Result<json::value> ClusterVerifyConfig::apply(Plan const& plan, jobs::JobContext& job) {
  for (auto const& line : plan.lines) job.log(line);
  return plan.is_good;
}

schema::Fields ClusterVerifyConfig::Plan::fields() {
  static constexpr schema::Field table[] = {
      schema::field<&Plan::lines>("lines", "What is told."),
      schema::field<&Plan::is_good>("is_good", "Whether nothing was found."),
  };
  return table;
}

}  // namespace flotte::units
