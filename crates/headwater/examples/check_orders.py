#!/usr/bin/env python3
"""Checks what the `orders` example made of its input, without any of its code.

    check_orders.py orders.jsonl.gz windows.csv orders-out

Reads the gzipped file line by line and computes every window, the late orders and the malformed
lines anew; compares the windows with windows.csv (`orders dump`), the late orders and the dead
letters with what is in orders-out. Plain Python 3, standard library only. Exit code 1 if anything
differs.
"""

import csv
import gzip
import json
import pathlib
import sys

DELAY_MS = 30_000
SIZE_MS = 10 * 60_000
U64 = 1 << 64


def is_whole(value, least, most):
    return type(value) is int and least <= value < most


def parse(line):
    """The order in a line, or None if it is malformed."""
    try:
        order = json.loads(line.decode("utf-8"))
    except ValueError:
        return None
    if type(order) is not dict:
        return None
    good = (
        is_whole(order.get("id"), 0, U64)
        and type(order.get("customer")) is str
        and is_whole(order.get("cents"), 0, U64)
        and is_whole(order.get("at"), -U64 // 2, U64 // 2)
    )
    return order if good else None


def recompute(path):
    """Windows as {(customer, start): [orders, cents]}, ids of late orders, malformed lines."""
    windows, late, malformed = {}, [], []
    watermark = None
    with gzip.open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip(b"\n")
            if not line.strip():
                continue
            order = parse(line)
            if order is None:
                malformed.append(number)
                continue
            start = order["at"] // SIZE_MS * SIZE_MS
            # A window [start, end) is complete, and gone, once the watermark is at end - 1.
            if watermark is not None and watermark >= start + SIZE_MS - 1:
                late.append(order["id"])
            else:
                totals = windows.setdefault((order["customer"], start), [0, 0])
                totals[0] += 1
                totals[1] += order["cents"]
            said = order["at"] - DELAY_MS - 1
            watermark = said if watermark is None else max(watermark, said)
    return windows, late, malformed


def read_windows(path):
    windows = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            key = (row["customer"], int(row["window_start"]))
            if key in windows:
                sys.exit(f"window {key} is there twice")
            windows[key] = [int(row["orders"]), int(row["cents"])]
    return windows


def read_late(directory):
    ids = []
    for path in sorted(directory.glob("*.jsonl")):
        with open(path, encoding="utf-8") as file:
            ids.extend(json.loads(line)["id"] for line in file)
    return ids


def read_dead_letters(path):
    lines = []
    if path.exists():
        with open(path, encoding="utf-8") as file:
            for letter in map(json.loads, file):
                word, number = letter["position"].split()
                assert word == "line", letter
                lines.append(int(number))
    return lines


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    source, windows_csv, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    windows, late, malformed = recompute(source)
    found = read_windows(windows_csv)
    differences = []
    for key in sorted(windows.keys() | found.keys()):
        if windows.get(key) != found.get(key):
            differences.append(f"window {key}: found {found.get(key)}, expected {windows.get(key)}")
    for what, expected, got in [
        ("late orders", late, read_late(out / "late")),
        ("dead letters", malformed, read_dead_letters(out / "dead-letters.jsonl")),
    ]:
        if sorted(expected) != sorted(got):
            odd = sorted(set(expected) ^ set(got))[:10]
            differences.append(f"{what}: found {len(got)}, expected {len(expected)}, odd: {odd}")
    orders = sum(totals[0] for totals in windows.values())
    cents = sum(totals[1] for totals in windows.values())
    print(
        f"windows {len(windows)}, orders in them {orders}, cents {cents}, "
        f"late {len(late)}, malformed {len(malformed)}, "
        f"lines {orders + len(late) + len(malformed)}"
    )
    if differences:
        print("\n".join(differences[:20]))
        sys.exit(f"{len(differences)} differences")
    print("all equal")


if __name__ == "__main__":
    main()
