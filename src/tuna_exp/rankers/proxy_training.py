"""Train a proxy: rankings in, a classifier's Hugging Face folder and its agreement out.

Loss: -log sigmoid(s_i - s_j) for each pair in which i is ranked above j (Bradley and Terry, 1952),
averaged over the pairs of a set and the sets of a step. A fifth of the labelled sets is held out
and tells how far the proxy can be trusted. Left out: stopping early by it, which would make it
look better than it is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from lightning import Trainer, seed_everything
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import Dataset

from tuna_exp.batching.order import ResumableLoader
from tuna_exp.comparison.statistics import count_pairs
from tuna_exp.efficiency.flops import ModelShape, responses, training
from tuna_exp.errors import DataError
from tuna_exp.losses.formulas import advantage, mean_over_pairs
from tuna_exp.models.classifier import Encoded, Reader, logits
from tuna_exp.models.loading import load_classifier
from tuna_exp.objectives.base import Trainable
from tuna_exp.parallel.launched import ALONE
from tuna_exp.plan import Workspace
from tuna_exp.rankers.proxy import Proxy
from tuna_exp.records import RankedExample, read_records
from tuna_exp.stages.checkpoints import Checkpoints, fit_on
from tuna_exp.stages.rank import RANKING
from tuna_exp.stages.train import CHECKPOINT, ShowProgress

HELD_OUT = 0.2  # share of the labelled sets


@dataclass(frozen=True)
class ReadSet:
    """The responses of one set as the classifier reads them, with their ranks."""

    texts: list[Encoded]
    ranks: list[int]

    @property
    def ordered(self) -> bool:
        """Whether two of them differ in rank."""
        return len(set(self.ranks)) > 1


@dataclass
class ProxyBatch:
    """Sets of one optimizer step: inputs (P, L) of all responses, index_BN (B, N) into them,
    rank_BN (B, N) and mask_BN (B, N), true where a response is.
    """

    inputs: dict[str, Tensor]
    index_BN: Tensor
    rank_BN: Tensor
    mask_BN: Tensor


class ProxyBatches(Dataset[ProxyBatch]):
    """The batches of all epochs, each epoch in an order of its own, drawn from a seed."""

    def __init__(
        self, sets: Sequence[ReadSet], reader: Reader, size: int, epochs: int, seed: int
    ) -> None:
        self.sets = sets
        self.reader = reader
        self.plan = [part for epoch in range(epochs) for part in self._epoch(size, seed, epoch)]

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> ProxyBatch:
        some = [self.sets[i] for i in self.plan[index]]
        width = max(len(one.ranks) for one in some)
        index_BN = torch.zeros(len(some), width, dtype=torch.long)
        rank_BN, mask_BN = torch.zeros_like(index_BN), torch.zeros_like(index_BN).bool()
        start = 0
        for b, one in enumerate(some):
            count = len(one.ranks)
            index_BN[b, :count] = torch.arange(start, start + count)
            rank_BN[b, :count] = torch.tensor(one.ranks)
            mask_BN[b, :count] = True
            start += count
        inputs = self.reader.padded([text for one in some for text in one.texts])
        return ProxyBatch(inputs, index_BN, rank_BN, mask_BN)

    def _epoch(self, size: int, seed: int, epoch: int) -> Iterator[list[int]]:
        order = list(range(len(self.sets)))
        Random(f"{seed}/{epoch}").shuffle(order)
        return (order[i : i + size] for i in range(0, len(order), size))


class ProxyModule(Trainable):
    """The classifier with the pairwise logistic loss."""

    def training_step(self, batch: ProxyBatch, batch_idx: int) -> Tensor:
        """Return the scalar loss of a step."""
        logit_P = self.model(**batch.inputs).logits[:, 0]
        score_BN = logit_P[batch.index_BN]
        loss = pairwise_logistic(score_BN, batch.rank_BN, batch.mask_BN).mean()
        self.log("loss", loss.detach(), batch_size=len(score_BN))
        return loss


def pairwise_logistic(score_BN: Tensor, rank_BN: Tensor, mask_BN: Tensor) -> Tensor:
    """Return the mean of -log sigmoid(s_i - s_j) over each set's ordered pairs, (B, N) to (B,)."""
    return mean_over_pairs(-F.logsigmoid(advantage(score_BN)), rank_BN, mask_BN)


