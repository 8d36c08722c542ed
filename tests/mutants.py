"""Mutants: one small change each to a condition, a number or a severity of a function."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
SEVERITIES = {"CRITICAL": "WARNING", "WARNING": "NOTE", "NOTE": "WARNING"}
Key = tuple[int, int, str]


@dataclass(frozen=True)
class Mutant:
    """One change: in which function, where, and which."""

    function: str
    line: int
    column: int
    kind: str
    """Type of the node that is changed."""
    change: str
    what: str

    def applied(self, tree: ast.Module) -> ast.Module:
        """Give the tree with the change made in it."""
        changer = _Changer(self)
        changed: ast.Module = changer.visit(tree)
        assert changer.done, f"there is no {self.what}"
        return ast.fix_missing_locations(changed)


class _Changer(ast.NodeTransformer):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self.done = False

    def visit(self, node: ast.AST) -> Any:
        wanted = self._mutant
        at = (getattr(node, "lineno", 0), getattr(node, "col_offset", 0), type(node).__name__)
        if not self.done and at == (wanted.line, wanted.column, wanted.kind):
            made = _changed(node, wanted.change)
            if made is not None:
                self.done = True
                return made
        return self.generic_visit(node)


def _changed(node: ast.AST, change: str) -> ast.AST | None:
    verb, _, number = change.partition(" ")
    match node, verb:
        case ast.Compare(), "negate":
            node.ops[0] = NEGATED[type(node.ops[0])]()
            return node
        case ast.BoolOp(), "drop":
            del node.values[int(number)]
            return node if len(node.values) > 1 else node.values[0]
        case ast.UnaryOp(), "affirm":
            return node.operand
        case ast.Constant(value=int() | float() as value), "more":
            return ast.Constant(value + 1)
        case ast.Constant(), "flip":
            return ast.Constant(not node.value)
        case ast.Attribute(), "other":
            node.attr = SEVERITIES[node.attr]
            return node
        case ast.expr(), "deny":
            return ast.UnaryOp(ast.Not(), node)
    return None


def mutants_of(tree: ast.Module) -> Iterator[Mutant]:
    """List every change to the functions of a module, methods included, each once."""
    for name, function in _functions(tree, ""):
        seen: set[tuple[int, int, str, str]] = set()
        for node, change in _changes(function):
            at = (node.lineno, node.col_offset, type(node).__name__, change)
            if at not in seen:
                seen.add(at)
                text = " ".join(ast.unparse(node).split())[:70]
                yield Mutant(name, node.lineno, node.col_offset, type(node).__name__, change, f"{change}: {text}")


def _functions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield f"{prefix}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")


def _changes(function: ast.FunctionDef) -> Iterator[tuple[ast.expr, str]]:
    worded = {
        id(part)
        for node in ast.walk(function)
        if isinstance(node, ast.JoinedStr | ast.Slice)
        for part in ast.walk(node)
    }
    for statement in function.body:
        for node in ast.walk(statement):
            if id(node) not in worded:
                yield from _changes_of(node)


def _changes_of(node: ast.AST) -> Iterator[tuple[ast.expr, str]]:
    match node:
        case ast.Compare():
            yield node, "negate"
        case ast.BoolOp():
            yield from ((node, f"drop {number}") for number in range(len(node.values)))
        case ast.UnaryOp(op=ast.Not()):
            yield node, "affirm"
        case ast.Constant(value=bool()):
            yield node, "flip"
        case ast.Constant(value=int() | float()):
            yield node, "more"
        case ast.Attribute(value=ast.Name(id="Severity")):
            yield node, "other"
        case ast.If() | ast.IfExp() | ast.While():
            yield from _denied(node.test)
        case ast.comprehension():
            for each in node.ifs:
                yield from _denied(each)


def _denied(test: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    if isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr):
        yield test, "deny"
