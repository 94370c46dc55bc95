// What is known of a job: its opcodes, their states, results and log lines; and how it is stored.
// Values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "jobs/principal.h"
#include "schema/schema.h"

namespace flotte::jobs {

namespace json = boost::json;

// Of an opcode and of a job (docs/ganeti.md, "Opcodes and jobs").
enum class Status { Queued, Waiting, Canceling, Running, Success, Error, Canceled };

std::string_view to_string(Status status);
inline bool is_final(Status status) {
  return status == Status::Success || status == Status::Error || status == Status::Canceled;
}

struct LogEntry {
  std::int64_t serial = 0;
  std::vector<std::int64_t> time;  // seconds, microseconds
  std::string type = "message";
  json::value content;

  json::array wire() const;
};

// What wire() gives.
Result<LogEntry> log_entry_from(json::value const& from);

struct OpState {
  json::object input;  // complete, with OP_ID
  Status status = Status::Queued;
  json::value result;
  // For readers; stored apart (job_log.h), but by older versions here.
  std::vector<LogEntry> log;
  std::int64_t priority = 0;
  // [seconds, microseconds], or empty.
  std::vector<std::int64_t> start_timestamp;
  std::vector<std::int64_t> exec_timestamp;
  std::vector<std::int64_t> end_timestamp;
};

struct Job {
  JobId id{};
  // Of older versions' jobs nobody knows.
  std::optional<Principal> submitted_by;
  std::vector<OpState> ops;
  std::vector<std::int64_t> received_timestamp;
  std::vector<std::int64_t> start_timestamp;
  std::vector<std::int64_t> end_timestamp;
  bool is_archived = false;
  // Why a restarted controller set it aside; empty for all others.
  std::string set_aside;
  // Of the controllers that it ended: they crashed while they worked for it.
  std::vector<std::int64_t> crashed_epochs;

  // Derived from the opcodes.
  Status status() const;
};

// [seconds, microseconds], as Ganeti writes time stamps of jobs.
std::vector<std::int64_t> stamp(WallTime time);

json::object encode(Job const& job);
Result<Job> decode_job(json::value const& stored);

// ["OpPrereqError", ["text", "ecode"]]; ByStage becomes `by_stage`.
json::value encode_error(Error const& error, ErrorClass by_stage);

}  // namespace flotte::jobs
