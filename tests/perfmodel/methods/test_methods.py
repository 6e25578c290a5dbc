"""Every method model: counts by hand, monotone times, costs that cover the terms, and refusals."""

from __future__ import annotations

import math

import pytest

from perfmodel import Hardware, InputError, MissingNumberError, Problem, Quantity
from perfmodel.kernel import KernelParameters
from perfmodel.methods import Dense, DirectSparse, Fft, GeneratedSparse, LoweredSparse, LowRank, Winograd
from perfmodel.methods.base import byte_cost
from perfmodel.methods.low_rank import ranks_at
from perfmodel.methods.winograd import tile_work
from perfmodel.strips import strips
from perfmodel.tiling import Counts

HARDWARE = Hardware(
    "v",
    "toaster",
    numbers={
        "peak_flops": Quantity(176e9, "FLOP/s"),
        "bandwidth": Quantity(14e9, "B/s"),
        "bandwidth_l1": Quantity(337e9, "B/s"),
        "bandwidth_l2": Quantity(137e9, "B/s"),
        "call_overhead": Quantity(2e-6, "s"),
    },
)
KERNEL = KernelParameters(lanes=16, tile=28)
CONV3 = Problem.parse("ic256ih13oc384kh3ph1")
SPARSE = [DirectSparse(), GeneratedSparse(), LoweredSparse(), Winograd(2, sparse=True), Winograd(4, sparse=True)]
DENSE = [Dense("im2col"), Dense("direct"), Winograd(2), Winograd(4), Fft(), Fft(16), LowRank("tucker2", (32, 48)), LowRank("cp", 40)]
PROBLEMS = ["ic256ih13oc384kh3ph1", "mb3ic7ih9iw5oc5kh3kw3ph1pw1", "mb16ic3ih12oc1kh3", "ic1ih3oc1kh3"]


def identify(model) -> str:
    return " ".join([type(model).__name__, *(str(v) for v in vars(model).values() if not isinstance(v, Dense))])


@pytest.mark.parametrize("model", SPARSE + DENSE, ids=identify)
@pytest.mark.parametrize("text", PROBLEMS)
def test_terms_costs_and_kinds_agree_and_seconds_are_their_sum(model, text):
    problem = Problem.parse(text)
    terms, costs = model.terms(problem, 0.3, KERNEL), model.first_costs(HARDWARE, KERNEL)
    assert set(terms) == set(costs) == set(model.kinds)
    assert set(model.kinds.values()) <= {"compute", "bandwidth", "overhead"}
    assert all(math.isfinite(v) and v >= 0 for v in [*terms.values(), *costs.values()])
    timing = model.seconds(problem, 0.3, HARDWARE, KERNEL)
    assert timing.seconds == pytest.approx(sum(costs[name] * terms[name] for name in terms) / 176e9)
    assert sum(timing.shares.values()) == pytest.approx(1.0)
    assert timing.bound in model.kinds.values()
    assert set(model.traffic(problem, 0.3)) == {"l2", "memory"}
    assert model.flops(problem, 0.3) > 0


@pytest.mark.parametrize("model", SPARSE, ids=identify)
def test_sparse_times_rise_with_density(model):
    times = [model.seconds(CONV3, i / 20, HARDWARE, KERNEL).seconds for i in range(21)]
    assert times == sorted(times)
    assert times[-1] > 3 * times[0]


@pytest.mark.parametrize("model", DENSE, ids=identify)
def test_dense_times_do_not_depend_on_density(model):
    assert model.seconds(CONV3, 0.0, HARDWARE, KERNEL) == model.seconds(CONV3, 1.0, HARDWARE, KERNEL)


@pytest.mark.parametrize("model", SPARSE + DENSE, ids=identify)
def test_density_outside_is_refused(model):
    with pytest.raises(InputError, match="density is nan; allowed: 0 to 1"):
        model.seconds(CONV3, math.nan, HARDWARE, KERNEL)


