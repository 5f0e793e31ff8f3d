"""`make bench-nearby`: the nearest chargers among 50,000 in the SQLite store, beside a brute-force scan in the same run.

Places are drawn round North American cities, as charging networks lie: dense in towns, thin between them.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from actions.places.tables import cities
from chargeline.geo import distance_m
from ocpp_bridge.model import Charger, Site
from ocpp_bridge.store.sqlite import SqliteStore

CHARGERS = 50_000
A_SITE = 4
QUESTIONS = 400
SCANS = 20
TARGET_MS = 20.0


def network(chance: random.Random) -> tuple[list[Site], list[Charger]]:
    towns = [rows[0] for rows in cities().values() if rows[0].population > 3_000]
    weights = [town.population**0.7 for town in towns]
    sites, chargers = [], []
    for number in range(CHARGERS // A_SITE):
        town = chance.choices(towns, weights)[0]
        place = town.latitude + chance.gauss(0, 0.05), town.longitude + chance.gauss(0, 0.07)
        sites.append(Site(f"s{number}", f"Site {number}", *place))
        chargers += [Charger(f"CL-{number}-{one}", f"{number}{one}", f"s{number}") for one in range(A_SITE)]
    return sites, chargers


def scan(places: list[tuple[str, float, float]], latitude: float, longitude: float) -> list[tuple[float, str]]:
    return sorted((distance_m(latitude, longitude, there, at), id_) for id_, there, at in places)[:20]


def line(name: str, taken: list[float]) -> float:
    p50, p95 = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
    print(f"{name:<34}{p50:>9.2f}{p95:>9.2f}{max(taken):>9.2f}")
    return p95


async def main() -> int:
    chance = random.Random(7)
    sites, chargers = network(chance)
    where = {site.id: (site.latitude or 0.0, site.longitude or 0.0) for site in sites}
    places = [(charger.id, *where[charger.site]) for charger in chargers]
    asked = []
    for _ in range(QUESTIONS):
        latitude, longitude = where[chance.choice(sites).id]
        # A tenth of the drivers is in the middle of nowhere.
        spread = 2.0 if chance.random() < 0.1 else 0.05
        asked.append((latitude + chance.gauss(0, spread), longitude + chance.gauss(0, spread)))
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "bridge.sqlite3")
        await store.open()
        began = time.perf_counter()
        await store.put_sites(sites)
        await store.put_chargers(chargers)
        print(f"{len(chargers)} chargers at {len(sites)} sites stored in {time.perf_counter() - began:.1f} s\n")
        print(f"{'20 nearest, ms':<34}{'p50':>9}{'p95':>9}{'worst':>9}")
        taken = []
        for latitude, longitude in asked:
            began = time.perf_counter()
            found = await store.chargers_near(latitude, longitude, 300_000, 20)
            taken.append(1000 * (time.perf_counter() - began))
            del found
        p95 = line("R*Tree and haversine (the store)", taken)
        brute = []
        for latitude, longitude in asked[:SCANS]:
            began = time.perf_counter()
            wanted = scan(places, latitude, longitude)
            brute.append(1000 * (time.perf_counter() - began))
            found = await store.chargers_near(latitude, longitude, 20_000_000, 20)
            if [id_ for _, id_ in found] != [id_ for _, id_ in wanted]:
                print("the store and the scan disagree", file=sys.stderr)
                return 1
        line("brute force over all (Python)", brute)
        await store.close()
    held = p95 < TARGET_MS
    ratio = statistics.median(brute) / statistics.median(taken)
    print(
        f"\np95 {p95:.2f} ms, target {TARGET_MS:g} ms: {'held' if held else 'MISSED'}; {ratio:.0f} times a scan's speed"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
