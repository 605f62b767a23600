"""What the loops of Numba cannot say: sums that stay in registers, and a comparison of 64 scores at once.

They are written as vectors of LLVM, which fit any processor: it takes as many instructions as its registers need.
Addresses are those of float32 arrays in C order; nothing checks them.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import binding, ir
from numba.core import types
from numba.extending import intrinsic

LANES = 64
"""Scores that `at_least` compares."""
USERS = 4
"""Users whose scores `multiply_block` sums at a time."""
_HAS_LONG_REGISTERS = bool(binding.get_host_cpu_features().get("avx512f"))
ITEMS = 64 if _HAS_LONG_REGISTERS else 16
"""Items whose scores `multiply_block` sums at a time: 4 users' sums fill half of the registers."""
_FLOAT, _INT, _LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)


def _multiply_block(
    _typing: Any,
    users: Any,  # noqa: ARG001 - of the arguments Numba wants the names alone
    dim: Any,  # noqa: ARG001
    items: Any,  # noqa: ARG001
    items_stride: Any,  # noqa: ARG001
    scores: Any,  # noqa: ARG001
    scores_stride: Any,  # noqa: ARG001
) -> Any:
    """Scores of USERS users × ITEMS items, each summed over the dimensions in order, from 0, by fused multiply-adds.

    Args:
        users: address of the vector of the first user; the others follow it without a gap.
        dim: ≥ 1.
        items: address of the first dimension of the first item, in an array of one row a dimension.
        items_stride: length of its rows.
        scores: address of the score of the first user and item.
        scores_stride: length of a user's row of scores.
    """
    lanes = 16 if _HAS_LONG_REGISTERS else 8
    columns = range(ITEMS // lanes)
    vector = ir.VectorType(_FLOAT, lanes)

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        user_address, dim, item_address, items_stride, score_address, scores_stride = arguments
        users, items, scores = (
            builder.inttoptr(each, _FLOAT.as_pointer()) for each in (user_address, item_address, score_address)
        )

        def column(row: Any, c: int) -> Any:
            return builder.bitcast(builder.gep(row, [_LONG(c * lanes)]), vector.as_pointer())

        user_rows = [builder.gep(users, [builder.mul(dim, _LONG(u))]) for u in range(USERS)]
        before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        d = builder.phi(_LONG)
        d.add_incoming(_LONG(0), before)
        sums = [[builder.phi(vector) for _ in columns] for _ in range(USERS)]
        item_row = builder.gep(items, [builder.mul(items_stride, d)])
        item_values = [builder.load(column(item_row, c), align=4) for c in columns]
        next_d = builder.add(d, _LONG(1))
        d.add_incoming(next_d, loop)
        for u in range(USERS):
            user_value = _spread(builder, builder.load(builder.gep(user_rows[u], [d])), lanes)
            for c in columns:
                product = builder.fmul(user_value, item_values[c], flags=["contract"])
                sums[u][c].add_incoming(ir.Constant(vector, [0.0] * lanes), before)
                sums[u][c].add_incoming(builder.fadd(sums[u][c], product, flags=["contract"]), loop)
        builder.cbranch(builder.icmp_signed("<", next_d, dim), loop, after)
        builder.position_at_end(after)
        for u in range(USERS):
            row = builder.gep(scores, [builder.mul(scores_stride, _LONG(u))])
            for c in columns:
                builder.store(sums[u][c].incomings[1][0], column(row, c), align=4)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), generate


def _at_least(_typing: Any, values: Any, threshold: Any) -> Any:  # noqa: ARG001
    """A word whose bit j tells whether the value j is ≥ the threshold, for LANES values from an address on."""
    vector = ir.VectorType(_FLOAT, LANES)

    def generate(_context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        address, threshold = arguments
        loaded = builder.load(builder.inttoptr(address, vector.as_pointer()), align=4)
        return builder.bitcast(builder.fcmp_ordered(">=", loaded, _spread(builder, threshold, LANES)), _LONG)

    return types.uint64(types.int64, types.float32), generate


def _keep_highest(_typing: Any, best: Any, values: Any, left_out: Any) -> Any:  # noqa: ARG001
    """Of the LANES values from each address on, the higher of each place to the first address.

    A value whose bit is set in the word `left_out` is not considered; nor is one that is not a number.
    """
    vector, bits = ir.VectorType(_FLOAT, LANES), ir.VectorType(ir.IntType(1), LANES)

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        best, values = (builder.inttoptr(each, vector.as_pointer()) for each in arguments[:2])
        held, loaded = builder.load(best, align=4), builder.load(values, align=4)
        is_higher = builder.and_(
            builder.fcmp_ordered(">", loaded, held), builder.bitcast(builder.not_(arguments[2]), bits)
        )
        builder.store(builder.select(is_higher, loaded, held), best, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.uint64), generate


def _count_ones(_typing: Any, word: Any) -> Any:  # noqa: ARG001
    """How many bits are set."""

    def generate(_context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


def _lowest_one(_typing: Any, word: Any) -> Any:  # noqa: ARG001
    """The place of the lowest bit that is set; the word is not 0."""

    def generate(_context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


def _spread(builder: Any, value: Any, lanes: int) -> Any:
    """The value in every lane."""
    vector = ir.VectorType(_FLOAT, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _INT(0))
    return builder.shuffle_vector(
        first, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(_INT, lanes), [0] * lanes)
    )


multiply_block: Callable[[int, int, int, int, int, int], None] = cast(Any, intrinsic)(_multiply_block)
at_least: Callable[[int, np.float32], np.uint64] = cast(Any, intrinsic)(_at_least)
lowest_one: Callable[[np.uint64], int] = cast(Any, intrinsic)(_lowest_one)
keep_highest: Callable[[int, int, np.uint64], None] = cast(Any, intrinsic)(_keep_highest)
count_ones: Callable[[np.uint64], int] = cast(Any, intrinsic)(_count_ones)
