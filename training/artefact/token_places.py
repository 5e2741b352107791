"""Where the real tokens of a padded batch stand, worked out in the graph from its mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

OWN = "unpadded/"  # begins the names of whatever is added to a graph


class TokenPlaces:
    """Indices, each added to `nodes` when it is first asked for; constants go to the graph. Methods return names.

    Texts are rows of a batch, `longest` the tokens of the longest of them, `tokens` all that are not masked.
    """

    def __init__(self, graph: onnx.GraphProto, nodes: list[onnx.NodeProto], mask: str) -> None:
        self._graph = graph
        self._nodes = nodes
        self._mask = mask
        self._made: set[str] = set()

    def rows(self) -> str:
        """[tokens]: where in [texts x longest] each real token stands."""
        real = self._once("NonZero", [self._flat_mask()], "real")  # [1, tokens]
        return self._once("Reshape", [real, self.constant([-1])], "rows")

    def places(self) -> str:
        """[texts, longest]: which of the real tokens stands there; in the places of padding, any."""
        counted = self._once("CumSum", [self._flat_mask(), self.constant(0)], "counted")
        in_order = self._once("Sub", [counted, self.constant(1)], "in order")
        return self._once("Reshape", [in_order, self._sizes()], "places")

    def rows_of_heads(self, heads: int) -> str:
        """[tokens, heads]: where in [texts x heads x longest] each head of each real token stands."""
        longest = self._once("Gather", [self._sizes(), self.constant([1])], "longest")
        text = self._once("Div", [self.rows(), longest], "text")
        begin = self._once("Mul", [text, longest], "begin")
        # text x heads x longest + head x longest + place in the text
        others = self._once("Mul", [begin, self.constant(heads - 1)], f"others of {heads}")
        first = self._once("Add", [self.rows(), others], f"first rows of {heads}")
        column = self._once("Unsqueeze", [first, self.constant([1])], f"column of {heads}")
        steps = self._once("Mul", [self.constant(range(heads)), longest], f"steps of {heads}")
        return self._once("Add", [column, steps], f"rows of {heads}")

    def places_of_heads(self, heads: int) -> str:
        """[texts, heads, longest]: which row of [tokens x heads] stands there; in the places of padding, any."""
        layer = self._once("Unsqueeze", [self.places(), self.constant([1])], "layer")
        first = self._once("Mul", [layer, self.constant(heads)], f"first places of {heads}")
        return self._once("Add", [first, self.constant([[head] for head in range(heads)])], f"places of {heads}")

    def constant(self, value: int | Sequence[int] | Sequence[Sequence[int]]) -> str:
        """Whole numbers."""
        array: npt.NDArray[np.int64] = np.asarray(value, dtype=np.int64)
        name = f"{OWN}{array.tolist()}"
        if name not in self._made:
            self._made.add(name)
            self._graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def _flat_mask(self) -> str:
        return self._once("Reshape", [self._mask, self.constant([-1])], "mask")

    def _sizes(self) -> str:
        return self._once("Shape", [self._mask], "sizes")

    def _once(self, operator: str, inputs: Sequence[str], output: str) -> str:
        name = f"{OWN}{output}"
        if name not in self._made:
            self._made.add(name)
            self._nodes.append(helper.make_node(operator, list(inputs), [name], name=name))
        return name
