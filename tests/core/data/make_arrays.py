#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the small files that io_test.cpp reads, with numpy itself: every array holds 0, 1, 2, ... in C order."""

import numpy as np

DTYPES = ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "|i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8",
          "|u1", "<u2", ">u2", "<u4", "<u8", "|b1"]


def name(dtype, order):
    return dtype.replace("<", "le_").replace(">", "be_").replace("|", "") + "_" + order


def arrays():
    for dtype in DTYPES:
        for order in "CF":
            yield name(dtype, order), np.arange(24).reshape(2, 3, 4).astype(dtype, order=order)


np.savez("numpy.npz", tokens=np.array(["the", "κόσμος", "世界", "👩‍👩‍👧‍👦"]), ascii=np.array([b"a", b"bcd"]),
         scalar=np.float32(7), empty=np.zeros((0, 5), "f4"), **dict(arrays()))
np.savez_compressed("deflated.npz", **dict(arrays()))
np.save("fortran.npy", np.asfortranarray(np.arange(24, dtype=">f8").reshape(2, 3, 4)))
with open("version3.npy", "wb") as file:
    np.lib.format.write_array(file, np.arange(6, dtype="f4").reshape(2, 3), version=(3, 0))
