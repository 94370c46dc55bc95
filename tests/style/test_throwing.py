"""What throws is not used where it has a sister that answers: a symbolic link in a circle, or a number with too many digits, must not be able to
end a daemon. Boundaries (src/base/boundary.h) are for what nobody foresaw."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = [
    (r"std::sto(?:i|l|ll|ul|ull|f|d|ld)\b", "whole_number() of base/text.h"),
    (r"for \([^;)]*: *(?:std::filesystem|fs)::(?:recursive_)?directory_iterator\(", "sys::names_in(), or increment(error): going on may throw"),
    (r"(?:\.|->)(?:is_regular_file|is_directory|is_symlink|is_block_file|is_other|file_size|last_write_time|symlink_status|refresh|increment)\(\)",
     "its overload with a std::error_code"),
    (r"\.at\(", "find(), if_contains(), or known_at() of base/lookup.h where it must be there"),
    (r"\.(?:as_(?:array|object|string|int64|uint64|double|bool)|to_number<(?!double>)[\w:]+>)\(", "if_array(), if_object(), … or the functions of schema/"),
    (r"\bvalue_to<", "the functions of schema/"),
    (r"\.value\(\)", "* behind a check"),
    (r"\bjson::parse\(", "schema::parse()"),
    (r"\bstd::j?thread\(", "Clock::start_thread()"),
    (r"\bstd::(?:regex|any_cast|random_device|vformat)\b", "something that doesn't throw"),
    (r"\bthrow\b", "fail()"),
]
# Where it can't matter, and why.
EXEMPT = {
    "src/cli/": {r"\.at\(", r"\.as_\w+\(", r"\.to_number<\w+"},  # answers of our own controller; run_command_line() is the boundary
    "src/cli/completion.cpp": {"std::regex"},  # a constant expression; completion_test covers it
    "src/model/params.cpp": {"json::parse("},  # constants of our own; a test reads them all
    "src/schema/schema.cpp": {"json::parse("},  # with a std::error_code
    "src/base/clock.cpp": {"std::thread("},  # what all others use
    "src/node/hypervisor/kvm/kvm.cpp": {"std::jthread("},  # made once, when the daemon starts
    "src/node/daemon/guest_calls.h": {"std::jthread("},  # the same
}
FILESYSTEM = re.compile(r"\b(?:std::filesystem|fs)::(\w+)(?: \w+)?\(")
# They touch no file.
PURE = {"path", "filesystem_error"}


def product_files():
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".h", ".cpp") and not path.stem.endswith("_test") and not path.name.startswith("test_"):
            yield path


def code_of(text):
    """Without comments and what is in quotes; the lines stay where they are."""
    text = re.sub(r'R"(\w*)\((?:.|\n)*?\)\1"', lambda raw: '""' + "\n" * raw.group().count("\n"), text)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"//[^\n]*", "", text)


def arguments(code, begin):
    depth = 1
    for end in range(begin, len(code)):
        depth += {"(": 1, ")": -1}.get(code[end], 0)
        if depth == 0:
            return code[begin:end]
    return code[begin:]


def throwing(text):
    code = code_of(text)
    errors = set(re.findall(r"std::error_code (\w+)", code))
    for pattern, instead in RULES:
        for found in re.finditer(pattern, code):
            yield code.count("\n", 0, found.start()) + 1, found.group(), instead
    for found in FILESYSTEM.finditer(code):
        last = arguments(code, found.end()).split(",")[-1].strip()
        if found.group(1) not in PURE and last and last not in errors:
            yield code.count("\n", 0, found.start()) + 1, found.group(), "its overload with a std::error_code"


def is_exempt(name, what):
    return any(name.startswith(place) and any(re.match(allowed, what) if allowed.startswith("\\") else what == allowed for allowed in whats)
               for place, whats in EXEMPT.items())


def test_nothing_throws_that_need_not():
    wrong = [f"{path.relative_to(ROOT)}:{line}: {what} instead of it: {instead}" for path in product_files()
             for line, what, instead in throwing(path.read_text()) if not is_exempt(str(path.relative_to(ROOT)), what)]
    assert not wrong, "\n".join(wrong)


def test_what_throws_is_seen():
    def seen(text):
        return [what for _, what, _ in throwing(text)]
    assert seen("auto n = std::stoll(text);  // std::stoi(") == ["std::stoll"]
    assert seen("for (auto const& entry : std::filesystem::directory_iterator(path, error)) {")
    assert seen("if (entry.is_directory()) {") and not seen("if (entry.is_directory(error)) {")
    assert seen("std::filesystem::exists(path)") and seen("std::filesystem::exists(path, mistake)")
    assert not seen("std::error_code mistake;\nstd::filesystem::exists(path, mistake);\nstd::filesystem::path(x)")
    assert seen("map.at(key)") and not seen('fail("map.at(key)")')
    assert seen("value.as_array()") and not seen("value.if_array()")
    assert seen("json::parse(text)") and not seen("schema::parse(text)")


def test_every_exemption_is_needed():
    for place, whats in EXEMPT.items():
        code = "".join(path.read_text() for path in product_files() if str(path.relative_to(ROOT)).startswith(place))
        for what in whats:
            assert re.search(what if what.startswith("\\") else re.escape(what), code), f"{place} has no {what}"
