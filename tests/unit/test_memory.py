"""What the settings of the C library's allocator do, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import resource, sys, threading
import torch
from delineate.adapters.nninteractive.memory import give_back_memory, keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

def passes(count):
    for _ in range(count):
        tensors = [torch.ones(8 * 1024 * 1024) for _ in range(4)]  # 32 MiB each
        del tensors

if sys.argv[1] == "kept":
    keep_freed_memory()
faults = []
for _ in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    thread = threading.Thread(target=passes, args=(5,))
    thread.start()
    thread.join()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
held = resident()
give_back_memory()
print(min(faults), held - resident())
"""
PAGES_OF_A_PASS = 4 * 32 * 1024 * 1024 // 4096


def faults_and_given_back(mode: str) -> tuple[int, int]:
    """Page faults of five passes after two, and pages given back in the end."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True, timeout=120
    )
    faults, given_back = done.stdout.split()
    return int(faults), int(given_back)


def test_a_pass_reuses_the_pages_of_the_one_before_on_any_thread_and_gives_them_back_when_asked() -> None:
    faults, given_back = faults_and_given_back("kept")
    assert faults < PAGES_OF_A_PASS / 10
    assert given_back > PAGES_OF_A_PASS / 2


def test_without_it_each_pass_fetches_its_pages_anew() -> None:
    faults, _ = faults_and_given_back("default")
    assert faults > 4 * PAGES_OF_A_PASS  # of five passes