@pytest.mark.parametrize("model", SPARSE + DENSE, ids=identify)
def test_missing_number_is_named(model):
    with pytest.raises(MissingNumberError, match="hardware 'd' has no peak_flops; known numbers: none"):
        model.seconds(CONV3, 0.1, Hardware("v", "d"), KERNEL)


def test_calibrated_costs_replace_first_principles():
    kernel = KernelParameters(costs={"multiply": 2.0})
    found = Dense("direct").seconds(CONV3, 1.0, HARDWARE, kernel)
    assert found.seconds == pytest.approx(2 * CONV3.flops / 176e9)
    assert (found.bound, found.shares["multiply"]) == ("compute", 1.0)


def test_bytes_cost_what_the_next_known_level_costs():
    assert byte_cost(HARDWARE, "l1") == pytest.approx(176 / 337)
    assert byte_cost(HARDWARE, "l2") == pytest.approx(176 / 137)
    assert byte_cost(HARDWARE, "l3") == pytest.approx(176 / 14)
    assert byte_cost(HARDWARE, "memory") == pytest.approx(176 / 14)


def test_direct_sparse_by_hand():
    problem = Problem.parse("ic4ih13oc4kh3ph1")
    terms = DirectSparse().terms(problem, 0.5, KernelParameters(lanes=16, tile=1, layouts=("stacked",)))
    nonzeros = 0.5 * 4 * 4 * 9
    # A tile of one vector for each of 13 rows, 3 input rows each, a halo of 2 lanes, all channels in one block.
    assert terms["multiply"] == 2 * 16 * 13 * nonzeros
    assert terms["fetch"] == 3 * 13 * nonzeros
    assert terms["row"] == 4 * 13
    assert terms["slide"] == 4 * 13 * 2
    assert terms["pack"] == 4 * 39 * 64
    assert terms["output"] == 4 * 4 * 169
    assert terms["line"] == 4 * 13
    assert terms["call"] == 1.0
    assert not any(terms[name] for name in ("reload", "spill", "gather", "stream", "outer", "memory"))


def test_direct_sparse_takes_the_counts_of_a_backends_own_planner():
    planned = Counts(lanes=8, vectors=10, tiles=2, packed=5, halo=1, blocks=3, far=0.5, wait=1)
    terms = DirectSparse(lambda problem, density: planned).terms(CONV3, 0.1, KERNEL)
    nonzeros = 0.1 * CONV3.weight_count
    assert terms["multiply"] == 2 * 8 * 10 * nonzeros
    assert terms["reload"] == 0.5 * terms["multiply"]
    assert terms["spill"] == 2 * 32 * 384 * 10 * 2
    assert terms["row"] == 384 * 2 * 3


def test_strides_gather_and_large_batches_leave_the_caches():
    model = DirectSparse()
    assert model.terms(Problem.parse("ic64ih28oc64kh3sh2ph1"), 0.1, KERNEL)["gather"] > 0
    large = model.terms(Problem.parse("mb16ic64ih56oc64kh3ph1"), 0.1, KERNEL)
    assert large["outer"] - large["memory"] == (8 * 1024 - 512) * 1024


def test_input_leaves_the_last_level_cache_as_a_whole():
    """Input and output of 3 MiB each fill the 6 MiB that a call can count on; at twice the images nothing of the input is left there."""
    for images, share in ((16, 0.0), (32, 0.0), (40, 0.25), (48, 0.5), (64, 1.0), (128, 1.0)):
        problem = Problem.parse(f"mb{images}ic96ih16oc96kh1")
        terms = GeneratedSparse().terms(problem, 0.1, KernelParameters(lanes=16))
        assert terms["read_far"] == pytest.approx(share * 4 * images * 96 * 256)


