"""What the benches share: the network namespace, the library, and counting."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


class Variant:
    """A way to run the program: an environment, and the calls for which it means something."""

    def __init__(self, name, library=None, kinds=None, **environment):
        self.name = name
        self.library = library
        self.kinds = kinds
        self.environment = dict(os.environ, LC_ALL="C", **environment)
        if library:
            self.environment["LD_PRELOAD"] = str(library)

    def serves(self, kind):
        return self.kinds is None or kind in self.kinds

    def run(self, command):
        return subprocess.run(
            command, env=self.environment, check=True, text=True, capture_output=True
        )

    def run_under(self, tool, command):
        """Runs the command under a tool that is not itself preloaded."""
        if self.library:
            command = ["env", f"LD_PRELOAD={self.library}", *command]
        environment = {k: v for k, v in self.environment.items() if k != "LD_PRELOAD"}
        return subprocess.run(
            [*tool, *command], env=environment, check=True, text=True, capture_output=True
        )


def instructions(variant, command):
    """User-space instructions from the first of ld.so to the last of exit."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--trace-children=yes",
            "--trace-children-skip=*/env"]
    errors = variant.run_under(tool, command).stderr
    return int(re.findall(r"Collected : (\d+)", errors)[-1])


def system_calls(variant, command):
    with tempfile.NamedTemporaryFile("r") as trace:
        variant.run_under(["strace", "-f", "-qq", "-o", trace.name], command)
        lines = trace.read().splitlines()
    # What `env` did before it became the program is not the program's.
    execs = [i for i, line in enumerate(lines) if " execve(" in line and line.endswith("= 0")]
    return len(lines) - execs[-1]


def added_start_times(variants, rounds):
    """Of each variant, how many microseconds longer than the first it takes to run a program that does
    nothing, between the quick ones (the first tenth) of both: those that nobody else disturbed."""
    times = {variant.name: [] for variant in variants}
    for turn in range(rounds):
        for variant in variants if turn % 2 else variants[::-1]:
            begun = time.monotonic_ns()
            pid = os.posix_spawn("/bin/true", ["true"], variant.environment)
            os.waitpid(pid, 0)
            times[variant.name].append((time.monotonic_ns() - begun) / 1000)
    quick = {name: statistics.quantiles(all_, n=10)[0] for name, all_ in times.items()}
    return {name: value - quick[variants[0].name] for name, value in quick.items()}


def one_more(count, variant, calls, kind):
    few, many = (count(variant, [calls, kind, str(n)]) for n in (128, 256))
    return (many - few) / 128


def built_library():
    if "MIF_BENCH_LIB" in os.environ:
        return Path(os.environ["MIF_BENCH_LIB"])
    # As scripts/install does.
    build = ["cargo", "rustc", "--release", "--quiet", "-p", "mif", "--lib", "--crate-type", "cdylib"]
    subprocess.run(build, cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/libmif.so"


def enter_namespace():
    """Begins the script again in a network namespace of its own, with the library built."""
    if "MIF_BENCH_INSIDE" not in os.environ:
        os.environ["MIF_BENCH_LIB"] = str(built_library())
        os.environ["MIF_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-n" if os.getuid() == 0 else "-Urn", *sys.argv])
    lay_out()
    return os.environ["MIF_BENCH_LIB"]


def lay_out():
    for command in (
        "ip link set lo up",
        "ip link add wan0 type veth peer name far",
        "ip link set far up",
        "ip link set wan0 up",
        "ip addr add 198.51.100.2/24 dev wan0",
        "ip neigh add 198.51.100.1 lladdr 02:00:00:00:00:01 dev wan0",
    ):
        subprocess.run(command.split(), check=True)


def compiled(work, name, *flags):
    """A C file of this folder as a program, or a library."""
    out = str(work / name.removesuffix(".c"))
    subprocess.run(["gcc", "-O2", *flags, "-o", out, HERE / name], check=True)
    return out


def row(head, cells):
    print("| " + " | ".join([head, *cells]) + " |", flush=True)
