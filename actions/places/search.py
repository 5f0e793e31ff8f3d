"""What a driver has said so far of where they are and what they need, and how it is kept between two messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actions.places.plugs import Wanted
from actions.places.resolve import Place

KINDS = frozenset({"pin", "coordinates", "postal_code", "site", "highway", "city"})


@dataclass(frozen=True, slots=True)
class Search:
    """`words`: this message. `asked`: it answers "where are you?". `pin`: a place shared with it, in degrees.

    `place` and `wanted` are of earlier messages, as is `option`: the charger and connector that were named first; `keep`:
    the driver has agreed to have that one held or watched.
    """

    words: str = ""
    asked: bool = False
    pin: tuple[float, float] | None = None
    place: Place | None = None
    wanted: Wanted = field(default_factory=Wanted)
    option: tuple[str, int] | None = None
    keep: bool = False

    def kept(self) -> dict[str, Any]:
        """As JSON, without this message's own words."""
        place, wanted = self.place, self.wanted
        return {
            "place": None
            if place is None
            else {
                "label": place.label,
                "lat": place.latitude,
                "lon": place.longitude,
                "kind": place.kind,
                "site": place.site,
            },
            "plugs": sorted(wanted.plugs),
            "speed": wanted.speed,
            "car": wanted.car,
            "option": None if self.option is None else list(self.option),
        }


def search_of(kept: Any) -> Search:
    """What `kept` gave. What a slot holds that is none of it (an earlier release's) is forgotten."""
    if not isinstance(kept, Mapping):
        return Search()
    try:
        place, option = kept.get("place"), kept.get("option")
        speed = kept.get("speed")
        return Search(
            place=None if place is None else _place(place),
            wanted=Wanted(
                frozenset(str(one) for one in kept.get("plugs") or ()),
                speed if speed in ("fast", "slow") else None,
                kept.get("car"),
            ),
            option=None if option is None else (str(option[0]), int(option[1])),
            keep=kept.get("keep") is True,
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return Search()


def _place(row: Mapping[str, Any]) -> Place:
    kind = row["kind"]
    if kind not in KINDS:
        raise ValueError(kind)
    return Place(str(row["label"]), float(row["lat"]), float(row["lon"]), kind, row.get("site"))
