"""Pruning in a user's loop: every pruner trains, phases, guides, saving, AMP, torch's own pruning state."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

import gsl
from gsl import DNS, GMP, L1, Budget, Dense, GroupLasso, GuideRules, Magnitude, Movement, Pruning, RigL, SkipEnds, State, measured_outlook
from perfmodel import InputError

PRUNERS = {
    "magnitude": Magnitude(density=0.2),
    "iterative": Magnitude(density=0.2, rounds=3),
    "gmp": GMP(density=0.2, every=5),
    "l1": L1(strength=3e-3, threshold=5e-3),
    "l1 scaled": L1(strength=3e-3, threshold=1e-3, factor=10),
    "dns": DNS(strength=1.0),
    "group_lasso": GroupLasso(strength=3e-3, threshold=3e-2, group="kernel"),
    "movement": Movement(density=0.2),
    "rigl": RigL(density=0.2, every=10),
}


def outlook(name: str, dense_s: float = 1.0, slope: float = 2.0) -> gsl.LayerOutlook:
    return measured_outlook(name, dense_s, {x: dense_s * (0.05 + slope * x) for x in (0.01, 0.1, 1.0)})


def test_importing_the_library_does_not_import_torch():
    code = "import sys, gsl, gsl.plugin; assert 'torch' not in sys.modules; gsl.GMP(); assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == ""


@pytest.mark.parametrize("name", PRUNERS)
def test_every_pruner_trains_and_leaves_plain_weights_with_zeros(torch, task, name):
    model, optimizer, train = task()
    train(100)
    pruning = Pruning(model, optimizer, PRUNERS[name], prune_steps=120)
    train(120)
    assert pruning.frozen
    zeros = {n: (layer.weight == 0).clone() for n, layer in pruning.layers.items()}
    losses = train(80)
    densities = pruning.finish()
    assert losses[-1] < 0.25, "a net of chance loses 1.39"
    assert all(density > 0.02 for density in densities.values()) and min(densities.values()) < 0.5, densities
    for n, layer in pruning.layers.items():
        assert bool((layer.weight[zeros[n]] == 0).all()), "zeros stay zeros in the retraining phase"
        assert densities[n] == pytest.approx(float((layer.weight != 0).float().mean()), abs=0.02)
    assert set(model.state_dict()) == {"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "fc.weight", "fc.bias"}
    if name in ("magnitude", "iterative", "gmp", "movement", "rigl"):
        assert densities["conv2"] == pytest.approx(0.2, abs=0.01)


def test_the_control_prunes_nothing(torch, task):
    plain, _, train_plain = task()
    train_plain(30)
    model, optimizer, train = task()
    pruning = Pruning(model, optimizer, Dense(), prune_steps=20)
    train(30)
    assert pruning.finish() == {"conv1": 1.0, "conv2": 1.0, "fc": 1.0}
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), model.parameters(), strict=True))


def test_skip_ends_leaves_both_ends_alone(torch, task):
    model, optimizer, train = task()
    pruning = Pruning(model, optimizer, GMP(density=0.3), SkipEnds(), prune_steps=20)
    train(20)
    assert pruning.finish() == {"conv1": 1.0, "conv2": pytest.approx(0.3, abs=0.01), "fc": 1.0}
    assert [(d.layer, d.state) for d in pruning.log] == [("conv1", State.DROPPED), ("fc", State.DROPPED)]
    with pytest.raises(InputError, match="skip_ends leaves 2 \\+ 1 of 3"):
        Pruning(model, optimizer, GMP(), SkipEnds(first=2), prune_steps=20)


def test_gsl_leaves_alone_what_has_no_projection_and_stops_at_the_low_end(torch, task):
    model, optimizer, train = task()
    outlooks = {"conv1": outlook("conv1", 0.001), "conv2": outlook("conv2")}
    pruning = Pruning(model, optimizer, GMP(density=0.01, every=5), GuideRules(period=10, spare=0.0), outlooks, prune_steps=100)
    train(100)
    low = outlooks["conv2"].useful.low
    assert pruning.finish() == {"conv1": 1.0, "conv2": pytest.approx(low, abs=0.002), "fc": 1.0}
    reasons = {d.layer: d.reason for d in pruning.log}
    assert "no projection" in reasons["fc"] and "floor" in reasons["conv1"]


def test_gsl_presses_the_layers_that_cost_most(torch, task):
    model, optimizer, _ = task()
    outlooks = {"conv1": outlook("conv1"), "conv2": outlook("conv2", 9.0)}
    pruning = Pruning(model, optimizer, DNS(strength=0.0), GuideRules(floor=0.0, spare=0.0), outlooks, prune_steps=20)
    assert pruning.layers["fc"].pressure == 1.0
    small, large = pruning.layers["conv1"], pruning.layers["conv2"]
    assert large.pressure == pytest.approx(3 * small.pressure)
    assert float(small.tensors["low"]) == pytest.approx(0.9 * small.pressure * float(small.original.abs().mean()))


def test_gsl_restores_the_dense_weights_of_a_layer_that_does_not_get_there(torch, task):
    model, optimizer, train = task()
    train(20)
    outlooks = {"conv2": outlook("conv2", slope=8.0)}
    assert outlooks["conv2"].useful.high < 0.2
    before = model.conv2.weight.detach().clone()
    rules = GuideRules(period=10, stable_checks=2, stable_change=0.5)
    pruning = Pruning(model, optimizer, L1(strength=1e-3, threshold=1e-2), rules, outlooks, prune_steps=100)
    while pruning.guide.states["conv2"] is State.PRUNING:
        train(1)
    assert torch.equal(model.conv2.weight.detach(), before)
    assert not optimizer.state[model.conv2.weight]["momentum_buffer"].any()
    assert pruning.log[-1].state is State.RESTORED and pruning.log[-1].density > outlooks["conv2"].useful.high
    train(100)
    assert pruning.finish()["conv2"] == 1.0


@pytest.mark.parametrize("hold", ["floor", "auto"])
def test_a_stopped_layer_goes_on_splicing_but_does_not_fall(torch, task, hold):
    model, optimizer, train = task()
    outlooks = {"conv2": measured_outlook("conv2", 1.0, {0.1: 0.3, 0.5: 0.31, 1.0: 2.0})}
    rules = GuideRules(period=4, bound_checks=1, hold=hold)
    pruning = Pruning(model, optimizer, DNS(strength=1.0, gamma=0.0), rules, outlooks, prune_steps=60)
    train(4)
    assert pruning.guide.states["conv2"] is State.STOPPED
    layer = pruning.layers["conv2"]
    first, least = layer.mask.clone(), layer.least
    train(40)
    assert int(layer.mask.sum()) >= least and not torch.equal(layer.mask, first)


@pytest.mark.parametrize("guide", [GuideRules(period=4), Budget(target=0.5, period=4)])
def test_surgery_overshoots_no_further_than_the_guide_lets_a_layer_come_down(torch, task, guide):
    model, optimizer, train = task()
    outlooks = {"conv2": measured_outlook("conv2", 1.0, {0.1: 0.3, 0.5: 0.31, 1.0: 2.0})}
    pruning = Pruning(model, optimizer, DNS(strength=3.0, gamma=0.0), guide, outlooks, prune_steps=60)
    low = pruning.guide.target("conv2", 0.0)
    unguided = DNS(strength=3.0).low * float((w := model.conv2.weight.detach().abs()).mean() + 3 * w.std(correction=0))
    assert low > 0.2 and float((w >= unguided).float().mean()) < 0.1, "the pruner alone goes far below the guide's end"
    for _ in range(60):
        train(1)
        assert pruning.densities["conv2"] >= low - 1 / model.conv2.weight.numel()
    assert pruning.guide.states["conv2"] is State.STOPPED and pruning.densities["conv2"] == pytest.approx(low, abs=0.01)


@pytest.mark.parametrize("target", [0.5, 0.3, 0.2])
@pytest.mark.parametrize("name", ["gmp", "dns", "l1"])
def test_budget_meets_its_target(torch, task, name, target):
    model, optimizer, train = task()
    train(50)
    outlooks = {"conv1": outlook("conv1", 0.3), "conv2": outlook("conv2")}
    pruner = {"l1": L1(strength=2e-2, threshold=1e-2), "dns": DNS(strength=2.0)}.get(name, PRUNERS[name])
    pruning = Pruning(model, optimizer, pruner, Budget(target=target, period=5), outlooks, prune_steps=150)
    train(200)
    densities = pruning.finish()
    got = pruning.guide.seconds(densities) / pruning.guide.dense_s
    assert got == pytest.approx(target, rel=0.05), (densities, pruning.log)


def test_going_on_from_a_saved_state_gives_the_same_bits(torch, task):
    for pruner in (
        GMP(density=0.2, every=5),
        DNS(),
        L1(strength=3e-3, threshold=5e-3, factor=4),
        Movement(density=0.3),
        RigL(density=0.2, every=7),
    ):
        outlooks = {"conv2": outlook("conv2")}
        model, optimizer, train = task()
        pruning = Pruning(model, optimizer, pruner, GuideRules(period=10), outlooks, prune_steps=40, seed=9)
        train(23)
        file = io.BytesIO()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "pruning": pruning.state_dict()}, file)
        train(37)
        other, optimizer2, train2 = task()
        again = Pruning(other, optimizer2, pruner, GuideRules(period=10), outlooks, prune_steps=40, seed=9)
        file.seek(0)
        saved = torch.load(file, weights_only=True)
        other.load_state_dict(saved["model"])
        optimizer2.load_state_dict(saved["optimizer"])
        again.load_state_dict(saved["pruning"])
        train2(37)
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True)), pruner
        assert again.log == pruning.log


def test_a_state_of_another_run_is_refused(torch, task):
    model, optimizer, _ = task()
    saved = Pruning(model, optimizer, GMP(), prune_steps=40).state_dict()
    with pytest.raises(InputError, match="prune_steps is 50; the checkpoint has 40"):
        Pruning(model, optimizer, GMP(), prune_steps=50).load_state_dict(saved)


def test_amp_with_a_scaler(torch, task):
    model, optimizer, _ = task()
    pruning = Pruning(model, optimizer, GMP(density=0.3, every=1), prune_steps=5)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    images, labels = torch.randn(8, 1, 10, 10), torch.zeros(8, dtype=torch.long)
    for step in range(6):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(model(images).float(), labels)
        scaler.scale(loss * (float("inf") if step == 2 else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()
    assert pruning.step == 5, "a skipped step does not count"
    assert pruning.finish()["conv2"] == pytest.approx(0.3, abs=0.01)


def test_torch_prune_state_goes_in_and_out(torch, task):
    from gsl.layers import export_torch_prune, import_torch_prune

    model, optimizer, _ = task()
    torch.nn.utils.prune.l1_unstructured(model.conv2, "weight", amount=0.5)
    expected = model.conv2.weight.detach().clone()
    with pytest.raises(InputError, match="layer 'conv2' is masked by torch"):
        Pruning(model, optimizer, GMP(), prune_steps=5)
    masks = import_torch_prune(model)
    assert set(masks) == {"conv2"} and torch.equal(model.conv2.weight.detach(), expected)
    export_torch_prune(model)
    assert torch.equal(model.conv2.weight_mask.bool(), masks["conv2"]) and torch.equal(model.conv2.weight.detach(), expected)
    assert not hasattr(model.conv1, "weight_mask")


def test_a_layer_pruned_to_nothing_is_an_error(torch, task):
    model, optimizer, train = task()
    Pruning(model, optimizer, L1(strength=0.0, threshold=100.0), prune_steps=20)
    with pytest.raises(InputError, match="layer 'conv1' has no weight left at step 20 of 20"):
        train(20)


def test_models_and_optimisers_that_do_not_fit_are_refused(torch, task):
    model, optimizer, _ = task()
    with pytest.raises(InputError, match="ReLU has no Conv2d or Linear layer"):
        Pruning(torch.nn.ReLU(), optimizer, GMP(), prune_steps=5)
    with pytest.raises(InputError, match="does not train the weight of layer 'conv1'"):
        Pruning(model, torch.optim.SGD(model.fc.parameters(), lr=0.1), GMP(), prune_steps=5)
    with pytest.raises(InputError, match="prune_steps is 0"):
        Pruning(model, optimizer, GMP(), prune_steps=0)


def test_trace_gives_each_convolution_as_a_problem(torch):
    from torch import nn

    model = nn.Sequential(nn.Conv2d(4, 6, (3, 5), stride=2, padding=(1, 2), groups=2, dilation=(2, 1)), nn.ReLU(), nn.Conv2d(6, 8, 1))
    problems = gsl.trace_problems(model, (4, 20, 21), batch=3)
    assert list(problems) == ["0", "2"]
    p = problems["0"]
    assert (p.g, p.mb, p.ic, p.ih, p.iw, p.oc, p.oh, p.ow) == (2, 3, 4, 20, 21, 6, 9, 11)
    assert (p.kh, p.kw, p.sh, p.sw, p.ph, p.pw, p.dh, p.dw) == (3, 5, 2, 2, 1, 2, 1, 0)
    assert p.weight_shape == tuple(model[0].weight.shape)
