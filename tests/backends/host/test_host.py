"""The host's probes, its hardware record, im2col and the epilogue, against NumPy."""

from __future__ import annotations

import dataclasses
import itertools
import mmap

import numpy as np
import pytest

from backends.host import _host, calibrate, engine, machine, store
from backends.host import lowering as lowering_module
from backends.host.backend import HostBackend
from backends.host.lowering import Lowering, Scratch, aligned
from backends.reference.backend import ReferenceBackend, convolve
from harness.contract import BackendConfig, Hardware, Problem, Quantity

GOOD = {
    "peak_flops": 1e11,
    "bandwidth_l1": 4e11,
    "bandwidth_l2": 2e11,
    "bandwidth_l3": 1e11,
    "bandwidth_read": 3e10,
    "bandwidth": 3e10,
}


def test_lowered_input_times_weights_is_the_convolution_block_by_block(awkward, rng, monkeypatch):
    p = awkward
    x = rng.standard_normal(p.input_shape, np.float32)
    weight = rng.standard_normal(p.weight_shape, np.float32)
    monkeypatch.setattr(lowering_module, "this_machine", lambda: dataclasses.replace(machine.this_machine(), caches=(64, 2048, 2048)))
    lowering, scratch = Lowering(p), Scratch()
    rows = weight.reshape(p.g, p.oc // p.g, lowering.depth).astype(np.float64)
    y = np.empty((p.mb, p.g, p.oc // p.g, p.oh, p.ow))
    x_address, _ = _host.addresses(x, x)
    for image, group, block in itertools.product(range(p.mb), range(p.g), lowering.blocks):
        buffer = scratch.take("columns", lowering.floats)
        address = lowering.lower(x, x_address, image, group, block, buffer)
        assert address == (x[image, group * lowering.channels :].ctypes.data if lowering.identity else buffer.address)
        matrix = x[image, group * lowering.channels :] if lowering.identity else buffer.array
        width = block[1] - block[0]
        columns = matrix.reshape(-1)[: lowering.depth * width * p.ow].reshape(lowering.depth, -1)
        y[image, group, :, block[0] : block[1]] = (rows[group] @ columns).reshape(-1, width, p.ow)
    np.testing.assert_allclose(y.reshape(p.output_shape), convolve(p, x, weight), rtol=1e-9, atol=1e-9)


def geometry(**changes):
    letters = {"ic": 2, "ih": 4, "iw": 4, "kh": 3, "kw": 3, "sh": 1, "sw": 1, "ph": 1, "pw": 1, "dh": 0, "dw": 0, "oh": 4, "ow": 4}
    return np.array(list((letters | changes).values()), np.int32)


@pytest.mark.parametrize(
    ("changes", "ranges", "x_floats", "column_floats"),
    [
        ({}, (0, 0, 2, 0, 4), 31, 288),
        ({}, (0, 0, 2, 0, 4), 32, 287),
        ({}, (1, 0, 2, 0, 4), 32, 288),
        ({}, (-1, 0, 2, 0, 4), 32, 288),
        ({}, (0, 0, 3, 0, 4), 48, 999),
        ({}, (0, 1, 0, 0, 4), 32, 288),
        ({}, (0, 0, 2, 0, 5), 32, 999),
        ({"kh": 0}, (0, 0, 2, 0, 4), 32, 288),
        ({"ph": -1}, (0, 0, 2, 0, 4), 32, 288),
        ({"sh": 2**31 - 1}, (0, 0, 2, 0, 4), 32, 288),
    ],
)
def test_im2col_refuses_what_does_not_fit(changes, ranges, x_floats, column_floats):
    x, columns = np.zeros(x_floats, np.float32), np.zeros(column_floats, np.float32)
    with pytest.raises(ValueError, match="do not fit together"):
        _host.im2col(x, columns, geometry(**changes), *ranges)


def test_im2col_refuses_a_short_geometry_and_read_only_columns():
    x, columns = np.zeros(32, np.float32), np.zeros(288, np.float32)
    with pytest.raises(ValueError, match="do not fit together"):
        _host.im2col(x, columns, geometry()[:12], 0, 0, 2, 0, 4)
    columns.setflags(write=False)
    with pytest.raises((TypeError, BufferError, ValueError)):
        _host.im2col(x, columns, geometry(), 0, 0, 2, 0, 4)


@pytest.mark.parametrize(("channels", "pixels"), [(1, 1), (3, 5), (4, 4), (7, 9), (16, 33), (13, 169)])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
def test_finish_transposes_adds_and_clips(rng, channels, pixels, relu, with_bias):
    source = rng.standard_normal((pixels, channels), np.float32)
    bias = rng.standard_normal(channels, np.float32) if with_bias else None
    wanted = source.T + (0 if bias is None else bias[:, None])
    wanted = np.maximum(wanted, 0) if relu else wanted
    target = np.full((channels + 1, pixels + 2), 7, np.float32)
    _host.finish(source, target, bias, channels, pixels, pixels + 3, pixels + 2, relu)
    np.testing.assert_array_equal(target[1:, 1 : pixels + 1], wanted)
    target[1:, 1 : pixels + 1] = 7
    assert (target == 7).all()
    in_place = np.ascontiguousarray(source.T)
    _host.finish(None, in_place, bias, channels, pixels, 0, pixels, relu)
    np.testing.assert_array_equal(in_place, wanted)


@pytest.mark.parametrize("change", [{"channels": 5}, {"pixels": 8}, {"offset": 4}, {"offset": -1}, {"stride": 6}, {"channels": 0}])
def test_finish_refuses_what_does_not_fit(change):
    call = {"channels": 4, "pixels": 7, "offset": 3, "stride": 7} | change
    source, target = np.zeros(28, np.float32), np.zeros(31, np.float32)
    with pytest.raises(ValueError, match="do not fit together"):
        _host.finish(source, target, None, *call.values(), False)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        *((job, "job") for job in ({0: 2}, {1: 3}, {2: 5}, {3: 1}, {4: 0}, {4: 5})),
        *((size, "buffer") for size in ({"columns": 287}, {"x": 31}, {"y": 63}, {"bias": 3}, {"weights": 2}, {5: 1, "product": 63})),
    ],
)
def test_gemm_convolution_refuses_what_does_not_fit(change, name):
    sizes = {"x": 32, "y": 64, "bias": 4, "columns": 288, "product": 64}
    arrays = [np.zeros(change.get(key, size), np.float32) for key, size in sizes.items()]
    job = np.array([1, 1, 4, 0, 1, 0, 0, 0], np.int32)
    for index, value in change.items():
        if isinstance(index, int):
            job[index] = value
    weights = np.zeros(change.get("weights", 1), np.uint64)
    with pytest.raises(ValueError, match=f"{name}.* do not fit together"):
        _host.im2col_gemm(*arrays, geometry(), job, weights, 1)


def test_machine_names_a_cpu_and_growing_caches():
    this = machine.this_machine()
    assert this.model
    assert this.isas[-1] == "portable"
    assert 4096 <= this.caches[0] <= this.caches[1] <= this.caches[2]


@pytest.mark.parametrize("isa", machine.this_machine().isas)
def test_peak_of_each_instruction_set_is_plausible(isa):
    rates = _host.fma_peak(isa, 0.002, 5)
    assert len(rates) == 5
    assert 1e8 < np.median(rates) < 64 * 6e9


@pytest.mark.parametrize("isa", machine.this_machine().isas)
@pytest.mark.parametrize("kind", ["read", "triad", "fma_load"])
@pytest.mark.parametrize("skip", [0, 1])
def test_streams_run_on_every_instruction_set(isa, kind, skip):
    rates = _host.stream(isa, kind, np.empty(24 << 10, np.uint8), skip, 0.001, 3)
    assert len(rates) == 3
    assert min(rates) > 0


@pytest.mark.parametrize(
    "call",
    [
        ("mmx", "read", 8192, 0, 0.01, 1),
        ("portable", "copy", 8192, 0, 0.01, 1),
        ("portable", "read", 64, 0, 0.01, 1),
        ("portable", "read", 8192, -1, 0.01, 1),
    ],
)
def test_streams_refuse_wrong_arguments(call):
    isa, kind, size, *rest = call
    with pytest.raises(ValueError, match="allowed"):
        _host.stream(isa, kind, np.empty(size, np.uint8), *rest)


def test_peak_refuses_wrong_arguments():
    with pytest.raises(ValueError, match="allowed: one of isas"):
        _host.fma_peak("mmx", 0.001, 3)
    with pytest.raises(ValueError, match="samples is 0; allowed: 1 to 64"):
        _host.fma_peak("portable", 0.001, 0)


def test_every_host_backend_tells_its_device_and_peak():
    backend = ReferenceBackend(BackendConfig("reference"))
    assert isinstance(backend, HostBackend)
    assert machine.this_machine().isa in backend.device()
    assert backend.devices() == (backend.device(),)
    assert backend.fma_peak() > 1e8


def test_peak_of_two_threads_is_a_sum():
    assert ReferenceBackend(BackendConfig("reference"), threads=2).fma_peak() > 1e8


@pytest.mark.slow
def test_hardware_is_measured_once_and_then_loaded(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    backend = ReferenceBackend(BackendConfig("reference"))
    measured = backend.hardware()
    assert capsys.readouterr().err.count("notice: measuring") == 1
    for name in (*GOOD, "fma_l1_aligned", "fma_l2_unaligned", "call_overhead"):
        quantity = measured.number(name)
        assert quantity > 0
        assert (quantity.provenance, len(quantity.date)) == ("measured", 10)
    assert measured.number("cores") == 1
    assert backend.hardware() == measured
    assert capsys.readouterr().err == ""
    assert [path.suffix for path in (tmp_path / "breakeven" / "hardware").iterdir()] == [".yaml"]


@pytest.mark.parametrize(("isa", "flops"), [("avx512", 2 * 2.5e9 * 16 * 2), ("avx2", 2 * 2.5e9 * 8 * 2), ("portable", None)])
def test_what_the_cpu_declares_stands_beside_what_is_measured(monkeypatch, isa, flops):
    monkeypatch.setattr(calibrate, "declared_hertz", lambda: 2.5e9)
    monkeypatch.setattr(calibrate.probes, "cores_for", lambda threads: threads)
    declared = calibrate.declared_numbers(dataclasses.replace(machine.this_machine(), isas=(isa,)), 2, "2026-01-31")
    assert {quantity.provenance for quantity in declared.values()} == {"declared"}
    assert declared["cores"] == 2
    assert declared.get("nominal_flops") == flops
    monkeypatch.setattr(calibrate, "declared_hertz", lambda: None)
    assert "nominal_flops" not in calibrate.declared_numbers(machine.this_machine(), 2, "2026-01-31")


@pytest.mark.parametrize(("text", "hertz"), [("2600000\n", 2.6e9), (None, None)])
def test_the_base_frequency_is_the_declared_clock(monkeypatch, tmp_path, text, hertz):
    file = tmp_path / "base_frequency"
    monkeypatch.setattr(machine, "_BASE_KILOHERTZ", file)
    if text:
        file.write_text(text)
    found = machine.declared_hertz()
    assert found == hertz if hertz else found is None or 1e8 < found < 1e10


def test_a_broken_record_is_measured_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fresh = Hardware("V", "D", "x", {"peak_flops": Quantity(1e9, "FLOP/s")})
    monkeypatch.setattr(store, "calibrate", lambda threads: fresh)
    this = machine.this_machine()
    path = store.record_path(Hardware(this.vendor, this.model, calibrate.driver(this, 1)))
    path.parent.mkdir(parents=True)
    path.write_text("not: a record")
    assert store.stored_hardware(1) is fresh
    assert "measuring again" in capsys.readouterr().err
    assert store.stored_hardware(1) == fresh


def test_a_cache_folder_that_cannot_be_written_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "breakeven").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fresh = Hardware("V", "D", "x", {"peak_flops": Quantity(1e9, "FLOP/s")})
    monkeypatch.setattr(store, "calibrate", lambda threads: fresh)
    assert store.stored_hardware(1) is fresh
    assert "cannot be stored" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "name", "reason"),
    [
        ({"peak_flops": 4e11}, "peak_flops", "above 64 FLOP a cycle at 6 GHz on 1 cores"),
        ({"bandwidth_l2": 0.8e11}, "bandwidth_l2", "slower than bandwidth_l3"),
        ({"bandwidth_read": 2e11}, "bandwidth_l3", "slower than bandwidth_read"),
    ],
)
def test_implausible_numbers_are_doubted(changes, name, reason):
    assert calibrate.doubts(GOOD, 1) == {}
    assert calibrate.doubts(GOOD | changes, 1) == {name: reason}


