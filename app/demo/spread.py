"""How many of a total fall to each: few get much, most get little. Pure arithmetic for the filling."""

from collections.abc import Sequence


def zipf(count: int, *, exponent: float) -> list[float]:
    """Return weights that fall with the rank as in Zipf's law, flattened a little at the top (Mandelbrot)."""
    return [(rank + 2.7) ** -exponent for rank in range(1, count + 1)]


def spread(total: int, weights: Sequence[float], *, most: int) -> list[int]:
    """Divide `total` in proportion to the weights, nobody getting more than `most`.

    Raises ValueError when there is not room for all.
    """
    if total > most * len(weights):
        raise ValueError(f"{total} do not fit into {len(weights)} times {most}")
    scale = _scale(total, weights, most)
    shares = [min(most, int(weight * scale)) for weight in weights]
    left = total - sum(shares)
    while left > 0:
        for index, share in enumerate(shares):
            if left > 0 and share < most:
                shares[index] += 1
                left -= 1
    return shares


def _scale(total: int, weights: Sequence[float], most: int) -> float:
    """Return the factor with which the shares add up to `total` when those above `most` are cut to it."""
    left, rest = total, sum(weights)
    for weight in sorted(weights, reverse=True):
        if weight * left <= most * rest:
            return left / rest
        left, rest = left - most, rest - weight
    return 0.0
