"""`GET /m/{latitude},{longitude}`: the short link of a text message leads to the way there. It can lead nowhere else."""

from __future__ import annotations

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import redirect

from bot.render.links import way_to
from chargeline.web import Problem


def blueprint() -> Blueprint:
    routes = Blueprint("links")

    @routes.get("/m/<place:str>", name="map")
    async def way(request: Request, place: str) -> HTTPResponse:
        there = way_to(place)
        if there is None:
            raise Problem(404, "not-found", "There is no such page.")
        return redirect(there, status=303)

    return routes