def test_only_arrays_of_more_than_32_mib_get_fresh_pages():
    def fresh(algorithm, text):
        return Dense(algorithm).terms(Problem.parse(text), 1.0, KernelParameters())["fresh"]

    assert fresh("direct", "mb8ic64ih64oc64kh1") == 0.0
    assert fresh("direct", "mb16ic16ih64oc256kh3ph1") == 4 * 16 * 256 * 64 * 64
    assert fresh("direct", "ic1024ih4oc1024kh3ph1") == 4 * 1024 * 1024 * 9
    assert fresh("im2col", "mb16ic16ih64oc256kh3ph1") == 4 * 16 * 16 * 9 * 64 * 64
    assert fresh("im2col", "mb16ic16ih64oc256kh1") == 0.0


def test_direct_sparse_at_density_0_still_writes_its_output():
    terms = DirectSparse().terms(CONV3, 0.0, KERNEL)
    assert (terms["multiply"], terms["fetch"], terms["stream"]) == (0.0, 0.0, 0.0)
    assert terms["output"] > 0


def test_paper_bytes_come_back_as_memory_traffic():
    found = DirectSparse().traffic(Problem.parse("g2ic384ih13oc256kh3ph1"), 1.0)
    assert found["memory"] == 432_640 + 2 * 1_769_472


def test_lowered_input_only_where_it_must_be_built():
    model = LoweredSparse()
    assert model.terms(CONV3, 0.1, KERNEL)["lower"] == 4 * 256 * 9 * 169
    assert model.terms(Problem.parse("ic480ih14oc192kh1"), 0.1, KERNEL)["lower"] == 0
    assert model.terms(Problem.parse("ic480ih14oc192kh1sh2"), 0.1, KERNEL)["lower"] == 4 * 480 * 49


def test_lowered_rows_are_gathered_from_beyond_l2_only_where_the_matrix_is_large():
    model = LoweredSparse()
    assert model.terms(Problem.parse("ic16ih9oc384kh3ph1"), 0.1, KERNEL)["gather"] == 0
    large = model.terms(CONV3, 0.1, KERNEL)
    matrix = 4 * 256 * 9 * 169
    assert large["gather"] == pytest.approx(4 * 0.1 * CONV3.weight_count * 169 * (1 - 256 * 1024 / matrix))


