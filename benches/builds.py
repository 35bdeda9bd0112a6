"""Servers of several builds, or of one with several settings, each over a lake of its own with the same files.

A lake's catalog is locked to one process, so each server has a folder with hard links to the files of one demo lake, and a
catalog that it fills when it starts.
"""

import contextlib
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import peers

# The catalog, its locks and the certificates.
OWN = ".lakegate"
# Options of `lakegate demo`, of which the lake's `demo.json` has the values.
OPTIONS = ("scale", "until", "tpch", "tpcds")


class Build:
    """A program and variables of its environment, from a text such as `MIMALLOC_PURGE_DELAY=0 target/release/lakegate`."""

    def __init__(self, command):
        words = shlex.split(command)
        if not words or any("=" not in word for word in words[:-1]):
            raise SystemExit(f"not variables and a program: {command}")
        self.program = Path(words[-1]).resolve()
        self.variables = dict(word.split("=", 1) for word in words[:-1])
        self.name = ",".join([self.program.name, *(f"{name}={value}" for name, value in self.variables.items())])


def names(builds):
    """Returns a name for each build, numbered where two have the same."""
    plain = [build.name for build in builds]
    return [name if plain.count(name) == 1 else f"{name}#{1 + plain[:at].count(name)}" for at, name in enumerate(plain)]


def linked(lake, copy):
    """Makes a folder with links to the lake's files; what a server writes to it is not in the lake."""
    for path in sorted(lake.iterdir()):
        if path.name == OWN:
            continue
        if path.is_dir():
            shutil.copytree(path, copy / path.name, copy_function=os.link)
        else:
            shutil.copy(path, copy / path.name)


def started(build, lake, folder):
    """Runs a server over the lake as a context, which gives its process. It has written `connection.json` to the folder."""
    made, file, log = json.loads((lake / "demo.json").read_text()), folder / "connection.json", folder / "log"
    command = [build.program, "demo", "--dir", lake, "--connection-file", file]
    for option in OPTIONS:
        if made.get(option) is not None:
            command += [f"--{option}", str(made[option])]
    for door in ("postgres", "flight", "http"):
        command += [f"--{door}-port", "0"]
    return peers.demo(command, file, log, build.variables, build.name)


@contextlib.contextmanager
def servers(commands, lake):
    """Runs a server for each command, and gives their names with the connection file and the process id of each.

    The servers are stopped and their lakes removed when the block ends, also by SIGTERM.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    lake, builds, running = Path(lake).resolve(), [Build(command) for command in commands], {}
    with contextlib.ExitStack() as stack:
        # Beside the lake: hard links are for files of one file system.
        temp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="builds-", dir=lake.parent)))
        for number, (name, build) in enumerate(zip(names(builds), builds, strict=True)):
            folder = temp / str(number)
            copy = folder / "lake"
            copy.mkdir(parents=True)
            linked(lake, copy)
            process = stack.enter_context(started(build, copy, folder))
            running[name] = (folder / "connection.json", process.pid)
        yield running
