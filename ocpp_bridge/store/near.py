"""The nearest chargers in SQLite: a box of the R*Tree over sites, grown until it holds enough, then the exact distance.

Boxes are in degrees, on a sphere; where one crosses the date line or touches a pole it is cut or spans every longitude.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from math import asin, cos, degrees, radians, sin

from chargeline.geo import EARTH_M, distance_m

HALF_ROUND_M = 20_020_000.0  # no two places on earth are farther from each other
_FIRST_BOX_M = 4_000.0
_ROUNDED = 1e-4  # degrees, about 11 m: the R*Tree keeps 32-bit floats

TABLES = """
CREATE TABLE site_places (n INTEGER PRIMARY KEY, site TEXT NOT NULL UNIQUE, latitude REAL NOT NULL, longitude REAL NOT NULL);
CREATE VIRTUAL TABLE site_boxes USING rtree (n, south, north, west, east);
CREATE INDEX chargers_site ON chargers (doc ->> 'site');
INSERT INTO site_places (site, latitude, longitude)
    SELECT id, doc ->> 'latitude', doc ->> 'longitude' FROM sites
    WHERE doc ->> 'latitude' IS NOT NULL AND doc ->> 'longitude' IS NOT NULL;
INSERT INTO site_boxes SELECT n, latitude, latitude, longitude, longitude FROM site_places;
"""

Box = tuple[float, float, float, float]  # south, north, west, east


def place(c: sqlite3.Connection, sites: Iterable[tuple[str, float | None, float | None]]) -> None:
    """Puts each site (id, degrees) where it is now; one without coordinates is found no more."""
    for site, latitude, longitude in sites:
        known = c.execute("SELECT n FROM site_places WHERE site = ?", (site,)).fetchone()
        if known is not None:
            c.execute("DELETE FROM site_boxes WHERE n = ?", (known[0],))
            c.execute("DELETE FROM site_places WHERE n = ?", (known[0],))
        if latitude is None or longitude is None:
            continue
        values = (site, latitude, longitude)
        number = c.execute("INSERT INTO site_places (site, latitude, longitude) VALUES (?, ?, ?)", values).lastrowid
        c.execute("INSERT INTO site_boxes VALUES (?, ?, ?, ?, ?)", (number, latitude, latitude, longitude, longitude))


def nearest(
    c: sqlite3.Connection, latitude: float, longitude: float, radius_m: float, limit: int
) -> list[tuple[float, str]]:
    """Metres and ids of chargers within `radius_m`, the nearest first, those at one place by id."""
    radius_m = min(radius_m, HALF_ROUND_M)
    reach = min(radius_m, _FIRST_BOX_M)
    while True:
        sites = _sites(c, latitude, longitude, reach)
        found = _chargers(c, sites, limit)
        if len(found) >= limit or reach >= radius_m:
            return found
        reach = min(radius_m, reach * 4)


def _sites(c: sqlite3.Connection, latitude: float, longitude: float, reach_m: float) -> list[tuple[float, str]]:
    found: dict[str, float] = {}
    for box in boxes(latitude, longitude, reach_m):
        for site, there_latitude, there_longitude in c.execute(
            "SELECT site, latitude, longitude FROM site_boxes JOIN site_places USING (n)"
            " WHERE north >= ? AND south <= ? AND east >= ? AND west <= ?",
            box,
        ):
            away = distance_m(latitude, longitude, there_latitude, there_longitude)
            if away <= reach_m:
                found[site] = away
    return sorted((away, site) for site, away in found.items())


def _chargers(c: sqlite3.Connection, sites: Sequence[tuple[float, str]], limit: int) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    for away, site in sites:
        if len(found) >= limit and away > found[limit - 1][0]:
            break
        rows = c.execute("SELECT id FROM chargers WHERE doc ->> 'site' = ?", (site,)).fetchall()
        found.extend((away, row[0]) for row in rows)
    return sorted(found)[:limit]


def boxes(latitude: float, longitude: float, reach_m: float) -> Iterator[Box]:
    """What holds every place within `reach_m`: one box, or two at the date line."""
    angle = reach_m / EARTH_M
    south = latitude - degrees(angle) - _ROUNDED
    north = latitude + degrees(angle) + _ROUNDED
    if north >= 90 or south <= -90:
        yield max(-90.0, south), min(90.0, north), -180.0, 180.0
        return
    wide = sin(angle) / cos(radians(latitude)) if angle < 1.5 else 1.0
    if wide >= 1:
        yield south, north, -180.0, 180.0
        return
    half = degrees(asin(wide)) + _ROUNDED
    west, east = longitude - half, longitude + half
    if west < -180:
        yield south, north, west + 360, 180.0
    if east > 180:
        yield south, north, -180.0, east - 360
    yield south, north, max(-180.0, west), min(180.0, east)
