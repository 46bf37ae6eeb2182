"""Holds docs/limits.md against the code: each line's default is what the code says, its flag and its metric exist, and
no bound of the code is without a line. LIMITS_TEST [VAS]: with the program, flags are held against `vas --help`."""
import math
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/limits.md"
ROOMS = ("media", "ice", "bridge", "signaling", "vas")
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
# Of the shape of a bound, and none: what a number can say, not what is kept.
NO_BOUNDS = {"kMaxTag", "kMaxCseq", "kMostCapabilities"}


def sources():
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in (".h", ".cc", ".c"):
                yield path


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def expression_of(text, name):
    """What `name` is set to: `name = X;`, `name{X}`, or a field `.name = X,`."""
    found = re.search(rf"\b{name}(?:\[[^\]]*\])?\s*(?:=\s*([^;]+?)\s*;|\{{([^{{}};]+)\}}\s*;)", text)
    return (found.group(1) or found.group(2)) if found else None


def value_of(expression, text):
    """A C++ constant as a number, durations in seconds. Other
    constants are looked up in the same file, then anywhere."""
    for name, unit in CHRONO.items():
        expression = re.sub(
            rf"std::chrono::{name}\s*([({{])([^(){{}}]*)[)}}]",
            lambda m, u=unit: f"(({m.group(2)})*{UNITS[u]})",
            expression,
        )
    expression = re.sub(r"(?<=\d)'(?=\d)", "", expression)
    expression = re.sub(r"\b(\d+)[uUlL]+\b", r"\1", expression)
    expression = re.sub(r"(?:std::)?size_t\{(\d+)\}", r"\1", expression)
    while (other := re.search(r"(?:\w+::)*(k[A-Z]\w*)", expression)) is not None:
        meaning = expression_of(text, other.group(1))
        if meaning is None:
            meaning = next(
                filter(None, (expression_of(without_comments(p.read_text()), other.group(1)) for p in sources())), None
            )
        if meaning is None:
            raise ValueError(f"{other.group(1)} is not found")
        expression = expression.replace(other.group(0), f"({value_of(meaning, text)})", 1)
    if not re.fullmatch(r"[\d\s.+*/()<>e-]+", expression):
        raise ValueError(f"`{expression}` is no number")
    return eval(expression)  # digits and operators alone, by the line above


def stated(cell):
    """`8 s and the sweep`: the number and the unit that a cell begins with."""
    found = re.match(r"([\d,]+(?:\.\d+)?)\s*([A-Za-zµ]+)?", cell)
    if not found:
        raise ValueError(f"the default `{cell}` does not begin with a number")
    return float(found.group(1).replace(",", "")) * UNITS.get(found.group(2) or "", 1)


def rows():
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 6 and not cells[0].startswith("--") and cells[0] != "what":
            yield number, cells


def flags_of(vas):
    """Each flag of `vas --help`, and its default."""
    text = subprocess.run([vas, "--help"], capture_output=True, text=True, check=True).stdout
    flags = {}
    for found in re.finditer(r"^\s+--([a-z0-9-]+)\b([^\n]*)", text, re.M):
        default = re.search(r"(?:=|\[)([^\s=\[\]]*)\]?\s*\(Env:", found.group(2))
        flags[found.group(1)] = default.group(1) if default else None
    return flags


def faults_of(cells, flags, metrics):
    what, code, default, where, _, metric = cells
    for file, name in re.findall(r"`([\w/]+\.(?:h|cc|c)): (\w+)`", code):
        path = ROOT / file
        if not path.exists():
            yield f"there is no {file}"
            continue
        text = without_comments(path.read_text())
        expression = expression_of(text, name)
        if expression is None:
            yield f"{file} sets no {name}"
        elif not math.isclose(value_of(expression, text), stated(default), rel_tol=1e-9):
            yield f"{name} is {value_of(expression, text):g}, the page says {default}"
    named = re.findall(r"`--([a-z0-9-]+)`", code)
    for flag in set(named) | set(re.findall(r"`--([a-z0-9-]+)`", where)):
        if flags is None:
            continue
        if flag not in flags:
            yield f"there is no flag --{flag}"
        elif flag in named and flags[flag] != re.match(r"[\d,.]+", default).group(0).replace(",", ""):
            yield f"--{flag} is {flags[flag]} by default, the page says {default}"
    if not re.search(r"`[\w/]+\.(?:h|cc|c): \w+`", code) and not named:
        yield "names neither a constant nor a flag"
    for name in re.findall(r"`(vas_\w+)", metric):
        if name not in metrics:
            yield f"there is no metric {name}"


def main():
    flags = flags_of(sys.argv[1]) if len(sys.argv) > 1 else None
    metrics = set(re.findall(r'"(vas_\w+)"', "".join(p.read_text() for p in (ROOT / "vas").rglob("*.cc"))))
    faults, told, count = [], set(), 0
    for number, cells in rows():
        count += 1
        told.update(re.findall(r"`([\w/]+\.(?:h|cc|c)): (k\w+)`", cells[1]))
        try:
            faults += [f"docs/limits.md:{number}: {cells[0]}: {fault}" for fault in faults_of(cells, flags, metrics)]
        except ValueError as fault:
            faults.append(f"docs/limits.md:{number}: {cells[0]}: {fault}")
    for path in sources():
        for name in re.findall(
            r"constexpr [\w:<>\s]*?\b(k(?:Max|Most)[A-Z]\w*)\s*[={]", without_comments(path.read_text())
        ):
            file = path.relative_to(ROOT).as_posix()
            if (file, name) not in told and name not in NO_BOUNDS:
                faults.append(
                    f"{file}: {name} has no line in docs/limits.md: write `{file}: {name}` in its second column"
                )
    print("\n".join(faults) or f"{count} lines of docs/limits.md are what the code says")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
