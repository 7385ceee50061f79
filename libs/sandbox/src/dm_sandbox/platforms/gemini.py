"""Gemini's REST protocol: ``generateContent`` with the real shapes, a scripted model or an exact script behind it.

It refuses what the real one refuses: a wrong key, an unknown role, a function call of the current turn without the
thought signature it came with (docs/platforms/gemini.md#thought-signatures), answers to calls that don't match in
number.
"""

import base64
import binascii
import itertools
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping

from dm_core.clock import Clock, system_clock
from dm_sandbox.platforms.answers import Body, turn
from dm_sandbox.platforms.faults import Fault, FaultKind
from dm_sandbox.platforms.gemini_files import file_tokens, unreadable
from dm_sandbox.platforms.model_request import ModelRequest, Part, parts_of
from dm_sandbox.platforms.scripted_model import answer_as_the_club
from dm_sandbox.platforms.server import Call, Platform, Reply, as_list, as_object

Scripted = Body | Callable[[ModelRequest], Body]
"""One scripted answer: the exact body (see ``answers``), or what computes it."""

_DATA = {"text", "functionCall", "functionResponse", "inlineData", "fileData", "executableCode", "codeExecutionResult"}
STATUSES = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}


class Refused(Exception):
    """A model behind the simulator gave no answer: the status, and why."""


