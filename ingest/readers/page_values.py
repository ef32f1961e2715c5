"""Take pages of Parquet apart, in one sweep: where each list begins, and of every item what its place stands for.

Levels and places are runs: of one number that is repeated, or of numbers in eights, packed into as few bits as the
largest needs. Nothing outside a page, a dictionary or what is filled is touched, whatever a page says.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

MOST_LEVEL = 3
"""The highest level of definition of an item: lists and items that may be missing have this one."""
MOST_BITS = 25
"""What fits in four bytes wherever in the first of them it begins."""
WORD, LOW, MOST_SEVENS = 4, 127, 5
"""Bytes of a length; the bits of a byte that count where its highest says that another follows; most such bytes."""
Bytes = npt.NDArray[np.uint8]


@njit(cache=True, nogil=True)
def _number(page: Bytes, place: Any, n_bytes: Any) -> int:
    number = 0
    for k in range(n_bytes):
        number |= int(page[place + k]) << (8 * k)
    return number


@njit(cache=True, nogil=True)
def unsigned(content: Bytes, place: int, stop: int) -> tuple[int, int]:
    """Read a number of seven bits a byte, and return the place after it.

    It is -1 where it does not end before ``stop``, or has more bytes than what is told here.
    """
    number = 0
    for k in range(min(stop - place, MOST_SEVENS)):
        byte = int(content[place + k])
        number |= (byte & LOW) << (7 * k)
        if byte <= LOW:
            return number, place + k + 1
    return -1, place


@njit(cache=True, nogil=True)
def _run(page: Bytes, place: int, stop: int, width: int) -> tuple[bool, int, int, int]:
    """Read the head of a run: whether it is packed, how many numbers and bytes it has, and where they are.

    It has no numbers where the page, which ends at ``stop``, is damaged.
    """
    head, place = unsigned(page, place, stop)
    is_packed, n_run = head & 1 == 1, head >> 1
    n_bytes = n_run * width if is_packed else (width + 7) >> 3
    if head < 0 or place + n_bytes > stop:
        return False, 0, 0, place
    return is_packed, n_run * 8 if is_packed else n_run, n_bytes, place


@njit(cache=True, nogil=True)
def _begin(page: Bytes, place: int, stop: int, n: int, at: int, starts: npt.NDArray[np.int64], n_lists: int) -> int:
    """Note where lists begin: where the level of repetition is 0. Returns how many there are, -1 of a damaged page."""
    done = 0
    while done < n:
        is_packed, n_run, n_bytes, place = _run(page, place, stop, 1)
        if n_run == 0 or (not is_packed and page[place] > 1):
            return -1
        n_run = min(n_run, n - done)
        if is_packed or page[place] == 0:
            for k in range(n_run):
                if is_packed and (page[place + (k >> 3)] >> (k & 7)) & 1:
                    continue
                if n_lists >= starts.size:
                    return -1
                starts[n_lists] = at + done + k
                n_lists += 1
        place += n_bytes
        done += n_run
    return n_lists


@njit(cache=True, nogil=True)
def _are_all(page: Bytes, place: int, stop: int, n: int, level: int) -> bool:
    """Say whether all levels of definition, of one or two bits, are the highest: no list is empty, nothing missing."""
    width = 1 if level == 1 else 2
    done = 0
    while done < n:
        is_packed, n_run, n_bytes, place = _run(page, place, stop, width)
        if n_run == 0 or (not is_packed and page[place] != level):
            return False
        n_run = min(n_run, n - done)
        if is_packed:
            for bit in range(0, n_run * width, width):
                if (page[place + (bit >> 3)] >> (bit & 7)) & (2**width - 1) != level:
                    return False
        place += n_bytes
        done += n_run
    return True


@njit(cache=True, nogil=True)
def _unpack(page: Bytes, place: int, width: int, meanings: Any, found: Any) -> bool:
    """Write what each packed place in the dictionary stands for; False where one is past its end."""
    mask, n_meanings, last = np.uint32(2**width - 1), np.uint32(meanings.size), np.int64(page.size) - WORD
    is_known = True
    for k in range(found.size):
        bit = np.uint64(k) * np.uint64(width)
        byte = np.uint64(place) + (bit >> np.uint64(3))
        if np.int64(byte) <= last:
            word = (
                np.uint32(page[byte])
                | np.uint32(page[byte + np.uint64(1)]) << np.uint32(8)
                | np.uint32(page[byte + np.uint64(2)]) << np.uint32(16)
                | np.uint32(page[byte + np.uint64(3)]) << np.uint32(24)
            )
        else:
            word = np.uint32(_number(page, np.int64(byte), page.size - np.int64(byte)))
        code = (word >> np.uint32(bit & np.uint64(7))) & mask
        if code >= n_meanings:
            is_known = False
            code = np.uint32(0)
        found[k] = meanings[code]
    return is_known


@njit(cache=True, nogil=True)
def _look_up(page: Bytes, place: int, stop: int, width: Any, meanings: Any, found: Any) -> bool:
    """Write what each place in the dictionary stands for; False of a damaged page."""
    done = 0
    while done < found.size:
        is_packed, n_run, n_bytes, place = _run(page, place, stop, width)
        if n_run == 0 or meanings.size == 0:
            return False
        part = found[done : done + n_run]
        if is_packed:
            if not _unpack(page, place, width, meanings, part):
                return False
        else:
            code = _number(page, place, n_bytes)
            if code >= meanings.size:
                return False
            part[:] = meanings[code]
        place += n_bytes
        done += n_run
    return True


@njit(cache=True, nogil=True)
def take_apart(
    page: Bytes, n: int, level: int, meanings: Any, starts: npt.NDArray[np.int64], n_lists: int, found: Any, at: int
) -> int:
    """Take the content of a page apart.

    Parameters
    ----------
    page
        Its bytes.
    n
        How many items are in it.
    level
        The level of definition of an item that is there: from 1 to 3.
    meanings
        What each place in the dictionary stands for. Shape (distinct,).
    starts
        Filled from ``n_lists`` on: where lists begin, of the items found. Shape (lists,).
    n_lists
        How many lists began before.
    found
        Filled from ``at`` on: what each item stands for. Shape (items,).
    at
        How many items were before.

    Returns
    -------
    How many lists have begun by now; -1 where a list is empty, something is missing or the page is damaged.
    """
    if at + n > found.size or page.size < WORD:
        return -1
    stop = WORD + _number(page, 0, WORD)
    if stop > page.size:
        return -1
    n_lists = _begin(page, WORD, stop, n, at, starts, n_lists)
    place = stop + WORD
    if n_lists < 0 or place > page.size:
        return -1
    stop = place + _number(page, stop, WORD)
    if stop >= page.size or not _are_all(page, place, stop, n, level):
        return -1
    width = np.int64(page[stop])
    if width > MOST_BITS:
        return -1
    return n_lists if _look_up(page, stop + 1, page.size, width, meanings, found[at : at + n]) else -1


@njit(cache=True, nogil=True)
def keep_known(
    starts: npt.NDArray[np.int64], genes: npt.NDArray[np.int32], values: Any, n_genes: int, n_unknown: Any
) -> int:
    """Leave out markers and tokens that no gene has, in place.

    Parameters
    ----------
    starts
        Where each cell begins, and the last ends; brought up to date. Shape (cells + 1,).
    genes
        Gene of each token, or ``-1 - place in the dictionary`` of one that no gene has. Shape (tokens,).
    values
        Of each token; a first value below 0 is of a marker. Shape (tokens,).
    n_genes
        How many genes there are.
    n_unknown
        Added to: how often there is each token that no gene has. Shape (distinct,).

    Returns
    -------
    How many tokens are left; -1 where a cell has one twice.
    """
    cell_of = np.full(n_genes, -1, np.int32)
    n_kept, begin = 0, starts[0]
    for cell in range(starts.size - 1):
        end = starts[cell + 1]
        starts[cell] = n_kept
        for k in range(begin, end):
            if k == begin and values[k] < 0:
                continue
            if genes[k] < 0:
                n_unknown[-1 - genes[k]] += 1
                continue
            gene = np.uint32(genes[k])
            if cell_of[gene] == cell:
                return -1
            cell_of[gene] = cell
            genes[n_kept] = genes[k]
            values[n_kept] = values[k]
            n_kept += 1
        begin = end
    starts[-1] = n_kept
    return n_kept
