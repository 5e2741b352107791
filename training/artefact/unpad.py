"""The same graph without padding: what concerns each token by itself is worked out for the tokens that there are.

Texts of a batch are padded to the longest. Products with weights, normalizations and activations, which are most of the
work, take each token by itself; attention and pooling alone read across the tokens of a text. So the states of all
tokens stand one below the other, [tokens, width], and are laid out as [texts, longest, ...] where something reads
across. In the places of padding then stand states of other tokens: whatever reads across masks them, as it had to
before. And the heads of attention are parted and put together again by the same steps that lay out and collect.
Source: Zhai and others, ByteTransformer: A High-Performance Transformer Boosted for Variable-Length Inputs (2023),
"zero padding".
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import helper

from training.artefact.graphs import Shapes, Size, drop_unread, inferred, read_by
from training.artefact.token_places import OWN, TokenPlaces

_MASK = "attention_mask"
# Each element of what these make depends on the same element of what they read, and on constants.
_ELEMENTWISE = frozenset(
    {"Abs", "Add", "Cast", "Div", "Erf", "Gelu", "Mul", "Neg", "Pow", "Relu", "Sigmoid", "Sqrt", "Sub", "Tanh"}
)
_HEADS_FIRST = [0, 2, 1, 3]  # [texts, tokens, heads, width] <-> [texts, heads, tokens, width]
_KEYS = [0, 2, 3, 1]  # [texts, tokens, heads, width] -> [texts, heads, width, tokens]


def unpad(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model that computes the same for every token that is not masked; what it says of the others is arbitrary.

    It must mask what it reads across tokens right where it reads: where steps that take each token by itself come in
    between, other tokens would be read in the places of padding, as `check_agreement` finds out. A model whose sizes
    cannot be inferred, or that knows no `attention_mask` of int64 [texts, longest], stays as it was.
    """
    found = onnx.ModelProto()
    found.CopyFrom(model)
    shapes = inferred(found)
    kinds = [value.type.tensor_type.elem_type for value in found.graph.input if value.name == _MASK]
    if kinds == [onnx.TensorProto.INT64] and len(shapes.get(_MASK, ())) == 2:
        _Unpadding(found.graph, shapes).write()
        helper.set_model_props(found, {**{one.key: one.value for one in found.metadata_props}, "padding": "left out"})
    return found


