import gc
import weakref

import torch

from dream_if.metrics.functional._sharing import KeptWork, share, shared_work


def _counting():
    calls = []

    @share
    def double(image, factor=2.0):
        calls.append(factor)
        return image * factor

    return double, calls


def test_without_the_block_nothing_is_remembered():
    double, calls = _counting()
    image = torch.ones(3)
    assert double(image) is not double(image)
    assert len(calls) == 2


def test_the_same_objects_share_and_equal_objects_do_not():
    double, calls = _counting()
    image = torch.ones(3)
    with shared_work():
        first = double(image)
        with shared_work():
            assert double(image) is first
        assert double(image) is first
        assert double(image.clone()) is not first
        assert double(image, factor=3.0).tolist() == [3, 3, 3]
        assert double(image, 4.0).tolist() == [4, 4, 4]
    assert calls == [2.0, 2.0, 3.0, 4.0]
    assert double(image) is not first


def test_temporary_arguments_are_not_confused_by_recycled_ids():
    double, _ = _counting()
    with shared_work():
        assert [double(torch.full((1,), float(k))).item() for k in range(50)] == [2.0 * k for k in range(50)]


def test_results_are_dropped_with_the_block_also_after_an_error():
    double, _ = _counting()
    try:
        with shared_work():
            result = weakref.ref(double(torch.ones(3)))
            raise RuntimeError
    except RuntimeError:
        gc.collect()
    assert result() is None


def test_work_on_the_sources_alone_is_kept_for_the_next_fused_image():
    double, calls = _counting()
    kept, (visible, infrared, other) = KeptWork(), (torch.ones(3) for _ in range(3))

    def doubled_twice(*images):
        return [double(double(image)) for image in images]

    with shared_work(kept.of(visible, infrared)):
        fused = torch.ones(3)
        first = doubled_twice(visible, infrared, fused)
    with shared_work(kept.of(visible, infrared)):
        again = doubled_twice(visible, infrared, fused)
    assert [a is b for a, b in zip(first, again, strict=True)] == [True, True, False]
    assert len(calls) == 8
    with shared_work(kept.of(visible, other)):
        assert double(visible) is not double(other)
    assert len(calls) == 10
    double(visible)
    assert len(calls) == 11


def test_what_is_kept_goes_with_other_sources():
    double, _ = _counting()
    kept = KeptWork()
    with shared_work(kept.of(torch.ones(3))):
        result = weakref.ref(double(next(iter(kept._tensors.values()))))
    gc.collect()
    assert result() is not None
    kept.of(torch.ones(3))
    gc.collect()
    assert result() is None
    with shared_work(kept):
        result = weakref.ref(double(next(iter(kept._tensors.values()))))
    kept.forget()
    gc.collect()
    assert result() is None
