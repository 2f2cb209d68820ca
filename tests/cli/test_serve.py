"""``shibori serve``: what it refuses before it serves."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("serve nowhere --out out", "there is no folder nowhere"),
        ("serve . --out out --hook-host example.org", "expected a secret of at least 16 characters"),
        ("serve . --out out --port {taken}", "cannot be used"),
    ],
)
def test_wrong_input_is_one_sentence(shibori, tmp_path, monkeypatch, line, said):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHIBORI_HOOK_SECRET", raising=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = shibori(line.format(taken=taken.getsockname()[1]))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), (result.stderr, result.exception)
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_short_token_is_refused(shibori, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHIBORI_TOKEN", "short")
    result = shibori("serve . --out out --host 0.0.0.0")
    assert result.exit_code == 2
    assert "at least 16 characters" in result.stderr
