"""What test programs print, as outcomes: pairs of a test's name and "pass", "fail" or "skip".

Every function takes the whole output (standard output and error as they came) and yields the pairs in
the order of the output. A test that does not show has no outcome, which is a difference as well.
"""

import re
import xml.etree.ElementTree as ElementTree


def tap(output):
    """The Test Anything Protocol, of several programs one after the other: "# file NAME" begins the
    output of one, "# status N" ends it. Tests are numbered where they have no name."""
    file, failed = "", False
    for line in output.splitlines():
        if found := re.match(r"# file (\S+)", line):
            file = found[1]
        elif found := re.match(r"# status (\d+)", line):
            yield f"{file}: exit", "pass" if found[1] == "0" else "fail"
        elif found := re.match(r"(not )?ok\b\s*(\d*)\s*-?\s*([^#]*)(#.*)?", line):
            number, name, remark = found[2], found[3].strip(), (found[4] or "").lower()
            name = f"{file}: {number} {name}".strip() if file else name or number
            if re.match(r"#\s*(skip|todo)", remark):
                yield name, "skip"
            else:
                yield name, "fail" if found[1] else "pass"


def junit(output):
    """The XML of CPython's `regrtest --junit-xml`, behind all else that was printed."""
    start = output.rfind("<testsuites")
    if start < 0:
        return
    for case in ElementTree.fromstring(output[start : output.rfind(">") + 1]).iter("testcase"):
        name = case.get("name")
        if case.find("skipped") is not None:
            yield name, "skip"
        elif case.find("failure") is not None or case.find("error") is not None:
            yield name, "fail"
        else:
            yield name, "pass"


def ruby(output):
    """Ruby's own test runner with `-v`: all tests as they end, and behind them what went wrong."""
    words = dict(
        (name.rstrip(":"), "skip" if word == "Skipped" else "fail")
        for word, name in re.findall(r"^ *\d+\) (Failure|Error|Skipped|Timeout):\n(\S+#test_\S+)", output, re.M)
    )
    for name in re.findall(r"^\[ *\d+/\d+\] (\S+#test_.*?) = [\d.]+ s", output, re.M):
        yield name, words.get(name, "pass")


def trial(output):
    """Twisted's `trial --reporter=verbose`: a tree of modules, classes and tests by indentation."""
    words = {"OK": "pass", "SKIPPED": "skip", "TODO": "skip"}
    path = []
    for line in output.splitlines():
        # The summary repeats what failed.
        if line.startswith("====="):
            break
        found = re.match(r"((?:  )*)([\w.]+)(?: \.\.\. *(?:\[(\w+)\])?)?", line)
        if not found:
            if (late := re.search(r"\[(OK|ERROR|FAIL|SKIPPED|TODO)\]$", line)) and path:
                yield ".".join(path), words.get(late[1], "fail")
            continue
        depth = len(found[1]) // 2
        path[depth:] = [found[2]]
        if found[3]:
            yield ".".join(path), words.get(found[3], "fail")


def automake(output):
    """curl's `runtests.pl -am`: "PASS: 1 - HTTP GET"."""
    words = {"PASS": "pass", "SKIP": "skip"}
    for word, name in re.findall(r"^(PASS|FAIL|SKIP|IGNORE|ERROR): (\d+ .*)$", output, re.M):
        yield name.strip(), words.get(word, "fail")


def redis(output):
    """Redis' `runtest`: "[ok]: a name (3 ms)"."""
    words = {"ok": "pass", "skip": "skip", "ignore": "skip"}
    plain = re.sub(r"\x1b\[[\d;]*m", "", output)
    for word, name in re.findall(r"^\[(ok|err|exception|skip|ignore)\]: (.*)$", plain, re.M):
        yield re.sub(r" \(\d+ ms\)$", "", name).strip(), words.get(word, "fail")
