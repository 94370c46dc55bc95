#include "cli/renew_crypto.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

#include "base/utf8.h"
#include "cli/node_door.h"

namespace flotte::cli {
namespace {

// As large as the node daemon keeps one.
constexpr std::size_t file_bytes_max = 1024 * 1024;

// Of what is read with the rights of who typed its name.
Result<std::string> read_given(std::string const& path) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> const file(std::fopen(path.c_str(), "re"),
                                                             std::fclose);
  std::string text;
  char chunk[4096];
  while (file && text.size() <= file_bytes_max) {
    auto const count = std::fread(chunk, 1, sizeof chunk, file.get());
    if (count == 0) break;
    text.append(chunk, count);
  }
  if (!file || std::ferror(file.get()) != 0) {
    return fail(ErrorCode::WrongInput, "{}", std::generic_category().message(errno));
  }
  if (text.size() > file_bytes_max) {
    return fail(ErrorCode::WrongInput, "it is larger than {} bytes", file_bytes_max);
  }
  // What JSON can't carry is neither PEM nor a secret.
  if (!is_utf8(text)) {
    return fail(ErrorCode::WrongInput, "it is not a text in UTF-8");
  }
  return text;
}

struct Part {
  char const* option;
  char const* key;  // of the node call
  char const* name;
};
constexpr Part made_anew[] = {
    {"new-cluster-certificate", "cluster_certificate", "the cluster's and the nodes' certificates"},
    {"new-node-certificates", "node_certificates", "the nodes' certificates"},
    {"new-rapi-certificate", "rapi_certificate", "the RAPI certificate"},
    {"new-confd-hmac-key", "hmac_key", "the HMAC key"},
    {"new-cluster-domain-secret", "domain_secret", "the cluster domain secret"},
};

struct GivenPart {
  Part part;
  char const* text_key;
  char const* file_key;
  char const* unreadable;  // Ganeti's words
};
constexpr GivenPart from_file[] = {
    {{"rapi-certificate", "rapi_certificate", "the RAPI certificate"},
     "rapi_pem",
     "rapi_file",
     "Unable to load X509 certificate from {}: Unable to read certificate: {}"},
    {{"cluster-domain-secret", "domain_secret", "the cluster domain secret"},
     "domain_secret_text",
     "domain_secret_file",
     "Can't load new cluster domain secret from {}: {}"},
};

// Ganeti's first look at what was typed.
Outcome<void> check_together(Arguments const& typed) {
  for (auto const& given : from_file) {
    auto const made = fmt::format("new-{}", given.part.option);
    if (!typed.has(made) || !typed.has(given.part.option)) continue;
    return stop(
        fmt::format("Only one of the --{} and --{} options can be specified at the same time.",
                    made, given.part.option));
  }
  auto const has_spice_file = typed.has("spice-certificate");
  auto const has_spice_authority = typed.has("spice-ca-certificate");
  if (typed.has("new-spice-certificate") && (has_spice_file || has_spice_authority)) {
    return stop(
        "When using --new-spice-certificate, the --spice-certificate and --spice-ca-certificate "
        "must not be used.");
  }
  if (has_spice_file != has_spice_authority) {
    return stop("Both --spice-certificate and --spice-ca-certificate must be specified.");
  }
  return {};
}

// What can't be done is said before anything is.
Outcome<void> refuse_what_there_is_not(Arguments const& typed) {
  for (auto const* option :
       {"new-spice-certificate", "spice-certificate", "spice-ca-certificate"}) {
    if (!typed.has(option)) continue;
    return stop(Error{
        ErrorCode::WrongInput,
        fmt::format("{}: there is no SPICE here, and so no certificate for it; nothing was renewed",
                    typed.spelled(option))});
  }
  if (typed.has("new-ssh-keys")) {
    return stop(Error{ErrorCode::WrongInput,
                      fmt::format("{}: the nodes' SSH keys are left alone, here and by init; "
                                  "ssh-keygen makes others; nothing was renewed",
                                  typed.spelled("new-ssh-keys"))});
  }
  return {};
}

struct Wish {
  json::object arguments;
  std::vector<std::string> names;

