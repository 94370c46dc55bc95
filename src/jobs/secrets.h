// Secrets of a job: what its opcodes are given and nobody may find where things are stored.
//
// Instead of each there is a mark in the opcode, so that plans, journals and lists hold marks
// alone; what they stand for is put in where a node is called. Stored is it sealed, under
// /secrets/<job>, and its key apart from the store. Both go when the job ends; what remains in old
// pages of a database can't be read without the key.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/id.h"
#include "base/result.h"
#include "opcodes/opcode.h"

namespace flotte::jobs {

namespace json = boost::json;

// The keys of jobs that have secrets. Thread-safe.
class SecretKeys {
 public:
  virtual ~SecretKeys() = default;

  // Durable when it returns.
  virtual Result<void> keep(JobId job, std::string const& key) = 0;
  virtual Result<std::map<JobId, std::string>> all() = 0;
  // Fine where there is none.
  virtual Result<void> destroy(JobId job) = 0;
};

// For tests, and for the simulation.
class MemoryKeys final : public SecretKeys {
 public:
  Result<void> keep(JobId job, std::string const& key) override {
    std::lock_guard const guard(mutex_);
    keys_[job] = key;
    return {};
  }
  Result<std::map<JobId, std::string>> all() override {
    std::lock_guard const guard(mutex_);
    return keys_;
  }
  Result<void> destroy(JobId job) override {
    std::lock_guard const guard(mutex_);
    keys_.erase(job);
    return {};
  }

 private:
  std::mutex mutex_;
  std::map<JobId, std::string> keys_;
};

constexpr std::string_view secrets_prefix = "/secrets/";
std::string secrets_key(JobId job);

// Moves what is secret out of an opcode to the end of `secrets`; marks stay.
void take_secrets(json::object& opcode, json::array& secrets);
// The same marks for what was made of the opcode before its secrets were taken, a plan or a call:
// where OS parameters have a secret's name and value. False: there was none.
bool mark_secrets(json::value& made, json::object const& opcode, json::array const& secrets);
// For a text that can't be read as JSON. What it was can't be told afterwards.
bool mark_secrets(std::string& text, json::object const& opcode, json::array const& secrets);
// Puts it back. EnvironmentError: it is lost.
Result<void> put_secrets(json::value& value, json::array const& secrets);

}  // namespace flotte::jobs
