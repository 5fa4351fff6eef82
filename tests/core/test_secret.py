"""A secret shows itself to nobody but `reveal`."""

from __future__ import annotations

import copy
import pickle

import pytest

from app.core.events import JoinWifi
from app.core.secret import Secret


def test_it_prints_as_dots():
    secret = Secret("sk-MARKED")
    shown = f"{secret} {secret!r} {[secret]} {JoinWifi('Home', secret)}"
    assert "MARKED" not in shown
    assert str(secret) == "•••"
    assert secret.reveal() == "sk-MARKED"


def test_it_is_not_written():
    with pytest.raises(TypeError):
        pickle.dumps(Secret("sk-MARKED"))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret("sk-MARKED"))


def test_it_compares_by_its_text():
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert Secret("a")
    assert not Secret("")
