"""The constants of the C++ code as numbers, and the defaults of the flags: for limits.py and doc_figures.py."""
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
NO_ROOMS = {"benchmarks", "build", "tests", "tools"}  # folders whose C++ is not the program's
UNITS = {
    "": 1,
    "B": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
}
CHRONO = {"microseconds": "µs", "milliseconds": "ms", "seconds": "s", "minutes": "min", "hours": "h", "days": "d"}


def sources():
    """Every source file of the program."""
    for room in sorted(ROOT.iterdir()):
        if not room.is_dir() or room.name in NO_ROOMS or room.name.startswith("."):
            continue
        yield from (path for path in sorted(room.rglob("*")) if path.suffix in (".h", ".cc", ".c"))


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def expression_of(text, name):
    """What `name` is set to: `name = X;`, `name{X}`, a field or enumerator `name = X,`, or `#define name X`."""
    found = re.search(rf"\b{name}(?:\[[^\]]*\])?\s*(?:=\s*([^;,]+?)\s*[;,]|\{{([^{{}};]+)\}}\s*;)", text)
    if found is None:
        found = re.search(rf"#define\s+{name}\s+([^\s]+)()", text)
    return (found.group(1) or found.group(2)) if found else None


def value_of(expression, text):
    """A C++ constant as a number, durations in seconds. Others that it names are looked up in `text`, then anywhere."""
    for name, unit in CHRONO.items():
        expression = re.sub(rf"std::chrono::{name}\s*[({{]([^(){{}}]*)[)}}]", rf"((\1)*{UNITS[unit]})", expression)
    expression = re.sub(r"(?<=\d)'(?=\d)", "", expression)
    expression = re.sub(r"\b(\d+)[uUlL]+\b", r"\1", expression)
    expression = re.sub(r"(?:std::)?size_t\{(\d+)\}", r"\1", expression)
    while (other := re.search(r"(?:\w+::)*(k[A-Z]\w*)", expression)) is not None:
        meaning = expression_of(text, other.group(1))
        if meaning is None:
            elsewhere = (expression_of(without_comments(path.read_text()), other.group(1)) for path in sources())
            meaning = next(filter(None, elsewhere), None)
        if meaning is None:
            raise ValueError(f"{other.group(1)} is not found")
        expression = expression.replace(other.group(0), f"({value_of(meaning, text)})", 1)
    expression = expression.strip('"')  # of SQL's settings
    if not re.fullmatch(r"[\d\s.+*/()<>e-]+", expression):
        raise ValueError(f"`{expression}` is no number")
    return eval(expression)  # digits and operators alone, by the line above


def constant(file, name):
    """The value of `name` in `file`, a path from the root of the repository."""
    path = ROOT / file
    if not path.exists():
        raise ValueError(f"there is no {file}")
    text = without_comments(path.read_text())
    expression = expression_of(text, name)
    if expression is None:
        raise ValueError(f"{file} sets no {name}")
    return value_of(expression, text)


def flags_of(vas):
    """Each flag of `vas --help`, and its default."""
    text = subprocess.run([vas, "--help"], capture_output=True, text=True, check=True).stdout
    flags = {}
    for found in re.finditer(r"^\s+--([a-z0-9-]+)\b([^\n]*)", text, re.M):
        default = re.search(r"(?:=|\[)([^\s=\[\]]*)\]?\s*\(Env:", found.group(2))
        flags[found.group(1)] = default.group(1) if default else None
    return flags
