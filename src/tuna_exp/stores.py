"""Several artifact folders as one: what is finished in any is found, what is new goes to the first.

Steps have the same digest wherever they were made, so runs that were made elsewhere, or whose
artifacts were moved, can be compared. Left out: copying between folders, which a comparison does
not need.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuna_exp.store import Artifact, Store

if TYPE_CHECKING:
    from tuna_exp.plan import Step


class Stores(Store):
    """The artifacts below several roots, the first of them for whatever is made."""

    def __init__(self, roots: Sequence[Path]) -> None:
        super().__init__(roots[0])
        self.others = [Store(root) for root in roots[1:]]

    @property
    def roots(self) -> list[Path]:
        """Return all folders, that for new artifacts first."""
        return [self.root, *(store.root for store in self.others)]

    def find(self, step: "Step") -> Artifact | None:
        """The finished artifact of a step in the first root that has it, or None."""
        found = (store.find(step) for store in self.others)
        return super().find(step) or next((artifact for artifact in found if artifact), None)
