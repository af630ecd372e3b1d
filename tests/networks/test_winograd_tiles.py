"""The 3x3 convolution of few multiplications gives the sums of the plain one."""

from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional as F

from carsynth.networks import winograd_tiles
from carsynth.networks.winograd_tiles import conv3x3, tiles_pay


@pytest.fixture
def written_out() -> Iterator[None]:
    """The sums as they are written, not compiled: faster for a few small ones."""
    with torch.compiler.set_stance("force_eager"):
        yield


@pytest.fixture
def multiplications(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of every matrix product from here on."""
    seen: list[int] = []
    product = winograd_tiles._product

    def counted(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        seen.append(rows.numel() * len(columns))
        return product(rows, columns)

    monkeypatch.setattr(winograd_tiles, "_product", counted)
    return seen


def operands(height: int, width: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """An input of 6 channels with its border, and weights to 5."""
    torch.manual_seed(0)
    x = torch.randn(2, 6, height + 2, width + 2, dtype=dtype, requires_grad=True)
    return x, torch.randn(5, 6, 3, 3, dtype=dtype, requires_grad=True)


@pytest.mark.usefixtures("written_out")
@pytest.mark.parametrize("size", [(2, 2), (4, 6), (8, 2)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_a_convolution(size: tuple[int, int], layout: torch.memory_format) -> None:
    x, weight = (
        t.detach().contiguous(memory_format=layout) for t in operands(*size, torch.float64)
    )
    x.requires_grad_(), weight.requires_grad_()
    ours, plain = conv3x3(x, weight), F.conv2d(x, weight)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-13)
    direction = torch.randn_like(plain).contiguous(memory_format=layout)
    of_ours = torch.autograd.grad(ours, (x, weight), direction)
    of_plain = torch.autograd.grad(plain, (x, weight), direction)
    torch.testing.assert_close(of_ours, of_plain, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("written_out")
def test_what_the_compiler_is_told_of_it_is_true() -> None:
    torch.library.opcheck(conv3x3, operands(4, 6, torch.float64))


def test_compiled_sums_are_the_written_ones() -> None:
    x, weight = operands(4, 6, torch.float64)
    torch.testing.assert_close(conv3x3(x, weight), F.conv2d(x, weight), rtol=0, atol=1e-13)


@pytest.mark.usefixtures("written_out")
def test_it_takes_4_multiplications_for_9(multiplications: list[int]) -> None:
    x, weight = operands(8, 6, torch.float64)
    conv3x3(x, weight)
    plain = weight.numel() * len(x) * 8 * 6
    assert sum(multiplications) * 9 == plain * 4


@pytest.mark.usefixtures("written_out")
@pytest.mark.parametrize("onednn", [True, False])
def test_in_float32_its_error_is_of_the_plain_sums_size(
    onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if onednn and not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        pytest.skip("this torch has no oneDNN")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
    torch.manual_seed(0)
    x, weight = torch.randn(2, 256, 18, 18), torch.randn(64, 256, 3, 3)
    exact = F.conv2d(x.double(), weight.double())
    error = (conv3x3(x, weight) - exact).norm()
    plain = (F.conv2d(x, weight) - exact).norm()
    assert 0 < error < 4 * plain


@pytest.mark.usefixtures("written_out")
def test_a_gradient_that_nobody_asks_for_is_not_computed(multiplications: list[int]) -> None:
    x, weight = operands(4, 4, torch.float64)
    conv3x3(x, weight.detach()).sum().backward()
    conv3x3(x.detach(), weight).sum().backward()
    assert len(multiplications) == 4 * 16  # of two forward passes and one gradient each


def test_it_is_for_compiled_code_and_wide_even_layers() -> None:
    wide, narrow = torch.empty(512, 512, 3, 3), torch.empty(512, 64, 3, 3)

    def pays(weight: torch.Tensor, size: tuple[int, int], dtype: torch.dtype) -> bool:
        found: list[bool] = []

        @torch.compile(backend="eager")
        def ask(x: torch.Tensor) -> torch.Tensor:
            found.append(tiles_pay(x, weight.to(dtype)))
            return x + 1

        ask(torch.empty(1, weight.shape[1], *size, dtype=dtype))
        return found[0]

    assert not tiles_pay(torch.empty(1, 512, 6, 6), wide)
    assert pays(wide, (6, 8), torch.float32)
    assert pays(wide, (6, 8), torch.float64)
    assert not pays(wide, (6, 8), torch.bfloat16)
    assert not pays(wide, (6, 7), torch.float32)
    assert not pays(wide, (7, 8), torch.float32)
    assert not pays(narrow, (6, 8), torch.float32)