class Gemini(Platform):
    """The simulator. Without a script ``model`` answers from the system instruction and the tools' results.

    ``latency`` in seconds a call. ``requests`` are the parsed requests, in order. A request that holds ``fails_on`` is
    answered with 500, one that holds ``refuses`` with 400, however often it comes.
    """

    name = "gemini"
    kind = "scripted"
    """Which model answers."""

    def __init__(self, api_key: str = "sandbox-gemini-key", port: int = 0, clock: Clock = system_clock) -> None:
        super().__init__(port, clock)
        self.api_key = api_key
        self.latency = 0.0
        self.fails_on = self.refuses = ""
        self.model: Callable[[ModelRequest], list[Part] | Awaitable[list[Part]]] = answer_as_the_club
        self.requests: list[ModelRequest] = []
        self._script: deque[Scripted] = deque()
        self._issued: set[bytes] = set()
        self._numbers = itertools.count(1)

    def script(self, answers: Iterable[Scripted]) -> None:
        """Answer the next calls with these, in order; ``model`` takes over when they are used up."""
        self._script.extend(answers)

    def operation(self, call: Call) -> str:
        matched = re.fullmatch(r"/v1(?:beta)?/models/[^/:]+(?::(generateContent))?", call.path)
        if matched is None or (call.method == "POST") is not bool(matched.group(1)):
            return "unknown"
        return matched.group(1) or "get"

    async def process(self, operation: str, call: Call) -> Reply:
        if operation == "unknown":
            return _error(404, f"{call.path} is not found")
        if call.headers.get("x-goog-api-key") != self.api_key:
            return _error(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")
        if operation == "get":
            return Reply({"name": call.path.rpartition("v1beta/")[2]})
        await self.pause(self.latency)
        request = ModelRequest.parse(call.body)
        self.requests.append(request)
        if self.fails_on and self.fails_on in str(request.contents):
            return _error(500, "An internal error has occurred.")
        refused = self.refuses and self.refuses in str(request.contents)
        problem = "Request contains an invalid argument." if refused else self._problem(request)
        if problem:
            return _error(400, problem)
        try:
            body = await self._answer_to(request)
        except Refused as refused:
            status, message = refused.args
            return _error(status, message)
        return Reply(self._completed(body, call, request), facts=_facts(body))

    async def think(self, request: ModelRequest) -> Body:
        """What is answered where no script is left."""
        parts = self.model(request)
        return turn(*(parts if isinstance(parts, list) else await parts))

    async def _answer_to(self, request: ModelRequest) -> Body:
        if not self._script:
            return await self.think(request)
        scripted = self._script.popleft()
        return scripted(request) if callable(scripted) else scripted

    def error(self, fault: Fault) -> Reply:
        usual = 429 if fault.kind is FaultKind.THROTTLE else 503
        status = fault.status or fault.code or usual
        message = fault.message or "The model is overloaded. Please try again later."
        delay = fault.retry_delay or (f"{fault.wait_minutes * 60}s" if fault.wait_minutes else "")
        return _error(status, message, delay=delay)

    def _problem(self, request: ModelRequest) -> str | None:
        """Why the real one would refuse this request, or None."""
        if not request.contents:
            return "GenerateContentRequest.contents: contents is not specified"
        for position, content in enumerate(request.contents):
            if content.get("role") not in ("user", "model"):
                return "Please use a valid role: user, model."
            if not as_list(content.get("parts")):
                return f"GenerateContentRequest.contents[{position}].parts: contents.parts must not be empty."
            for number, part in enumerate(parts_of(content)):
                if not _DATA & part.keys():
                    place = f"GenerateContentRequest.contents[{position}].parts[{number}].data"
                    return f"* {place}: required oneof field 'data' must have one initialized field\n"
        return unreadable(request.files) or _unanswered(request) or self._unsigned(request)

    def _unsigned(self, request: ModelRequest) -> str | None:
        """The first function call of each model turn of the current turn must carry the signature it came with."""
        for content in request.current_turn:
            calls = [part for part in parts_of(content) if "functionCall" in part]
            if content.get("role") != "model" or not calls:
                continue
            if _signature(calls[0]) not in self._issued:
                name = as_object(calls[0].get("functionCall")).get("name")
                return f"Function call `{name}` in the current turn is missing a thought_signature."
        return None

    def _completed(self, body: Body, call: Call, request: ModelRequest) -> Body:
        """The body with what every answer carries, where the script left it out; its signatures noted as issued."""
        number = next(self._numbers)
        for candidate in as_list(body.get("candidates")):
            for part in parts_of(as_object(as_object(candidate).get("content"))):
                issued = _signature(part)
                if issued:
                    self._issued.add(issued)
        model = call.path.rpartition("/")[2].partition(":")[0]
        written, text = len(json.dumps(body.get("candidates", ""))) // 4, request.size // 4
        tokens = {"TEXT": text, **file_tokens(request.files)}
        read = sum(tokens.values())
        usage: dict[str, object] = {
            "promptTokenCount": read,
            "promptTokensDetails": [{"modality": name, "tokenCount": count} for name, count in tokens.items()],
            "candidatesTokenCount": written,
            "thoughtsTokenCount": 32,
            "totalTokenCount": read + written + 32,
        }
        default = {"usageMetadata": usage, "modelVersion": model, "responseId": f"sandbox-{number:06d}"}
        return {**default, **body}


def _unanswered(request: ModelRequest) -> str | None:
    """Calls of a model turn that the next content does not answer one for one."""
    for content, following in zip(request.contents, [*request.contents[1:], {}], strict=True):
        calls = sum("functionCall" in part for part in parts_of(content))
        answers = sum("functionResponse" in part for part in parts_of(following))
        if content.get("role") == "model" and calls != answers:
            return (
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
    return None


def _signature(part: Part) -> bytes:
    """The signature's bytes; both base64 alphabets are accepted, as on the real wire."""
    written = part.get("thoughtSignature", part.get("thought_signature", ""))
    try:
        plain = str(written).replace("-", "+").replace("_", "/")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _error(status: int, message: str, reason: str = "", delay: str = "") -> Reply:
    word = STATUSES.get(status, "UNAVAILABLE" if status == 503 else "INTERNAL")
    details: list[object] = []
    if reason:
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason})
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    error: dict[str, object] = {"code": status, "message": message, "status": word}
    if details:
        error["details"] = details
    return Reply({"error": error}, status, facts={"error": f"{status} {message}"})


def _facts(body: Body) -> Mapping[str, str]:
    """What the answer asks for, for the event log."""
    names: list[str] = []
    for candidate in as_list(body.get("candidates")):
        for part in parts_of(as_object(as_object(candidate).get("content"))):
            name = as_object(part.get("functionCall")).get("name")
            names.append(str(name) if name else "text")
    return {"answer": ", ".join(names) or "nothing"}
