#!/usr/bin/env python3
# SPDX-License-Identifier: CC0-1.0
"""Draws shapes.png: a sky, a sun, two houses that are alike, and a striped field, without any library."""

import struct
import zlib

SIZE = 64


def colour(x, y):
    if (x - 50) ** 2 + (y - 12) ** 2 < 49:
        return 250, 200, 60  # the sun
    for left in (8, 34):  # two houses: the same wall, roof, door
        if 28 <= y < 38 and abs(x - left - 8) <= y - 27:
            return 170, 60, 50
        if 38 <= y < 52 and left <= x < left + 16:
            door = left + 6 <= x < left + 10 and y >= 43
            return (80, 50, 40) if door else (225, 215, 195)
    if y >= 46:
        return (70, 140, 60) if (x + y) // 4 % 2 else (100, 170, 70)  # the field
    return 130 + y, 180 + y // 2, 235  # the sky, lighter towards the horizon


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main():
    rows = b"".join(b"\0" + bytes(v for x in range(SIZE) for v in colour(x, y)) for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    with open("shapes.png", "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)))
        file.write(chunk(b"IEND", b""))


if __name__ == "__main__":
    main()
