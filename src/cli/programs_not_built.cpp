// Programs of Ganeti of which no command is built yet: who calls one is told so, and mistakes in
// what was typed are Ganeti's.
#include "cli/command.h"

namespace flotte::cli {
namespace {

constexpr std::size_t many = 10'000;

std::vector<Option> table_options() {
  return without(list_options(), {"units", "filter", "json"});
}
std::vector<Option> fields_options() {
  return without(list_fields_options(), {"json"});
}

std::string lists(std::string const& what, std::string const& fields) {
  return "Lists the " + what +
         ". The available fields can be shown using the \"list-fields\" command (see the man page "
         "for details). The default list is (in order): " +
         fields + ".";
}

}  // namespace

Program storage_program() {
  return {"gnt-storage",
          {{"diagnose", "", 0, 0, priority_option(), "Diagnose all ExtStorage providers"},
           {"info", "", 0, many, priority_option(), "Show info about ExtStorage providers"}},
          {{"show", "info"}}};
}

Program filter_program() {
  auto const rule = known_options({"priority=", "predicates=", "action="});
  return {
      "gnt-filter",
      {{"add", "", 0, 0, rule, "Adds a new filter rule"},
       {"delete", "<filter-uuid>", 1, 1, {}, "Removes a filter"},
       {"info", "[<filter-uuid>...]", 0, many, {}, "Shows information about the filter(s)"},
       {"list", "[<filter-uuid>...]", 0, many, table_options(),
        lists("job filter rules", "uuid, watermark, priority, predicates, action, reason_trail")},
       {"list-fields", "[<fields>...]", 0, many, fields_options(),
        "Lists all available fields for filters"},
       {"replace", "<filter-uuid>", 1, 1, rule, "Replaces a filter"}},
      {}};
}

}  // namespace flotte::cli