  void add(Part const& part) {
    arguments[part.key] = true;
    names.emplace_back(part.name);
  }
};

Outcome<Wish> wish_of(Arguments const& typed) {
  Wish wish;
  for (auto const& part : made_anew) {
    auto const is_among_others =
        part.key == std::string_view("node_certificates") && typed.has("new-cluster-certificate");
    if (typed.has(part.option) && !is_among_others) wish.add(part);
  }
  for (auto const& given : from_file) {
    auto const path = typed.value(given.part.option);
    if (!path) continue;
    auto const text = read_given(*path);
    if (!text) {
      return stop(fmt::format(fmt::runtime(given.unreadable), *path, text.error().message));
    }
    wish.add(given.part);
    wish.arguments[given.text_key] = text_value(*text);
    wish.arguments[given.file_key] = text_value(*path);
  }
  return wish;
}

Outcome<int> renew_crypto(Call& call) {
  auto const& typed = call.arguments;
  OK(check_together(typed).map([] { return 0; }));
  OK(refuse_what_there_is_not(typed).map([] { return 0; }));
  auto wish = OK(wish_of(typed));
  if (wish.names.empty()) {
    return stop(
        Error{ErrorCode::WrongInput,
              "Nothing was asked for: say what is to be renewed, as --new-node-certificates"});
  }
  auto const ask = [&](bool is_trial) {
    wish.arguments["dry_run"] = is_trial;
    return call_node(call.session.paths(), "crypto_renew", wish.arguments);
  };
  OK(ask(true));
  OK(confirm(call, fmt::format("This replaces {}. Nothing is stopped for it, but who knows only "
                               "what there is now has to be told. Continue?",
                               fmt::join(wish.names, ", ")))
         .map([] { return 0; }));
  std::printf("Updating certificates and keys\n");
  std::fflush(stdout);
  auto const done = ask(false);
  if (!done) {
    auto error = done.error();
    error.text += "\nIt is safe to repeat the command, which finishes what was begun.";
    return tl::unexpected(std::move(error));
  }
  if (typed.has("verbose")) {
    for (auto const& file : done->at("files").as_array())
      std::printf("Renewed %s\n", file.get_string().c_str());
  }
  std::printf(
      "All requested certificates and keys have been replaced. Running \"gnt-cluster verify\" now "
      "is recommended.\n");
  return 0;
}

}  // namespace

Command renew_crypto_command() {
  constexpr auto no_keys = "No effect: SSH is left alone";
  return {"renew-crypto",
          "[<opts>...]",
          0,
          0,
          {{0, "new-cluster-certificate", false,
            "The authority, and the certificates of nodes and controller that it signs"},
           {0, "new-node-certificates", false, "Only the certificates of nodes and controller"},
           {0, "new-rapi-certificate", false, "A certificate for the remote API, signed by itself"},
           {0, "rapi-certificate", true, "The certificate and the key in this file for it"},
           {0, "new-confd-hmac-key", false, "The key hmac.key"},
           {0, "new-cluster-domain-secret", false, "The secret shared with other clusters"},
           {0, "cluster-domain-secret", true, "The one line of this file for it"},
           {'f', "force", false, "Don't ask"},
           {'v', "verbose", false, "Name each file"},
           {0, "new-spice-certificate", false, "Refused: there is no SPICE"},
           {0, "spice-certificate", true, "Refused: there is no SPICE"},
           {0, "spice-ca-certificate", true, "Refused: there is no SPICE"},
           {0, "new-ssh-keys", false, "Refused: SSH is left alone"},
           {0, "no-ssh-key-check", false, no_keys},
           choice({0, "ssh-key-type", true, no_keys}, {"dsa", "ecdsa", "rsa"}),
           integer({0, "ssh-key-bits", true, no_keys})},
          "Renews cluster certificates, keys and secrets",
          renew_crypto};
}

}  // namespace flotte::cli
