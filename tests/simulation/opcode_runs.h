// For the tests that try something with every opcode: which there are, and arguments for them.
#pragma once

#include <string>
#include <vector>

#include "generators.h"
#include "world.h"

namespace flotte::simulation {

// "OP_INSTANCE_CREATE", or one way of it, "OP_INSTANCE_CREATE/adopt".
std::vector<std::string> opcodes_and_ways();
std::string test_name(std::string what);
Generator const& generator_of(std::string const& what);

// With how many seeds arguments are looked for that let an opcode succeed.
constexpr std::uint64_t argument_seeds = 40;
// The opcode with arguments drawn from the seed, after what must have happened before; none: they
// fit nothing here.
std::optional<json::object> arguments(World& world, std::string const& what, std::uint64_t seed);

}  // namespace flotte::simulation