def test_scratch_is_aligned_and_reused():
    scratch = Scratch()
    first = scratch.take("a", 100)
    assert first.address % 64 == 0
    assert first.address == first.array.ctypes.data
    assert scratch.take("a", 50) is first
    assert scratch.take("a", 200).array.size == 200
    assert aligned(0).array.size == 0


@pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="this system has no huge pages to ask for")
def test_large_arrays_start_on_a_huge_page_of_their_own():
    first, second = aligned(1 << 18), aligned(1 << 18)
    assert first.address % (1 << 21) == second.address % (1 << 21) == 0
    first.array[:], second.array[:] = 1, 2
    assert (first.array.size, float(first.array.sum()), first.array.ctypes.data) == (1 << 18, 1 << 18, first.address)


@pytest.mark.parametrize(("megabytes", "threads", "blocks"), [(1, 1, 3), (1, 2, 1), (64, 1, 1), (0.001, 1, 28)])
def test_blocks_fill_the_caches_and_cover_every_row_once(monkeypatch, megabytes, threads, blocks):
    caches = (32768, int(megabytes * 2**20), 2**28)
    monkeypatch.setattr(lowering_module, "this_machine", lambda: dataclasses.replace(machine.this_machine(), caches=caches))
    found = Lowering(Problem.parse("ic128ih28oc128kh3ph1"), threads).blocks
    assert len(found) == blocks
    assert [row for y0, y1 in found for row in range(y0, y1)] == list(range(28))