class _Unpadding:
    """Goes through a graph once. What is worked out for real tokens only has a name of its own."""

    def __init__(self, graph: onnx.GraphProto, shapes: Shapes) -> None:
        self._graph = graph
        self._shapes = shapes
        self._axes = shapes[_MASK]
        self._constants = {one.name: list(one.dims) for one in graph.initializer}
        self._writers = {name: node for node in graph.node for name in node.output}
        self._nodes: list[onnx.NodeProto] = []
        self._places = TokenPlaces(graph, self._nodes, _MASK)
        self._reshapes: set[str] = set()
        self._bare: set[str] = set()  # values that are worked out for real tokens only
        self._collected: set[str] = set()  # values with padding whose real tokens were collected as well
        self._laid_out: set[str] = set()  # those of `_bare` that stand with padding as well
        # Reshapes of such values to heads, so many and so wide, while nothing reads them.
        self._parted: dict[str, tuple[onnx.NodeProto, int, int]] = {}

    def write(self) -> None:
        """Put the nodes of the graph."""
        for node in self._graph.node:
            if self._takes_each_token(node):
                self._add_bare(node)
            elif node.op_type == "Reshape" and node.input[0] in self._bare and (heads := self._heads(node.output[0])):
                self._parted[node.output[0]] = (node, *heads)
            elif node.input and node.input[0] in self._parted and _order(node) in (_HEADS_FIRST, _KEYS):
                self._lay_out_heads(node)
            else:
                for name in read_by(node):
                    self._lay_out(name)
                self._nodes.append(node)
        for output in self._graph.output:
            self._lay_out(output.name)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        del self._graph.value_info[:]  # of values that are no more
        drop_unread(self._graph)

    def _takes_each_token(self, node: onnx.NodeProto) -> bool:
        if not all(self._is_states(name) for name in node.output):
            return False
        first = node.input[0]
        match node.op_type:
            case "MatMul":
                return self._is_states(first) and len(self._constants.get(node.input[1], ())) == 2
            case "LayerNormalization":
                own = all(map(self._is_for_all, node.input[1:]))
                return self._is_states(first) and own and _axis(node) in (-1, 2)
            case "Split":
                return first in self._bare and _axis(node) in (-1, 2)
        if node.op_type not in _ELEMENTWISE:
            return False
        states = [name for name in node.input if not self._is_for_all(name)]
        # A sum of what has no padding with what has some is worth nothing in the places of padding; a product may be
        # what makes it nothing.
        bare = self._bare | self._collected if node.op_type in ("Add", "Sub") else self._bare
        return all(name in bare for name in states) and any(name in self._bare for name in states)

    def _is_states(self, name: str) -> bool:
        """[texts, longest, width]"""
        shape = self._shapes.get(name, ())
        return len(shape) == 3 and list(shape[:2]) == self._axes and isinstance(shape[2], int)

    def _is_for_all(self, name: str) -> bool:
        """One number or one row of them, the same for each token."""
        shape: Sequence[Size] | None = self._constants.get(name, self._shapes.get(name))
        return shape is not None and len(shape) <= 1 and all(isinstance(size, int) for size in shape)

    def _heads(self, name: str) -> tuple[int, int] | None:
        """Of [texts, longest, heads, width]: heads and width."""
        shape = self._shapes.get(name, ())
        if len(shape) == 4 and list(shape[:2]) == self._axes:
            heads, width = shape[2:]
            if isinstance(heads, int) and isinstance(width, int):
                return heads, width
        return None

    def _add_bare(self, node: onnx.NodeProto) -> None:
        new = onnx.NodeProto()
        new.CopyFrom(node)
        for place, name in enumerate(node.input):
            if self._is_states(name):
                new.input[place] = self._tokens(name)
        for place, name in enumerate(node.output):
            new.output[place] = _tokens_of(name)
        for attribute in new.attribute:
            if attribute.name == "axis":
                attribute.i = -1
        self._bare.update(node.output)
        self._nodes.append(new)

    def _tokens(self, name: str) -> str:
        """The states of real tokens, [tokens, width]."""
        found = _tokens_of(name)
        if name in self._bare or name in self._collected:
            return found
        self._collected.add(name)
        for reshape in self._written_by(name, "Reshape"):
            for transpose in self._written_by(reshape.input[0], "Transpose"):
                heads = self._heads(reshape.input[0])
                if heads and _order(transpose) == _HEADS_FIRST:
                    count, width = heads
                    each = self._reshaped(transpose.input[0], width)
                    self._add("Gather", [each, self._places.rows_of_heads(count)], f"{found}, by head")
                    whole = self._places.constant([-1, count * width])
                    self._add("Reshape", [f"{found}, by head", whole], found)
                    return found
        rows = self._reshaped(name, int(self._shapes[name][2]))
        self._add("Gather", [rows, self._places.rows()], found)
        return found

    def _written_by(self, name: str, operator: str) -> list[onnx.NodeProto]:
        writer = self._writers.get(name)
        return [writer] if writer is not None and writer.op_type == operator else []

    def _lay_out(self, name: str) -> None:
        """See to it that a value is there with padding."""
        if name in self._parted:
            node, _, _ = self._parted.pop(name)
            self._lay_out(node.input[0])
            self._nodes.append(node)
        elif name in self._bare and name not in self._laid_out:
            self._laid_out.add(name)
            self._add("Gather", [_tokens_of(name), self._places.places()], name)

    def _lay_out_heads(self, node: onnx.NodeProto) -> None:
        """What was parted and then turned is laid out by head at once."""
        parted, count, width = self._parted[node.input[0]]
        found = node.output[0]
        each = self._reshaped(_tokens_of(parted.input[0]), width)
        turned = _order(node) == _KEYS
        rows = f"{OWN}{found}, rows" if turned else found
        self._add("Gather", [each, self._places.places_of_heads(count)], rows)
        if turned:
            self._nodes.append(
                helper.make_node("Transpose", [rows], [found], name=f"{OWN}making {found}", perm=[0, 1, 3, 2])
            )

    def _reshaped(self, name: str, width: int) -> str:
        """[rows, width]"""
        found = f"{OWN}{name}, rows of {width}"
        if found not in self._reshapes:
            self._reshapes.add(found)
            self._add("Reshape", [name, self._places.constant([-1, width])], found)
        return found

    def _add(self, operator: str, inputs: Sequence[str], output: str) -> None:
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=f"{OWN}making {output}"))


def _tokens_of(name: str) -> str:
    return f"{OWN}tokens of {name}"


def _axis(node: onnx.NodeProto) -> int:
    """-1 where nothing else is said, as for LayerNormalization; for Split that would be 0."""
    default = 0 if node.op_type == "Split" else -1
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "axis"), default)


def _order(node: onnx.NodeProto) -> list[int]:
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), [])
