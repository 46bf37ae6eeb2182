"""Holds docs/limits.md against the code: each line's default is what the code says, its flag and its metric exist, and
no bound of the code is without a line. LIMITS_TEST [VAS]: with the program, flags are held against `vas --help`."""
import math
import re
import sys

from code_constants import ROOT, UNITS, constant, flags_of, sources, without_comments

PAGE = ROOT / "docs/limits.md"
# Of the shape of a bound, and none: what a number can say, not what is kept.
NO_BOUNDS = {"kMaxTag", "kMaxCseq", "kMostCapabilities"}


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


def faults_of(cells, flags, metrics):
    what, code, default, where, _, metric = cells
    for file, name in re.findall(r"`([\w/]+\.(?:h|cc|c)): (\w+)`", code):
        value = constant(file, name)
        if not math.isclose(value, stated(default), rel_tol=1e-9):
            yield f"{name} is {value:g}, the page says {default}"
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
    metrics = set(re.findall(r'"(vas_\w+)"', "".join(path.read_text() for path in sources())))
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