@pytest.mark.parametrize("isa", machine.this_machine().isas)
@pytest.mark.parametrize("width", [1, 5, 7, 8, 9, 13, 16, 17, 28, 33, 56])
def test_every_instruction_set_lowers_alike_and_stays_inside(rng, isa, width):
    for p in (
        Problem.parse(f"ic3ih6iw{width}oc1kh3kw3ph1pw1"),
        Problem.parse(f"ic2ih5iw{width}oc1kh2kw5sh2sw1ph1pw4dh1dw1"),
        Problem.parse(f"ic2ih7iw{width}oc1kh3kw3sh1sw3ph2pw2"),
        Problem.parse(f"ic2ih6iw{width}oc1kh3kw3sh2sw2ph2pw2"),
        Problem.parse(f"ic3ih9iw{3 * width}oc1kh3kw3sh4sw2ph1pw1"),
        Problem.parse(f"ic2ih6iw{4 * width}oc1kh3kw3sh1sw4ph1pw2"),
        Problem.parse(f"ic2ih6iw{width}oc1kh3kw3sh2sw4ph2pw2"),
    ):
        x = rng.standard_normal(p.input_shape, np.float32)
        taps = np.eye(9 if p.kw == 3 else 10, dtype=np.float32).reshape(-1, 1, p.kh, p.kw)
        wanted = []
        for channel in range(p.ic):
            one = dataclasses.replace(p, ic=1, oc=len(taps))
            wanted.append(convolve(one, x[:, channel : channel + 1], taps)[0])
        columns = np.full(p.ic * len(taps) * p.oh * p.ow + 64, 7, np.float32)
        letters = np.array([p.ic, p.ih, p.iw, p.kh, p.kw, p.sh, p.sw, p.ph, p.pw, p.dh, p.dw, p.oh, p.ow], np.int32)
        _host.im2col(x, columns, letters, 0, 0, p.ic, 0, p.oh, isa)
        np.testing.assert_array_equal(columns[:-64], np.concatenate(wanted).reshape(-1).astype(np.float32))
        assert (columns[-64:] == 7).all()


