"""Calls and thoughts that a model wrote out as text, in the spellings of every family of models: never sent, never
executed.

Structured calls reach us in their own field, and thoughts in parts that say so. What looks like one inside a text is a
slip of the model or of the server in front of it, and a person would be sent code. Executing it instead would let a
person's own words, quoted by the model, become a call. The spellings are collected in
``tests/unit/agent/data/written_calls.jsonl``, each with the model family it was reported of.
"""

import html
import json
import unicodedata
from dataclasses import fields
from functools import lru_cache
from typing import Final

import regex

from dm_core.agent.tools.registry import TOOLS

_FLAGS: Final = regex.IGNORECASE | regex.VERBOSE | regex.MULTILINE

_NAMES: Final = "|".join(r"[_\-]?".join(regex.escape(word) for word in name.split("_")) for name in TOOLS)
"""The tools' names; models also write them in camelCase and with hyphens."""
_EXACT_NAMES: Final = "|".join(map(regex.escape, TOOLS))
_ARGUMENTS: Final = "|".join(sorted({spec.name for tool in TOOLS.values() for spec in fields(tool.arguments)}))

_TAGS: Final = r"""(?:\w+:)?(?:tool|function)s?[_▁\ -]?(?:calls?|uses?|code|responses?|results?|outputs?|sep)
    (?:[_▁]\w+)?|(?:\w+:)?(?:invoke|parameter|functions?|tools?|arg_key|arg_value|start_function_call|end_function_call)
    |think(?:ing)?|thoughts?|reasoning|analysis|scratchpad|final(?:_answer)?|answer|response|reply|none|call_record
    |execute_tool|context|history|new_messages|done_so_far|(?:start|end)_of_(?:turn|text|image)|bos|eos|pad|/?s
    |unused\d+|ctrl\d+"""

_CONTROL: Final = regex.compile(
    rf"""
      <\|[^<>\n]{{1,60}}\|?>                                   # <|python_tag|> <|channel|> <|tool_call>
    | <[^<>|\n]{{1,40}}\|>                                      # <tool_call|>
    | <\s*/?\s*(?:{_TAGS})(?:[\s=][^<>]*)?/?>                   # <tool_call> <function=f> <invoke name="f"> <ctrl46>
    | <\s*/?\s*(?:tool_call|function_call|function=|invoke\s+name=|parameter[\s=]|\w+:(?:invoke|function_calls))
    | \[/?(?:TOOL_(?:CALLS?|RESULTS?|CONTENT|REQUEST)|AVAILABLE_TOOLS|CALL_ID|ARGS|END_TOOL_REQUEST)\]
    | </?(?:{_NAMES})\b
    | \b(?:default_api|tool_code|tool_outputs?|multi_tool_use)\b
    | ^[^\S\n]*(?:```|~~~)[^\S\n]*(?:tool|function)\w*[^\S\n]*$
    | \b(?:to|recipient)\s*=\s*functions\.\w
    | \bfunctions\.\w+(?::\d+|\s*[({{<])
    | (?-i:\b(?:{_EXACT_NAMES})\b)                             # no person has a use for a tool's name
    | ^[^\w\n]{{0,9}}(?:\d+>)?_?(?:thoughts?(?:\ process)?|thinking|reasoning)[ *_]*(?::|$)  # THOUGHT: The person asks
    | ^(?-i:model|user|assistant|system)[^\S\n]*$
    | \bcritical\ instruction\ \d | \bhistorical\ tool[\s_-]call | \[(?:tool|function)\ calls?:
    | \bassistant(?:commentary|analysis|final) | (?-i:\A\s*(?:analysis|commentary)(?=[A-Z]))
    """,
    _FLAGS,
)

