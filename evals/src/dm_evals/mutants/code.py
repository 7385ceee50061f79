"""Defects of the production code as data (``evals/mutants/code.yaml``), planted by rewriting one function's source.

- {name: end_lost, wrong: the last 20 characters are lost, of: 'module:Class.send', old: text, new: 'text[:-20]'}
"""

import ast
import inspect
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, reduce
from importlib import import_module
from textwrap import dedent
from types import FunctionType
from typing import Final, cast

from dm_evals.cli.main import EVALS
from dm_evals.reading import Strict, Unusable, text_of, yaml_list
from dm_evals.replay.digests import own_prompt

TABLE: Final = EVALS / "mutants" / "code.yaml"


class Defect(Strict):
    """``old`` stands once in the source of the function ``of`` and becomes ``new``; ``first`` is done before all else.

    ``on``: the scenario whose replay shows it by what leaves the system or what the model is shown.
    """

    name: str
    wrong: str
    of: str
    old: str = ""
    new: str = ""
    first: str = ""
    on: str = ""

    @contextmanager
    def planted(self) -> Generator[None]:
        """Inside the block the whole process has it. Raises Unusable where the function is another one by now."""
        module, _, path = self.of.partition(":")
        *outer, name = path.split(".")
        try:
            owner = reduce(getattr, outer, cast("object", import_module(module)))
            before = cast("FunctionType", vars(owner)[name])
        except (ImportError, AttributeError, KeyError):
            raise Unusable(f"{self.name}: there is no {self.of}: mend it in evals/mutants/code.yaml") from None
        setattr(owner, name, self._rewritten(before))
        own_prompt.cache_clear()
        try:
            yield
        finally:
            setattr(owner, name, before)
            own_prompt.cache_clear()

    def _rewritten(self, before: FunctionType) -> object:
        source = dedent(inspect.getsource(before))
        if self.old and source.count(self.old) != 1:
            raise Unusable(f"{self.name}: {self.old!r} is not once in {self.of}: mend it in evals/mutants/code.yaml")
        tree = ast.parse(source.replace(self.old, self.new) if self.old else source)
        body = cast("ast.FunctionDef", tree.body[0]).body
        body[:0] = cast("Sequence[ast.stmt]", ast.parse(self.first).body)
        scope: dict[str, object] = {}
        exec(compile(ast.fix_missing_locations(tree), self.of, "exec"), before.__globals__, scope)  # noqa: S102
        return scope[before.__name__]


@cache
def defects() -> Mapping[str, Defect]:
    """By name."""
    return {each.name: each for each in yaml_list(text_of(TABLE), Defect, TABLE)}
