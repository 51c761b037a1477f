#!/usr/bin/env python3
"""Makes Higress' plugins loadable by a stock Envoy, for the comparison alone: peers.py WHEEL DIRECTORY.

They export the mark of an ABI that only Higress' own Envoy knows, and call nothing of it that these exchanges meet: under the
name of the ABI before it they run.
"""

import pathlib
import sys
import zipfile

PLUGINS = {"ai-statistics": "ai-statistics/2.0.0", "token-usage": "gpustack-token-usage/1.2.2"}
THEIRS, STOCK = b"proxy_abi_version_0_2_100", b"proxy_abi_version_0_2_1"
EXPORTS = 7


def read_number(data, at):
    """LEB128, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def number(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def renamed(wasm):
    out, at = wasm[:8], 8
    while at < len(wasm):
        size, begin = read_number(wasm, at + 1)
        kind, section = wasm[at], wasm[begin : begin + size]
        if kind == EXPORTS:
            section = section.replace(number(len(THEIRS)) + THEIRS, number(len(STOCK)) + STOCK)
        out += bytes([kind]) + number(len(section)) + section
        at = begin + size
    return out


def main():
    wheel, directory = sys.argv[1:]
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as plugins:
        for name, path in PLUGINS.items():
            wasm = plugins.read(f"gpustack_higress_plugins/plugins/{path}/plugin.wasm")
            pathlib.Path(directory, f"{name}.wasm").write_bytes(renamed(wasm))


if __name__ == "__main__":
    main()
