"""Where a source can be broken: its numeric constants and its comparisons, each with a wrong one to put in its place.

How wrong a constant has to be for a test to notice depends on what it is there for:

* An integer, an index or a count or an exponent, grows by 1, and 0 becomes 1e-3 where it is a float.
* A plain number is changed by a thousandth, one of ten and more digits, which are there for accuracy, in the fifth.
* A tiny one, an eps or the low word of another constant, acts through its size: it is doubled.
* A limit, where one formula takes over from another or a result stays what it is, has room by design; half of it has
  none. Limits are what a number is compared with, unless that is a small integer, a kink, and round numbers from 8 on.
* The terms of a minimax polynomial lose importance evenly, from the first, all of whose digits count, to the last,
  which is there for the last bit or two: the wrong part grows evenly likewise, until the last one is doubled.

Left alone are defaults of arguments, which are documented and compared with the documentation elsewhere, annotations,
decorators, checks that end in an exception, what a kernel is said to cost, and the 0 that jobs return and nobody reads.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

PLAIN, ACCURATE, TINY = 1e-3, 1e-5, 1e-6
#: Relative change of a polynomial's first coefficient, in float32 and in float64 formulas.
FIRST, FIRST_F64 = 1e-5, 1e-12
#: Decimal digits from which on a constant is one for accuracy, and the size of a round number that makes it a limit.
DIGITS, LIMIT = 10, 8
#: Keywords for nanoseconds, by which work is shared out among threads.
COSTS = ("work", "element", "line", "sample")
COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
}


@dataclass(frozen=True, order=True)
class Mutant:
    """One place of a file, and what to write there."""

    file: str  #: relative to the repository
    line: int
    column: int  #: in bytes, as ast counts
    old: str
    new: str
    text: str  #: the line as it is
    scope: tuple[str, ...]  #: what the module's statement defines in which the place is

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}  {self.old} -> {self.new}"

    @property
    def mutated(self) -> str:
        """The line as it becomes."""
        line, old = self.text.encode(), self.old.encode()
        return (line[: self.column] + self.new.encode() + line[self.column + len(old) :]).decode()

    def applied(self, source: str) -> str:
        """The source with this line changed."""
        lines = source.split("\n")
        if lines[self.line - 1] != self.text:
            raise ValueError(f"{self}: the source is another")
        lines[self.line - 1] = self.mutated
        return "\n".join(lines)


def find(file: str, root: Path = ROOT) -> list[Mutant]:
    """Every mutant of a source file, in its order."""
    source = (root / file).read_text(encoding="utf-8")
    lines = source.split("\n")
    return [
        Mutant(file, line, column, old, new, lines[line - 1], tuple(defined(statement)))
        for statement in ast.parse(source).body
        for line, column, old, new in sorted(_Changes(statement, source).found)
    ]


def defined(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module gives a value."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))


class _Changes(ast.NodeVisitor):
    """Walks a statement of a module and collects (line, column, old, new)."""

    def __init__(self, statement: ast.stmt, source: str):
        self.lines = [line.encode() for line in source.split("\n")]
        self.found: list[tuple[int, int, str, str]] = []
        self.first = FIRST_F64 if any(name.endswith("_f64") for name in defined(statement)) else FIRST
        self.limits: set[int] = set()
        self.visit(statement)

    def visit_Raise(self, node: ast.Raise) -> None:
        pass

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for child in node.body:
            self.visit(child)

    def visit_Return(self, node: ast.Return) -> None:
        if not (isinstance(node.value, ast.Constant) and node.value.value == 0):
            self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in COSTS:
            self.visit(node.value)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.body)

    def visit_If(self, node: ast.If) -> None:
        checks = isinstance(node.body[-1], ast.Raise)
        for child in node.orelse if checks else (node.test, *node.body, *node.orelse):
            self.visit(child)

    def visit_Call(self, node: ast.Call) -> None:
        if not (isinstance(node.func, ast.Name) and node.func.id == "horner"):
            self.generic_visit(node)
            return
        last = max(len(node.args) - 1, 1)
        for k, argument in enumerate(node.args):
            constant = argument.operand if isinstance(argument, ast.UnaryOp) else argument
            self._put(constant, repr(constant.value * (1 + self.first ** (1 - k / last))))

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """`20.0 if x > 20.0 else x`: a limit is one wherever it stands."""
        before = self.limits
        compared = [part for test in ast.walk(node.test) if isinstance(test, ast.Compare) for part in ast.walk(test)]
        self.limits = before | {id(part) for part in compared}
        values = {part.value for part in compared if isinstance(part, ast.Constant)}
        for branch in (node.body, node.orelse):
            bare = branch.operand if isinstance(branch, ast.UnaryOp) else branch
            if isinstance(bare, ast.Constant) and bare.value in values:
                self.limits.add(id(bare))
        self.generic_visit(node)
        self.limits = before

    def visit_Compare(self, node: ast.Compare) -> None:
        left, before = node.left, self.limits
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if type(operator) in COMPARISONS:
                self._put_comparison(left, right, *COMPARISONS[type(operator)])
            left = right
        self.limits = before | {id(part) for part in ast.walk(node)}
        self.generic_visit(node)
        self.limits = before

    def visit_Constant(self, node: ast.Constant) -> None:
        written = self._written(node)
        if type(node.value) is int:
            self._put(node, hex(node.value + 1) if written.startswith("0x") else repr(node.value + 1))
        elif type(node.value) is float:
            self._put(node, repr(self._changed(node.value, written, id(node) in self.limits)))

    def _changed(self, value: float, written: str, limit: bool) -> float:
        whole = value.is_integer()
        if value == 0:
            return PLAIN
        if (limit and not whole) or (whole and value >= LIMIT):
            return value / 2
        if value < TINY:
            return 2 * value
        digits = sum(character.isdigit() for character in written.partition("e")[0])
        return value * (1 + (ACCURATE if digits >= DIGITS else PLAIN))

    def _written(self, node: ast.expr) -> str:
        return self.lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()

    def _put(self, node: ast.expr, new: str) -> None:
        self.found.append((node.lineno, node.col_offset, self._written(node), new))

    def _put_comparison(self, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """The operator stands alone between its operands, parentheses aside."""
        line = self.lines[right.lineno - 1]
        begin = left.end_col_offset if left.end_lineno == right.lineno else 0
        column = begin + line[begin : right.col_offset].index(old.encode())
        self.found.append((right.lineno, column, old, new))
