"""A linker for one object file: what clang makes for `-target bpf` becomes an ELF file of Solana's machine, version 3.

Version 3 needs neither dynamic relocations nor symbols: constants lie at address 0, code at 2³², and a system call is
an instruction that names the call by a hash. All that is left is to lay out two segments and to fill in addresses.
Whatever is not understood is refused: an undefined symbol other than a system call would load, and fail only when it is
reached; data that can change has no place in the file.

Sources: the ELF format; LLVM's BPF relocations; Solana's proposals SIMD-0178, SIMD-0189 and SIMD-0377.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

ENTRYPOINT: Final = "entrypoint"
CONSTANTS_AT: Final = 0
CODE_AT: Final = 1 << 32
MACHINE_VERSION: Final = 3

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_IDENT = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)

_RELOCATABLE, _SHARED_OBJECT, _BPF = 1, 3, 247
_PROGBITS, _SYMTAB, _STRTAB, _REL = 1, 2, 3, 9
_WRITE, _ALLOC, _EXECUTE = 1, 2, 4
_LOAD, _READABLE, _EXECUTABLE = 1, 4, 1
_SECTION_SYMBOL = 3
_WIDE_CONSTANT, _ABSOLUTE, _CALL = 1, 2, 10
_INSTRUCTION_BYTES = 8
_CALL_HERE = 0x10


class LinkError(Exception):
    """The object file has something that no program may have."""


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    kind: int
    flags: int
    body: bytes
    link: int
    target: int
    alignment: int


@dataclass(frozen=True, slots=True)
class _Symbol:
    name: str
    is_section: bool
    section: int
    value: int


def link(program: bytes) -> bytes:
    """The ELF file of an object file, with `entrypoint` as its entry."""
    sections = _sections(program)
    layout = _Layout(sections)
    symbols = _symbols(sections)
    for section in sections:
        if section.kind == _REL:
            layout.relocate(section, symbols)
    entries = [symbol for symbol in symbols if symbol.name == ENTRYPOINT and symbol.section in layout.address_of]
    if len(entries) != 1:
        raise LinkError(f"there must be one function {ENTRYPOINT!r}, not {len(entries)}")
    return _file(bytes(layout.constants), bytes(layout.code), layout.address(entries[0]))


class _Layout:
    """Where each section lies, and the bytes of both segments while addresses are filled in."""

    def __init__(self, sections: list[_Section]) -> None:
        self.constants = bytearray()
        self.code = bytearray()
        self.address_of: dict[int, int] = {}
        for index, section in enumerate(sections):
            if section.kind != _PROGBITS:
                continue
            segment, start = (self.code, CODE_AT) if section.name == ".text" else (self.constants, CONSTANTS_AT)
            segment.extend(bytes(-len(segment) % max(section.alignment, 1)))
            self.address_of[index] = start + len(segment)
            segment.extend(section.body)
        self.constants.extend(bytes(-len(self.constants) % 8))

    def address(self, symbol: _Symbol) -> int:
        if symbol.section not in self.address_of:
            raise LinkError(f"{symbol.name!r} is not defined")
        return self.address_of[symbol.section] + symbol.value

    def relocate(self, relocations: _Section, symbols: list[_Symbol]) -> None:
        start = self.address_of[relocations.target]
        in_code = start >= CODE_AT
        segment, offset = (self.code, start - CODE_AT) if in_code else (self.constants, start - CONSTANTS_AT)
        for within, what in _RELOCATION.iter_unpack(relocations.body):
            symbol, kind, at = symbols[what >> 32], what & 0xFFFFFFFF, offset + within
            if kind == _WIDE_CONSTANT and in_code:
                self._fill_wide_constant(at, symbol)
            elif kind == _CALL and in_code:
                self._fill_call(at, symbol)
            elif kind == _ABSOLUTE and not in_code:
                (addend,) = struct.unpack_from("<Q", segment, at)
                struct.pack_into("<Q", segment, at, self.address(symbol) + addend)
            else:
                raise LinkError(f"a relocation of the unknown kind {kind} in {relocations.name}")

    def _fill_wide_constant(self, at: int, symbol: _Symbol) -> None:
        """An address that is loaded by two instructions, half by half. The first half holds an addend."""
        (addend,) = struct.unpack_from("<i", self.code, at + 4)
        address = self.address(symbol) + addend
        struct.pack_into("<I", self.code, at + 4, address & 0xFFFFFFFF)
        struct.pack_into("<I", self.code, at + 4 + _INSTRUCTION_BYTES, address >> 32)

    def _fill_call(self, at: int, symbol: _Symbol) -> None:
        """A call of a function of ours, relative to the next instruction, or a system call."""
        register = self.code[at + 1] & 0x0F
        if symbol.section == 0:
            if not symbol.name.startswith("sol_"):
                raise LinkError(f"{symbol.name!r} is neither defined nor a system call")
            self.code[at + 1] = register
            struct.pack_into("<I", self.code, at + 4, murmur3_32(symbol.name.encode()))
            return
        (addend,) = struct.unpack_from("<i", self.code, at + 4)
        target = self.address(symbol) + (addend + 1) * _INSTRUCTION_BYTES * symbol.is_section
        self.code[at + 1] = register | _CALL_HERE
        struct.pack_into("<i", self.code, at + 4, (target - CODE_AT - at) // _INSTRUCTION_BYTES - 1)


def murmur3_32(text: bytes) -> int:
    """MurmurHash3 for 32 bits with the seed 0, by which the machine knows its system calls."""
    mask, state = 0xFFFFFFFF, 0

    def mixed(block: bytes) -> int:
        value = int.from_bytes(block, "little") * 0xCC9E2D51 & mask
        return _rotated(value, 15) * 0x1B873593 & mask

    whole = len(text) & ~3
    for at in range(0, whole, 4):
        state = (_rotated(state ^ mixed(text[at : at + 4]), 13) * 5 + 0xE6546B64) & mask
    if text[whole:]:
        state ^= mixed(text[whole:])
    state ^= len(text)
    state = (state ^ state >> 16) * 0x85EBCA6B & mask
    state = (state ^ state >> 13) * 0xC2B2AE35 & mask
    return state ^ state >> 16


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> 32 - bits) & 0xFFFFFFFF


def _sections(program: bytes) -> list[_Section]:
    ident, kind, machine, _, _, _, table, _, _, _, _, size, count, names = _HEADER.unpack_from(program)
    if (ident[:7], kind, machine, size) != (_IDENT[:7], _RELOCATABLE, _BPF, _SECTION.size):
        raise LinkError("not an object file for BPF")
    headers = [_SECTION.unpack_from(program, table + index * size) for index in range(count)]
    texts = _body(program, headers[names])
    found = [
        _Section(_text(texts, header[0]), header[1], header[2], _body(program, header), header[6], header[7], header[8])
        for header in headers
    ]
    for section in found[1:]:
        if not _is_known(section):
            raise LinkError(f"a section that no program may have: {section.name}")
    return found


def _body(program: bytes, header: tuple[int, ...]) -> bytes:
    return program[header[4] : header[4] + header[5]]


def _is_known(section: _Section) -> bool:
    match section.kind:
        case 1:
            permission = section.flags & (_WRITE | _ALLOC | _EXECUTE)
            if section.name == ".text":
                return permission == _ALLOC | _EXECUTE
            return section.name.startswith(".rodata") and permission == _ALLOC
        case 9:
            return section.name.startswith((".rel.text", ".rel.rodata"))
        case 2 | 3:
            return True
    return False


def _symbols(sections: list[_Section]) -> list[_Symbol]:
    tables = [section for section in sections if section.kind == _SYMTAB]
    if len(tables) != 1:
        raise LinkError(f"there must be one table of symbols, not {len(tables)}")
    texts = sections[tables[0].link].body
    return list(_read_symbols(tables[0].body, texts))


def _read_symbols(table: bytes, texts: bytes) -> Iterator[_Symbol]:
    for name, info, _, section, value, _ in _SYMBOL.iter_unpack(table):
        yield _Symbol(_text(texts, name), info & 0x0F == _SECTION_SYMBOL, section, value)


def _text(texts: bytes, at: int) -> str:
    return texts[at : texts.index(0, at)].decode()


def _file(constants: bytes, code: bytes, entry: int) -> bytes:
    constants_at = _HEADER.size + 2 * _SEGMENT.size
    code_at = constants_at + len(constants)
    sizes = (_HEADER.size, _SEGMENT.size, 2, 64, 0, 0)
    header = _HEADER.pack(_IDENT, _SHARED_OBJECT, _BPF, 1, entry, _HEADER.size, 0, MACHINE_VERSION, *sizes)
    read = _segment(_READABLE, constants_at, CONSTANTS_AT, len(constants))
    execute = _segment(_EXECUTABLE, code_at, CODE_AT, len(code))
    return header + read + execute + constants + code


def _segment(permission: int, offset: int, address: int, size: int) -> bytes:
    return _SEGMENT.pack(_LOAD, permission, offset, address, address, size, size, 8)