@pytest.mark.parametrize(("m", "gain"), [(2, 2.25), (4, 4.0)])
def test_winograd_saves_what_the_literature_says(m, gain):
    problem = Problem.parse("ic64ih56oc64kh3ph1")
    transforms = (56 // m) ** 2 * 64 * {2: 32 + 24, 4: 156 + 90}[m]
    assert problem.flops / (Winograd(m).flops(problem, 1.0) - transforms) == pytest.approx(gain)
    assert Winograd(m).terms(problem, 1.0, KERNEL)["transform"] == transforms


@pytest.mark.parametrize(("text", "m"), [("ic64ih56oc64kh3ph1", 4), ("ic512ih7oc512kh3ph1", 2), ("mb16ic512ih7oc512kh3ph1", 4)])
def test_winograd_without_a_tile_takes_the_one_with_less_work(text, m):
    problem = Problem.parse(text)
    assert Winograd(None).terms(problem, 1.0, KERNEL) == Winograd(m).terms(problem, 1.0, KERNEL)
    assert tile_work(problem, m) < tile_work(problem, 6 - m)


def test_winograd_reads_its_weights_once_a_block_of_tiles():
    one, many = (Winograd(4).terms(Problem.parse(f"mb{mb}ic256ih16oc256kh3ph1"), 1.0, KERNEL) for mb in (1, 16))
    weights, tile = 4 * 36 * 256 * 256, 4 * 36 * (256 + 256)
    assert one["weights"] == weights
    assert many["weights"] == 5 * weights  # 64 rows of 4 tiles: 14 rows are 56 tiles, five blocks of 13 about equal
    assert one["tiles_far"] == pytest.approx((16 * tile / 2**20 - 1) * one["tiles"])
    lost = (weights + 2 * 16 * tile - 4 * 2**20) / (12 * 2**20)
    assert one["weights_far"] == pytest.approx(lost * weights)  # 9.4 MB, and twice 1.2 MB of transforms, fill half of 4 to 16 MiB
    shallow = Winograd(2).terms(Problem.parse("ic64ih16oc64kh3ph1"), 1.0, KERNEL)
    assert shallow["weights_far"] == 0


@pytest.mark.parametrize(
    ("text", "rows", "lanes"), [("ic64ih14oc64kh3ph1", 52, 64), ("ic64ih14oc3kh3ph1", 52, 16), ("ic64ih4oc20kh3ph1", 4, 32)]
)
def test_winograd_multiplies_fours_of_tiles_by_whole_vectors(text, rows, lanes):
    assert Winograd(2).terms(Problem.parse(text), 1.0, KERNEL)["multiply"] == 2 * 16 * rows * 64 * lanes


def test_narrow_products_of_winograd_are_counted_apart():
    narrow, full = (Winograd(2).terms(Problem.parse(f"ic64ih14oc{oc}kh3ph1"), 1.0, KERNEL)["narrow"] for oc in (12, 16))
    assert (narrow, full) == (16 * 49 * 64, 0)


def test_generated_code_beyond_the_last_level_cache_is_read_from_memory():
    problem = Problem.parse("ic512ih7oc512kh3ph1")
    size = 15 * problem.weight_count
    terms = {density: GeneratedSparse().terms(problem, density, KERNEL) for density in (0.25, 0.4, 0.9)}
    assert terms[0.25]["stream_far"] == 0 < terms[0.25]["stream"]
    assert terms[0.4]["stream_far"] == pytest.approx((0.4 * size / 2**20 - 10) / 10 * 0.4 * size)
    assert terms[0.9]["stream_far"] == pytest.approx(0.9 * size)


def test_code_from_memory_counts_once_a_strip_though_each_tile_runs_it():
    problem = Problem.parse("ic384ih12oc128kh7sh2ph3")
    terms = GeneratedSparse().terms(problem, 0.9, KERNEL)
    assert terms["stream_far"] == pytest.approx(strips(problem, 0.9 * problem.weight_count).strips * 15 * 0.9 * problem.weight_count)
    assert terms["stream"] > terms["stream_far"]


def test_sparse_winograd_counts_nonzeros_of_the_transformed_weights():
    dense, sparse = (Winograd(2, sparse=s).terms(CONV3, 0.25, KERNEL) for s in (False, True))
    assert sparse["multiply"] == pytest.approx(0.25 * dense["multiply"])
    assert sparse["weights"] == pytest.approx(0.5 * dense["weights"])
    assert sparse["tiles"] == dense["tiles"]


def test_fft_counts_by_hand():
    problem = Problem.parse("mb2ic3ih8oc5kh3ph1")  # one tile of 10x10 an image: 10 x 6 complex points
    terms = Fft().terms(problem, 1.0, KERNEL)
    assert terms["multiply"] == 8 * 2 * 60 * 15
    assert terms["transform"] == pytest.approx(2.5 * 100 * math.log2(100) * 2 * 8)
    assert Fft(6).terms(problem, 1.0, KERNEL)["multiply"] == 8 * 2 * 4 * (6 * 4) * 15


def test_depthwise_layers_fill_their_vectors_with_pixels():
    depthwise = Problem.parse("g64ic64ih28oc64kh3ph1")
    assert Dense("direct").terms(depthwise, 1.0, KERNEL)["multiply"] == depthwise.flops
    grouped = Problem.parse("g32ic64ih28oc64kh3ph1")
    assert Dense("direct").terms(grouped, 1.0, KERNEL)["multiply"] == 8 * grouped.flops


def test_low_rank_chains():
    problem = Problem.parse('mb2ic64ih28iw20oc96kh5kw3sh2sw1ph2pw1n"x"')
    first, core, last = LowRank("tucker2", (16, 24)).chain(problem)
    assert [str(part) for part in (first, core, last)] == [
        "g1mb2ic64ih28iw20oc16oh28ow20kh1kw1sh1sw1ph0pw0dh0dw0",
        "g1mb2ic16ih28iw20oc24oh14ow20kh5kw3sh2sw1ph2pw1dh0dw0",
        "g1mb2ic24ih14iw20oc96oh14ow20kh1kw1sh1sw1ph0pw0dh0dw0",
    ]
    chain = LowRank("cp", 8).chain(problem)
    assert [str(part) for part in chain] == [
        "g1mb2ic64ih28iw20oc8oh28ow20kh1kw1sh1sw1ph0pw0dh0dw0",
        "g8mb2ic8ih28iw20oc8oh14ow20kh5kw1sh2sw1ph2pw0dh0dw0",
        "g8mb2ic8ih14iw20oc8oh14ow20kh1kw3sh1sw1ph0pw1dh0dw0",
        "g1mb2ic8ih14iw20oc96oh14ow20kh1kw1sh1sw1ph0pw0dh0dw0",
    ]
    assert LowRank("cp", 8).flops(problem, 1.0) == sum(part.flops for part in chain)
    assert LowRank("tucker2", 16).ranks == (16, 16)


def test_low_rank_at_a_share_of_the_full_rank():
    problem = Problem.parse("g2ic64ih28oc96kh3ph1")
    assert ranks_at("tucker2", problem, 0.25) == (8, 12)
    assert ranks_at("cp", problem, 0.25) == (72,)
    assert ranks_at("tucker2", problem, 1e-6) == (1, 1)
    assert ranks_at("tucker2", Problem.parse("ic2ih9oc96kh3"), 1.0) == (2, 18)  # more than r_in x taps would be pointless
    assert [str(part) for part in LowRank("tucker2").chain(problem, 0.25)] == [
        "g2mb1ic64ih28iw28oc16oh28ow28kh1kw1sh1sw1ph0pw0dh0dw0",
        "g2mb1ic16ih28iw28oc24oh28ow28kh3kw3sh1sw1ph1pw1dh0dw0",
        "g2mb1ic24ih28iw28oc96oh28ow28kh1kw1sh1sw1ph0pw0dh0dw0",
    ]
    for form in ("tucker2", "cp"):
        chain, terms = LowRank(form).chain(problem, 0.1), LowRank(form).terms(problem, 0.1, KERNEL)
        alone = sum(part.flops for part in chain if part.g == part.ic == part.oc)
        assert terms["alone"] == alone
        assert bool(alone) == (form == "cp")
        assert terms["call"] == len(chain)
        assert LowRank(form).flops(problem, 0.1) < LowRank(form).flops(problem, 0.2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense("fast"), "algorithm is 'fast'; allowed: im2col, direct"),
        (lambda: Winograd(3), "m is 3; allowed: 2, 4"),
        (
            lambda: Winograd(2).terms(Problem.parse("ic3ih9oc4kh5"), 1.0, KERNEL),
            "is not 3x3 of stride 1 without dilation; winograd does no other",
        ),
        (lambda: Winograd(2).flops(Problem.parse("ic3ih9oc4kh3sh2"), 1.0), "is not 3x3 of stride 1 without dilation"),
        (lambda: Fft(1), "size is 1; allowed: a whole number from 2, or None for the whole image"),
        (lambda: Fft(4).flops(Problem.parse("ic3ih9oc4kh5"), 1.0), "size is 4; allowed for a kernel that covers 5x5: 5 or more"),
        (lambda: LowRank("svd", 3), "form is 'svd'; allowed: tucker2, cp"),
        (lambda: LowRank("cp", (3, 4)), r"rank is \(3, 4\); allowed for cp: a whole number from 1"),
        (lambda: LowRank("tucker2", 0), "rank is 0; allowed for tucker2: one or two whole numbers from 1"),
        (lambda: LowRank("tucker2", ()), r"rank is \(\); allowed for tucker2"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(InputError, match=message):
        make()