def test_im2col_refuses_an_unknown_instruction_set():
    with pytest.raises(ValueError, match="isa is 'mmx'"):
        _host.im2col(np.zeros(32, np.float32), np.zeros(288, np.float32), geometry(), 0, 0, 2, 0, 4, "mmx")


def test_blocks_of_rows_make_up_the_whole_matrix(rng):
    x = rng.standard_normal((2, 4, 4), np.float32)
    whole = np.empty((18, 16), np.float32)
    _host.im2col(x, whole, geometry(), 0, 0, 2, 0, 4)
    for y0, y1 in ((0, 1), (1, 4)):
        block = np.empty((18, (y1 - y0) * 4), np.float32)
        _host.im2col(x, block, geometry(), 0, 0, 2, y0, y1)
        np.testing.assert_array_equal(block, whole[:, 4 * y0 : 4 * y1])


def test_addresses_are_those_of_the_arrays():
    x, y = np.zeros(3, np.float32), np.zeros(3, np.float32)
    assert _host.addresses(x, y) == (x.ctypes.data, y.ctypes.data)
    y.setflags(write=False)
    with pytest.raises((TypeError, BufferError, ValueError)):
        _host.addresses(x, y)


def test_views_of_read_only_arrays_share_memory():
    x = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    assert engine.writeable_view(x) is x
    x.setflags(write=False)
    view = engine.writeable_view(x)
    assert view.flags.writeable
    assert np.shares_memory(view, x)
    np.testing.assert_array_equal(view, x)
