"""One running product for all end-to-end tests; each test begins with the network as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chargeline.processes import ROOT
from tests.e2e.stack import Stack, running


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not any((ROOT / "models").glob("*.tar.gz")):
        pytest.skip("there is no trained model; run make train")
    with running(tmp_path_factory.mktemp("stack") / "var") as stack:
        yield stack


@pytest.fixture
def stack(product: Stack) -> Stack:
    product.reset_network()
    return product
