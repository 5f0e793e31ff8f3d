"""Which model a Rasa process serves: the folder's at start, the server's afterwards, and the old one where the new one is no good."""

# ruff: noqa: PT009 - unittest's own assertions: there is no pytest in the Rasa environment

import json
import os
import tempfile
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from unittest.mock import patch

from rasa.core import agent as rasa_agent
from rasa.utils.endpoints import EndpointConfig

from bot.nlu import live_model
from bot.nlu.service import install
from bot.trainer.models.shelf import etag_of

install()


class FakeAgent(SimpleNamespace):
    """As much of Rasa's agent as a swap touches."""

    def __init__(self):
        super().__init__(processor=None, domain=None, fingerprint="made up", tracker_store=SimpleNamespace(domain=None))
        self.lock_store = self.action_endpoint = self.nlg = self.http_interpreter = None

    def load_model(self, path, fingerprint):
        self.processor, self.fingerprint = Path(path).name, fingerprint

    def _set_fingerprint(self, fingerprint):
        self.fingerprint = fingerprint


class Server:
    """Serves one model by ETag, as the desk does, and keeps what it was asked with."""

    def __init__(self, etag):
        self.etag, self.held = etag, []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                held = self.headers.get("If-None-Match")
                server.held.append(held)
                known = held.lstrip("!") == server.etag
                self.send_response(304 if known else 200)
                self.send_header("ETag", server.etag)
                self.send_header("filename", "two.tar.gz")
                self.end_headers()
                if not known:
                    self.wfile.write(b"a model")

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = EndpointConfig(f"http://127.0.0.1:{self._http.server_address[1]}/models/live")
        Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()


class LiveModel(unittest.IsolatedAsyncioTestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name in ("one", "newest"):
            (self.folder / f"{name}.tar.gz").write_text(name)
        pointer = {"model": "one", "by": "ada", "at": "2026-11-27T12:00:00+00:00", "why": "", "before": []}
        (self.folder / "live.json").write_text(json.dumps(pointer))
        environment = patch.dict(os.environ, MODELS_DIR=folder.name)
        environment.start()
        self.addCleanup(environment.stop)
        self.server = Server('"two-1234"')
        self.addCleanup(self.server.close)
        self.agent = FakeAgent()

    async def test_rasa_uses_these_functions(self):
        self.assertIs(rasa_agent.load_from_server, live_model.load_from_server)
        self.assertIs(rasa_agent._update_model_from_server, live_model.update)

    async def test_a_start_takes_the_folders_live_model_and_needs_no_server(self):
        for url in ("", "${MODEL_SERVER_URL}"):
            await live_model.load_from_server(self.agent, EndpointConfig(url))
            self.assertEqual(self.agent.processor, "one.tar.gz")
            self.assertEqual(self.agent.fingerprint, etag_of(self.folder / "one.tar.gz"))
        with patch.object(rasa_agent, "_schedule_model_pulling") as scheduled:
            await live_model.load_from_server(
                self.agent, EndpointConfig("http://127.0.0.1:9/", wait_time_between_pulls=3)
            )
        self.assertEqual(self.agent.processor, "one.tar.gz")
        self.assertEqual(scheduled.call_args.args[1], 3)

    async def test_a_start_with_an_empty_folder_asks_the_server(self):
        for file in self.folder.iterdir():
            file.unlink()
        with patch.object(live_model, "MessageProcessor") as made, patch.object(rasa_agent, "_schedule_model_pulling"):
            await live_model.load_from_server(self.agent, self.server.endpoint)
        self.assertIs(self.agent.processor, made.return_value)

    async def test_another_live_model_is_swapped_in_once(self):
        self.agent.load_model("one.tar.gz", '"one-1"')
        with patch.object(live_model, "MessageProcessor") as made:
            await live_model.update(self.server.endpoint, self.agent)
            await live_model.update(self.server.endpoint, self.agent)
        self.assertEqual(made.call_count, 1)
        self.assertIs(self.agent.processor, made.return_value)
        self.assertIs(self.agent.tracker_store.domain, made.return_value.domain)
        self.assertEqual(self.server.held, ['"one-1"', '"two-1234"'])

    async def test_a_model_that_cannot_be_loaded_leaves_the_old_one_and_is_not_fetched_again(self):
        self.agent.load_model("one.tar.gz", '"one-1"')
        await live_model.update(self.server.endpoint, self.agent)  # what it serves is no model
        self.assertEqual((self.agent.processor, self.agent.fingerprint), ("one.tar.gz", '!"two-1234"'))
        await live_model.update(self.server.endpoint, self.agent)
        self.assertEqual(self.agent.processor, "one.tar.gz")

    async def test_a_server_that_is_away_changes_nothing(self):
        self.agent.load_model("one.tar.gz", '"one-1"')
        await live_model.update(EndpointConfig("http://127.0.0.1:9/"), self.agent)
        self.assertEqual((self.agent.processor, self.agent.fingerprint), ("one.tar.gz", '"one-1"'))


if __name__ == "__main__":
    unittest.main()
