"""Shared by Instagram and WhatsApp: the Graph API's errors and usage headers (docs/platforms/instagram.md#errors)."""

import json

from dm_sandbox.platforms.faults import Fault, FaultKind
from dm_sandbox.platforms.server import Reply


class GraphError(Exception):
    """A refusal of the platform."""

    def __init__(self, code: int, subcode: int, message: str, status: int = 400, details: str = "") -> None:
        super().__init__(message)
        self.code, self.subcode, self.message, self.status, self.details = code, subcode, message, status, details


def graph_reply(error: GraphError, kind: str, **headers: str) -> Reply:
    """The error as JSON, in the Graph API's shape; ``kind`` is its ``type`` word."""
    body: dict[str, object] = {"message": error.message, "type": kind, "code": error.code}
    if error.subcode:
        body["error_subcode"] = error.subcode
    if error.details:
        body["error_data"] = {"messaging_product": "whatsapp", "details": error.details}
    body["fbtrace_id"] = "AsandboxTraceId"
    facts = {"error": f"{error.code}/{error.subcode}" if error.subcode else str(error.code)}
    return Reply({"error": body}, error.status, headers, facts=facts)


def scripted_error(fault: Fault, usual: tuple[int, int], kind: str, account: str, limit_type: str) -> Reply:
    """A scripted fault as an answer; ``usual`` is the code and subcode where the script gave none.

    A throttle carries the header that says, in minutes, when access is regained.
    """
    code, subcode = (fault.code, fault.subcode) if fault.code else usual
    headers = dict(fault.headers)
    if fault.kind is FaultKind.THROTTLE:
        usage = {
            "type": limit_type,
            "call_count": 100,
            "total_cputime": 25,
            "total_time": 25,
            "estimated_time_to_regain_access": fault.wait_minutes,
        }
        headers["X-Business-Use-Case-Usage"] = json.dumps({account: [usage]})
    usual_status = 500 if code in (1, 2) or fault.kind is FaultKind.ERROR_AFTER else 400
    status = fault.status or usual_status
    if not fault.code and fault.status >= 500 and fault.kind is FaultKind.ERROR:
        code, subcode = 2, 0
    message = fault.message or "An unexpected error has occurred. Please retry your request later."
    return graph_reply(GraphError(code, subcode, message, status), kind, **headers)