_CALLED: Final = regex.compile(
    rf"""
      \b(?:{_NAMES})\b["'`*]*(?:\(|\s*[{{\[:=]|\s*\(\s*(?:\w+\s*[=:]|["'{{\[])|\s*->|\s*\n\s*[({{\["']
        |[ ]+(?:--?\w|["“]|(?:{_ARGUMENTS})\s*[:=]))
    | (?:\b(?:name|tool|tool_?name|function|function_?name|recipient_?name|action|method|call)["'`*]*\s*[:=]\s*["'`]?
        |\b(?:tool|function)[_\s-]?calls?\W{{0,6}})(?:\w+[.:])*(?:{_NAMES})\b
    | \bcall:[\w.:-]+\s*[({{]
    | (?<![\w.])[a-z_][\w.]*+\(\s*(?:{_ARGUMENTS})\s*[:=]\s*["'\[{{\d\w]      # x(text="…") f(limit=5)
    | (?<![\w.])[a-z_][\w.]*+\(\s*[a-z_]\w*\s*=\s*["']                        # a tool that does not exist
    | (?<![\w.])[a-z_][\w.]*+\(\s*\{{\s*["']?[a-z_]\w*["']?\s*:               # f({{"text": …}})
    | \bprint\(\s*[a-z_][\w.]*\(
    | ^[^\w\n]*action[_\s]input[^\w\n]*[:=]
    """,
    _FLAGS,
)

_KEYED: Final = regex.compile(
    r"""
      \\?["'](?:tool_?calls?|function_?calls?|tool_?uses|tool_?name|function_?name|recipient_?name|tool_?code
        |action_input|tool_?input|tool_?args|handle|attached_to|not_shown|first_contact|saved_notes)\\?["']\s*:
    | \\?["'](?:name|tool|function|action|type)\\?["']\s*:[^{}]{0,300}?\\?["'](?:arguments|parameters|args|input|kwargs)
        \\?["']\s*:
    | \\?["'](?:arguments|parameters|args)\\?["']\s*:[^{}]{0,20}[{\[\\"']
    """,
    _FLAGS,
)

_FENCE: Final = regex.compile(r"\A\s*(?:```|~~~)\w*\s*\n(.*?)\n?\s*(?:```|~~~)?\s*\Z", regex.DOTALL)
_OPENS_JSON: Final = regex.compile(r"""\A\[?\s*\{\s*["'][\w .-]{1,40}["']\s*:""")
_LIST_OF_CALLS: Final = regex.compile(r"\A\[\s*[a-z_][\w.]*\(.*\)\s*\]\Z", regex.DOTALL | regex.IGNORECASE)
_ONLY_A_NAME: Final = regex.compile(
    rf"\A\W*(?:{_NAMES}|null|(?-i:NO\ REPLY))\W*\Z | \A\s*[\[(*<]+no\ (?:reply|response)\b[^\n]{{0,40}}[\])*>]\s*\Z",
    regex.IGNORECASE | regex.VERBOSE,
)
_INVISIBLE: Final = regex.compile(r"[\p{Cf}\u00ad]")


@lru_cache(4)
def is_written_call(text: str) -> bool:
    """The text is, or holds, a tool call written out, or a token that steers a model rather than speaks to a person.

    An answer is read and planned one after the other, and each asks of the same text: so the newest are remembered.
    """
    plain = unicodedata.normalize("NFKC", _INVISIBLE.sub("", html.unescape(text)))
    if any(pattern.search(plain) for pattern in (_CONTROL, _CALLED, _KEYED)):
        return True
    whole = (found.group(1) if (found := _FENCE.match(plain)) else plain).strip()
    return bool(_ONLY_A_NAME.match(whole) or _LIST_OF_CALLS.match(whole)) or _is_json(whole)


def _is_json(whole: str) -> bool:
    """The whole text is data for a machine; cut short, its beginning still shows it."""
    if _OPENS_JSON.match(whole):
        return True
    if not whole.startswith(("{", "[")):
        return False
    try:
        value = json.loads(whole)
    except (ValueError, RecursionError):
        return False
    return bool(value) and (isinstance(value, dict) or all(isinstance(item, dict) for item in value))
