// What must hold between hypervisor parameters, each of which is right by itself, and which of them
// are refused because what they ask for is not built. Pure.
#pragma once

#include <string>
#include <vector>

#include "model/params.h"

namespace flotte::model {

// Of filled parameters. The errors of rules are Ganeti's.
Result<void> check_hypervisor(HypervisorKind kind, json::object const& filled);
// Also against the filled backend parameters: for who is going to start.
Result<void> check_start(HypervisorKind kind, json::object const& hvparams,
                         json::object const& beparams);

// As cpu_mask has it: one list for all, or one a virtual CPU. Nothing: no restriction.
using CpuList = std::vector<int>;
Result<std::vector<CpuList>> parse_cpu_mask(std::string_view mask);

// kvm_extra as a shell splits words: quotes and backslashes, nothing else.
Result<std::vector<std::string>> parse_kvm_extra(std::string_view text);

// One of usb_devices: what QEMU emulates under a name, or a device of the host, by the properties
// that QEMU's driver `usb-host` finds it by.
struct UsbDevice {
  std::string emulated;
  std::string of_host;  // "vendorid=0x046d,productid=0xc52b" or "hostbus=1,hostaddr=4"

  bool operator==(UsbDevice const&) const = default;
};
Result<std::vector<UsbDevice>> parse_usb_devices(std::string_view text);

}  // namespace flotte::model
