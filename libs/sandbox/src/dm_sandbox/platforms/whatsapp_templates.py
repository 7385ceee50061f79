"""Approved WhatsApp templates: fixed text around one or more variables, positional or named.

Rules and codes as users of the API report them: docs/platforms/whatsapp.md#template.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dm_sandbox.platforms.graph import GraphError
from dm_sandbox.platforms.server import as_list, as_object

MAX_BODY_CHARS = 1_024
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class ApprovedTemplate:
    """One template in one language. ``status`` other than APPROVED can't be sent."""

    name: str
    language: str = "en"
    body: str = "Message from your Instagram assistant: {{1}} Please open the conversation."
    status: str = "APPROVED"

    @property
    def variables(self) -> list[str]:
        return _VARIABLE.findall(self.body)

    def filled(self, template: Mapping[str, object]) -> tuple[str, str]:
        """The variables' texts and the whole body. Raises GraphError as the API refuses."""
        if self.status != "APPROVED":
            code = 132016 if self.status == "DISABLED" else 132015
            raise GraphError(code, 0, f"(#{code}) Template is {self.status.lower()}")
        given = [
            as_object(parameter)
            for component in as_list(template.get("components"))
            for parameter in as_list(as_object(component).get("parameters"))
        ]
        texts = [str(parameter.get("text", "")) for parameter in given]
        if len(texts) != len(self.variables):
            raise GraphError(132000, 0, "(#132000) Number of parameters does not match the expected number of params")
        self._check_names(given)
        for text in texts:
            if not text or "\n" in text or "\t" in text or "     " in text:
                details = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
                raise GraphError(100, 0, "(#100) Invalid parameter", details=details)
        values = iter(texts)
        body = _VARIABLE.sub(lambda _: next(values), self.body)
        if _utf16_length(body) > MAX_BODY_CHARS:
            raise GraphError(132005, 0, "(#132005) Translated text too long")
        return " ".join(texts), body

    def _check_names(self, given: list[Mapping[str, object]]) -> None:
        """A named variable must be named in the call."""
        named = [name for name in self.variables if not name.isdecimal()]
        if named and [parameter.get("parameter_name") for parameter in given] != named:
            raise GraphError(100, 0, "(#100) Invalid parameter", details="Parameter name is missing or empty")

    def listed(self) -> dict[str, object]:
        """As the account's list of templates has it."""
        return {"name": self.name, "status": self.status, "language": self.language, "id": f"9{len(self.name):014d}"}


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
