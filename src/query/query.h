// Running a query over rows: fields, names and a filter in its JSON form (docs/ganeti.md, "Lists
// and fields", and docs/ganeti.md, "Filters"). Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "query/field.h"

namespace flotte::query {

struct Request {
  std::string what;  // instance, node, group, network, export, job, lock
  std::vector<std::string> fields;
  std::vector<std::string> names;  // empty: all; of exports these are nodes
  json::value filter;              // null: none
};

Result<Request> parse_request(json::object const& body);

// What has to be asked of the nodes first; a query over the configuration alone costs no node call.
struct Needs {
  bool running = false;
  bool facts = false;
  bool exports = false;
};
Result<Needs> needs_of(Request const& request);

// `objects` are the rows of jobs and locks, in order. The answer is {"fields": [...], "data":
// [[[status, value]]]}.
Result<json::value> run(Request const& request, model::Cluster const& cluster, Live const& live,
                        std::vector<json::object> const& objects);

// All fields that Ganeti has, or those named.
Result<json::value> fields_of(std::string const& what, std::vector<std::string> const& names);

// Whether a row passes a filter; WrongInput names what is wrong with it.
Result<bool> matches(json::value const& filter, FieldTable const& table, Row const& row);

}  // namespace flotte::query