def train_proxy(proxy: Proxy, work: Workspace) -> None:
    """Train a classifier on the input `ranking` and write it to `checkpoint`.

    Notes `held_out_agreement`: the share of pairs that the labels order, in sets held out, which
    the proxy orders alike, equal scores half; None where there is no such pair. Responses that are
    too long for the classifier are left out and counted. Raises DataError without any order.
    """
    examples = list(read_records(work.inputs["ranking"] / RANKING, RankedExample))
    seed_everything(proxy.seed, workers=True, verbose=False)  # the head is drawn here
    folder = proxy.base.resolve()
    reader = Reader.of(load_classifier(folder, "float32", True), folder, proxy.max_length)
    sets = [read_set(reader, example) for example in examples]
    ordered = [one for one in sets if one.ordered]
    Random(f"{proxy.seed}/held out").shuffle(ordered)
    kept = round(HELD_OUT * len(ordered))
    held_out, taught = ordered[:kept], ordered[kept:]
    if not taught:
        raise DataError(
            f"no two responses of any of {len(sets)} labelled sets have an order that the proxy "
            "could learn. Cure: a higher ranker.share or ranker.max_length, or another "
            "ranker.labels."
        )
    fit(proxy, reader, taught, work)
    reader.model.save_pretrained(work.folder / CHECKPOINT)
    reader.tokenizer.save_pretrained(work.folder / CHECKPOINT)
    read = [len(text["input_ids"]) for one in taught for text in one.texts]
    work.note(
        labelled_sets=len(sets),
        trained_sets=len(taught),
        too_long=sum(len(e.responses) for e in examples) - sum(len(s.ranks) for s in sets),
        trained_tokens=sum(read) * proxy.training.epochs,
        flops=flops_of(proxy, read),
        held_out_sets=len(held_out),
        **agreement(reader, held_out, proxy.batch_size),
    )


def flops_of(proxy: Proxy, lengths: Sequence[int]) -> float | None:
    """Return the operations of training on texts of such lengths; None for a base unlike others."""
    shape = ModelShape.of_folder(proxy.base.resolve())
    if shape is None:
        return None
    works = [responses(n, [], shared=True) for n in lengths]
    return proxy.training.epochs * training(shape, works, 1.0)


def read_set(reader: Reader, example: RankedExample) -> ReadSet:
    """Return the responses that the classifier can read."""
    encoded = [(reader.encode(example.instruction, r.text), r.rank) for r in example.responses]
    fitting = [(text, rank) for text, rank in encoded if not reader.is_too_long(text)]
    return ReadSet([text for text, _ in fitting], [rank for _, rank in fitting])


def fit(proxy: Proxy, reader: Reader, sets: Sequence[ReadSet], work: Workspace) -> None:
    """Train, from the last checkpoint of a killed attempt if there is one."""
    training = proxy.training
    make_optimizer = partial(training.optimizer, lr=training.learning_rate)
    module = ProxyModule(reader.model, make_optimizer, training.schedule)
    loader = ResumableLoader(ProxyBatches(sets, reader, training.sets, training.epochs, proxy.seed))
    keeper = Checkpoints(
        work.scratch / "checkpoints", training.checkpoint_minutes, training.checkpoint_steps
    )
    trainer: Trainer = training.trainer(
        callbacks=[keeper, ShowProgress(work.bar)],
        logger=CSVLogger(work.folder / "logs", name="proxy"),
        default_root_dir=str(work.folder),
        enable_checkpointing=False,  # of Lightning's own accord
        **ALONE,
    )
    module.total_steps = len(loader) // trainer.accumulate_grad_batches
    fit_on(trainer, module, loader, keeper)


def agreement(reader: Reader, sets: Sequence[ReadSet], together: int) -> dict[str, Any]:
    """Return pairs that the labels order and the share that the classifier orders alike."""
    texts = [text for one in sets for text in one.texts]
    movable: Any = reader.model
    movable.to("cuda" if torch.cuda.is_available() else "cpu")
    scores = iter(reader.read(texts, together, logits)[:, 0].tolist() if texts else ())
    counts = [
        count_pairs([next(scores) for _ in one.ranks], [-float(rank) for rank in one.ranks])
        for one in sets
    ]
    pairs = sum(count.ordered for count in counts)
    share = sum(count.credit for count in counts) / pairs if pairs else None
    return {"held_out_pairs": pairs, "held_out_agreement": share}
