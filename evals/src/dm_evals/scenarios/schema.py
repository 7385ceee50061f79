"""The JSON schema of scenarios, for editors: made from the classes, with the names of tools, faults and ends in it."""

import json
from pathlib import Path
from typing import Final, cast

from dm_core.agent.tools.registry import TOOLS
from dm_evals.replay.digests import own_prompt
from dm_evals.scenarios.scenario import ENDS, Scenario

SCHEMA_PATH: Final = Path(__file__).parents[3] / "scenarios" / "schema.json"
RULINGS_SCHEMA_PATH: Final = SCHEMA_PATH.parents[1] / "rulings" / "schema.json"

type _Schema = dict[str, object]


def schema_text() -> str:
    """The file as it should be."""
    schema = cast("_Schema", Scenario.model_json_schema())
    tools = list(TOOLS)
    _property(schema, "Call", "tool")["enum"] = tools
    for name in ("forbidden", "allowed"):
        cast("_Schema", _property(schema, "Calls", name)["items"])["enum"] = tools
    _property(schema, "State", "messages")["propertyNames"] = {"enum": list(ENDS)}
    definitions = cast("dict[str, _Schema]", schema["$defs"])
    matcher = definitions["Matcher"]
    matcher |= {"minProperties": 1, "maxProperties": 2}
    _property(schema, "Matcher", "fact")["enum"] = [*own_prompt().profile.facts]
    bare = {"type": ["string", "number", "boolean"]}
    definitions["Matcher"] = {"description": matcher.pop("description", ""), "anyOf": [bare, matcher]}
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def rulings_schema_text() -> str:
    """Of ``rulings --authored FILE``."""
    from dm_evals.cli.rulings import AUTHORED

    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **AUTHORED.json_schema()}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def write_schema() -> None:
    """Write both files."""
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")
    RULINGS_SCHEMA_PATH.write_text(rulings_schema_text(), encoding="utf-8")


def _property(schema: _Schema, model: str, name: str) -> _Schema:
    definitions = cast("dict[str, dict[str, dict[str, _Schema]]]", schema["$defs"])
    return definitions[model]["properties"][name]
