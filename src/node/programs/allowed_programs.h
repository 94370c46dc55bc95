// Which programs root runs because the cluster says so: those that the node itself allows.
//
// The cluster's configuration is written by the controller, which is no root, for people who are
// none either. So a program that it names (kvm_path, and what kvm_extra makes QEMU run) must stand
// in a list on the node that only root can change: Debian's QEMUs, and what
// /etc/ganeti/allowed-programs adds, one path or shell pattern a line. Scripts that lie where only
// root puts them (OS definitions, hooks, network scripts) need no list, only an owner. Thread-safe.
#pragma once

#include <span>
#include <string>

#include "base/paths.h"
#include "base/result.h"

namespace flotte::node {

// Why root must not run it: somebody else may have put it there, or changed it. Empty: it may.
std::string why_not_trusted(std::string const& path);
// The same as an error, for what isn't there too.
Result<void> require_trusted(std::string const& path);

// Refused, with what to write into which file on which node, when it isn't on the list.
Result<void> require_allowed(Paths const& paths, std::string const& program);
// QEMU itself and every program that its arguments make it run.
Result<void> require_qemu_allowed(Paths const& paths, std::span<std::string const> argv);

}  // namespace flotte::node
