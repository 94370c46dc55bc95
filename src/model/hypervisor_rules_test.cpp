#include "model/hypervisor_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotte::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string judged(std::initializer_list<std::pair<std::string_view, json::value>> changes) {
  auto hv = defaults(hypervisor_params(HypervisorKind::Kvm));
  hv["kernel_path"] = "";
  for (auto const& [name, value] : changes) hv[name] = value;
  auto const checked = check_hypervisor(HypervisorKind::Kvm, hv);
  return checked ? "" : checked.error().message;
}

TEST(HypervisorRules, defaults_hold) {
  EXPECT_EQ(judged({}), "");
  EXPECT_TRUE(check_hypervisor(HypervisorKind::Fake, {}));
}

TEST(HypervisorRules, vnc_can_be_switched_off_and_on_without_losing_the_rest) {
  EXPECT_EQ(judged({{"vnc_bind_address", ""},
                    {"vnc_password_file", "/etc/secret"},
                    {"vnc_tls", true},
                    {"vnc_x509_path", "/etc/x509"}}),
            "");
}

TEST(HypervisorRules, a_display_is_bound_to_something_that_can_be) {
  for (auto const* address :
       {"127.0.0.1", "0.0.0.0", "::1", "/srv/vnc", "br0", "eth0.12", "eno1"}) {
    EXPECT_EQ(judged({{"vnc_bind_address", address}}), "") << address;
  }
  for (auto const* address :
       {"127.0.0.300", "1.2.3", "fe80::x", "two words", "averyveryverylongname"}) {
    EXPECT_THAT(judged({{"vnc_bind_address", address}}), ::testing::HasSubstr("neither"))
        << address;
  }
}

TEST(HypervisorRules, a_domain_goes_with_the_model_that_has_one) {
  EXPECT_EQ(judged({{"security_model", "user"}, {"security_domain", "flotte-vm"}}), "");
  EXPECT_EQ(judged({{"security_model", "user"}}),
            "A security domain (user to run kvm as) must be specified");
  EXPECT_EQ(judged({{"security_domain", "flotte-vm"}}),
            "Cannot have a security domain when the security model is 'none' or 'pool'");
  EXPECT_THAT(judged({{"security_model", "pool"}}), ::testing::HasSubstr("not built yet"));
}

TEST(HypervisorRules, cpu_masks_as_people_write_them) {
  EXPECT_THAT(*parse_cpu_mask("all"), IsEmpty());
  EXPECT_THAT(*parse_cpu_mask("0-2,5"), ElementsAre(ElementsAre(0, 1, 2, 5)));
  EXPECT_THAT(*parse_cpu_mask("1:all:0,2"),
              ElementsAre(ElementsAre(1), IsEmpty(), ElementsAre(0, 2)));
  EXPECT_THAT(*parse_cpu_mask("4095"), ElementsAre(ElementsAre(4095)));
  for (auto const* mask : {"0-", "-1", "3-1", "a", "1,,2", "1:", "9999", "4096"}) {
    EXPECT_FALSE(parse_cpu_mask(mask)) << mask;
  }
}

TEST(HypervisorRules, usb_devices_of_the_host_are_named_by_numbers_that_there_are) {
  auto const devices = parse_usb_devices("tablet, host:255.127 host:ffff:1d6b");
  ASSERT_TRUE(devices) << devices.error().message;
  ASSERT_EQ(devices->size(), 3U);
  EXPECT_EQ((*devices)[0].emulated, "tablet");
  EXPECT_EQ((*devices)[1].of_host, "hostbus=255,hostaddr=127");
  EXPECT_EQ((*devices)[2].of_host, "vendorid=0xffff,productid=0x1d6b");
  for (auto const* device : {"host:256.1", "host:1.128", "host:10000:1", "host:1:10000", "host:1",
                             "host:-1.1", "disk:file"}) {
    EXPECT_FALSE(parse_usb_devices(device)) << device;
  }
}

}  // namespace
}  // namespace flotte::model
