// What programs may change through the remote API: a table of routes whose answer is the number of
// the job that does it. Each row makes opcodes of a call; whether what they say can be done is the
// queue's to say. Ganeti's rules: docs/ganeti.md, "Remote API". Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "rapi/making.h"

namespace flotte::rapi {

using Opcodes = std::vector<json::object>;

struct Change {
  std::string_view method;
  std::string_view path;        // "/2/instances/{name}/startup"
  std::string_view permission;  // "instances.startup"
  std::string_view op_id;       // of the job's opcode, or of the one that the job is about
  std::string_view resource;    // in the trail of reasons: "instances_name_startup"
  std::string_view sentence;    // for people
  Making making = {};
  Granted<Opcodes> (*job)(RemoteCall const& call) = nullptr;  // instead, where it is more than one

  // Without their trail of reasons. An opcode that isn't known yet is made like the others, but not
  // checked.
  Granted<Opcodes> opcodes(RemoteCall const& call) const;
};

std::span<Change const> changes();

// "?reason=" and the resource: where each opcode's trail begins.
void add_reason(Opcodes& opcodes, Change const& change, RemoteCall const& call,
                std::int64_t now_ns);

}  // namespace flotte::rapi
