"""Danger words: whether a driver's message may tell of smoke, fire, shock, heat or the like, in any of the languages, without a model.

Pure and quick, so that it works with everything else down. The patterns are data (words/<language>.yml); what is then said
and done is the front door's and the playbook's. A false alarm is cheap, a missed one is not.
"""

from __future__ import annotations

from bot.hazard.filter import Match, match

__all__ = ["Match", "match"]
