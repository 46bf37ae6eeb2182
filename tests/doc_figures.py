"""Holds the figures in the prose of docs against the code.

FIGURES names, for each page, phrases of it with `{}` in place of each figure, and for each figure the constant that it
repeats: `room/file.h: kName`, alone or in a sum (`1 + room/file.cc: kRepeats`), or a `maxItems` of the OpenAPI document
(`vas/api/openapi.json: Schema.field`). The page must hold the phrase, however its lines are broken, and the figure must
be the constant's value. A figure with a unit that no phrase holds must stand in OTHERS, which repeat no constant of the
code: others' clocks, measurements. The tables of docs/limits.md have a test of their own (limits.py).

DOC_FIGURES [VAS]: with the program, the numbers of the file in docs/configuration.md are held against `vas --help`."""
import json
import math
import re
import sys

from code_constants import ROOT, UNITS, constant, flags_of

from doc_figures_table import FIGURES, OTHERS

WORDS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "twice": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
LONG_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
NAMED_UNITS = {"Ms": 1e-3, "Us": 1e-6}  # a constant whose name ends in its unit
UNIT = "|".join([rf"{word}s?" for word in LONG_UNITS] + sorted(filter(None, UNITS), key=len, reverse=True))
FIGURE = rf"(\d[\d,]*(?:\.\d+)?|\b(?:{'|'.join(WORDS)})\b)(?: ({UNIT})\b)?"
WITH_UNIT = rf"(?<![\w.,-])\d[\d,]*(?:\.\d+)?(?: to \d+)? (?:{UNIT})\b"


def number_of(number, unit):
    value = WORDS[number] if number in WORDS else float(number.replace(",", ""))
    return value * (UNITS[unit] if unit in UNITS else LONG_UNITS[unit.removesuffix("s")])


def most_items(file, name):
    schema, field = name.split(".")
    return json.loads((ROOT / file).read_text())["components"]["schemas"][schema]["properties"][field]["maxItems"]


def expected(reference):
    """The value of `file: kName`, or of a sum of such."""

    def named(found):
        file, name = found.group(1), found.group(2)
        if file.endswith(".json"):
            return str(most_items(file, name))
        scale = next((s for suffix, s in NAMED_UNITS.items() if name.endswith(suffix)), 1)
        return repr(constant(file, name) * scale)

    expression = re.sub(r"([\w/]+\.(?:h|cc|c|json)): ([\w.]+)", named, reference)
    if not re.fullmatch(r"[\d\s.+*/()e-]+", expression):
        raise ValueError(f"`{reference}` is no sum of constants")
    return eval(expression)  # digits and operators alone, by the line above


def prose_of(page):
    """The page in one line: without its code blocks, for a broken line breaks no phrase."""
    text = re.sub(r"^```.*?^```", "", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE)
    if page == "docs/limits.md":
        text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    return re.sub(r"\s+", " ", text)


def faults_of_phrase(text, phrase, references, held):
    """What is wrong with one row; `held` gets the places of its figures."""
    found = re.search(FIGURE.join(map(re.escape, phrase.split("{}"))), text)
    if found is None:
        yield f"no longer says “{phrase}”: mend the row, or the page"
        return
    if len(references) != phrase.count("{}"):
        yield f"“{phrase}” has another number of figures than its row has constants"
        return
    for i, reference in enumerate(references):
        held.append(found.span(2 * i + 1))
        try:
            value = expected(reference)
            said = number_of(found.group(2 * i + 1), found.group(2 * i + 2) or "")
            if not math.isclose(value, said, rel_tol=1e-9):
                yield f"“{found.group(0)}”: {reference} is {value:g}"
        except ValueError as fault:
            yield f"“{phrase}”: {fault}"


def faults_of_page(page):
    text, held = prose_of(page), []
    for phrase, *references in FIGURES.get(page, []):
        yield from faults_of_phrase(text, phrase, references, held)
    for phrase in OTHERS.get(page, []):
        if phrase not in text:
            yield f"no longer says “{phrase}”: take it out of OTHERS"
        held += [found.span() for found in re.finditer(re.escape(phrase), text)]
    for found in re.finditer(WITH_UNIT, text):
        if not any(start < found.end() and found.start() < end for start, end in held):
            around = text[max(0, found.start() - 60) : found.end() + 30]
            yield f"“…{around}…”: no row holds {found.group(0)}; name its constant in FIGURES, or the phrase in OTHERS"


def faults_of_configuration(vas):
    page = "docs/configuration.md"
    flags = flags_of(vas)
    for key, number in re.findall(r"^(?:# )?([a-z0-9-]+) = (\d+)\b", (ROOT / page).read_text(), re.MULTILINE):
        if flags.get(key) != number:
            yield f"{key} = {number}: `vas --help` has {flags.get(key)}"


def main():
    pages = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").glob("*.md"))
    faults = [f"{page}: {fault}" for page in pages for fault in faults_of_page(page)]
    faults += [f"there is no {page}" for page in (FIGURES.keys() | OTHERS.keys()) - set(pages)]
    if len(sys.argv) > 1:
        faults += [f"docs/configuration.md: {fault}" for fault in faults_of_configuration(sys.argv[1])]
    figures = sum(len(references) for rows in FIGURES.values() for _, *references in rows)
    print("\n".join(faults) or f"{figures} figures in {len(FIGURES)} pages are what the code says")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
