"""Prompts that were run: the next token's logits, and keys and values to go on from."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache


@dataclass
class Reading:
    """P prompts; mask_PL (P, L) is 0 for padding, logits_PV (P, V) are those of the next token.

    The first `prefix` columns of the cache are alike in all prompts.
    """

    logits_PV: Tensor
    cache: DynamicCache
    mask_PL: Tensor
    prefix: int


def joined(parts: list[Reading], place_P: Tensor) -> Reading:
    """Return readings of one prefix as one, whose prompt i is the one at `place_P[i]` of all.

    The shorter ones are padded behind the prefix.
    """
    if len(parts) == 1:
        one = parts[0]
        one.cache.batch_select_indices(place_P)
        return Reading(one.logits_PV[place_P], one.cache, one.mask_PL[place_P], one.prefix)
    prefix, width = parts[0].prefix, max(part.mask_PL.shape[1] for part in parts)
    cache = DynamicCache()
    for i in range(len(parts[0].cache.layers)):
        layers: list[Any] = [part.cache.layers[i] for part in parts]
        key_PHLD = torch.cat([widened(layer.keys, 2, prefix, width) for layer in layers])
        value_PHLD = torch.cat([widened(layer.values, 2, prefix, width) for layer in layers])
        cache.update(key_PHLD[place_P], value_PHLD[place_P], i)
        for layer in layers:  # let go at once: two copies of all layers need not exist
            layer.keys = layer.values = None
    mask_PL = torch.cat([widened(part.mask_PL, 1, prefix, width) for part in parts])
    logits_PV = torch.cat([part.logits_PV for part in parts])
    return Reading(logits_PV[place_P], cache, mask_PL[place_P], prefix)


def widened(values: Tensor, dim: int, prefix: int, width: int) -> Tensor:
    """Return a tensor with zeros put in behind the prefix, so that `dim` is `width` long."""
    shape = list(values.shape)
    shape[dim] = width - values.shape[dim]
    start, rest = values.split([prefix, values.shape[dim] - prefix], dim)
    return torch.cat([start, values.new_zeros(shape), rest], dim)
