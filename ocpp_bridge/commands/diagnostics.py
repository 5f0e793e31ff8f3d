"""Have a charger upload its diagnostics or log to a place the operator names: the upload is done when the charger says so.

OCA test cases 1.6: TC_045_1, TC_045_2 (GetDiagnostics), TC_079 (GetLog); 2.0.1: TC_N_25.
"""

from __future__ import annotations

from datetime import timedelta

from ocpp_bridge.commands.base import Kind, Pending, Reply, Seen, View
from ocpp_bridge.commands.windows import Windows
from ocpp_bridge.model import Command
from ocpp_bridge.versions.base import Payload

DONE = frozenset({"Uploaded"})
FAILED = frozenset({"UploadFailed", "UploadFailure", "BadMessage", "NotSupportedOperation", "PermissionDenied"})


class _Upload(Kind):
    heard_as: tuple[str, ...] = ()

    def judge(self, command: Command, view: View, windows: Windows) -> Pending | Seen:
        assert command.sent_at is not None
        heard = [h for name in self.heard_as if (h := view.heard.get(name)) and h.at >= command.sent_at]
        last = max(heard, key=lambda found: found.at, default=None)
        effect = {**(command.effect or {}), "upload": last.status if last else None}
        if last is not None and last.status in DONE:
            return Seen("verified", "verified", effect=effect)
        if last is not None and last.status in FAILED:
            return Seen("not_verified", "upload_failed", effect=effect, detail=f"the charger says {last.status}")
        until = command.sent_at + timedelta(seconds=windows.upload_done_s)
        if view.now < until:
            return Pending(until, begun=last is not None)
        return Seen("not_verified", "accepted_no_effect", effect=effect, detail="the charger did not say it was done")


class GetDiagnostics(_Upload):
    name = "get_diagnostics"
    good_answers = frozenset({"file"})
    heard_as = ("DiagnosticsStatusNotification", "LogStatusNotification")

    def read(self, payload: Payload) -> Reply:
        """OCPP 1.6 answers with a file's name, or with nothing where there is none; OCPP 2 with a status."""
        if "status" in payload:
            good = payload["status"] in {"Accepted", "AcceptedCanceled"}
            return Reply("file" if good else str(payload["status"]), {"file": payload.get("filename")})
        name = payload.get("fileName")
        return Reply("file", {"file": name}) if name else Reply("NoFile")


class GetLog(GetDiagnostics):
    name = "get_log"
