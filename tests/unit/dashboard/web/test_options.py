"""Streamlit's options are those of the dashboard, whatever other apps on this machine have configured."""

import subprocess
import sys
from pathlib import Path

CODE = """
from services.dashboard.web.serving import load_options
load_options({"server.port": 8599})
import streamlit as st
print(st.get_option("server.port"), st.get_option("server.maxMessageSize"), st.get_option("theme.primaryColor"),
      st.get_option("secrets.files"))
"""
FILE = '[server]\nport = 1\nmaxMessageSize = 7\n[theme]\nprimaryColor = "#ff0000"\n'


def test_configuration_files_of_streamlit_have_no_effect(tmp_path: Path) -> None:
    for folder in ("home", "here"):
        (tmp_path / folder / ".streamlit").mkdir(parents=True)
        (tmp_path / folder / ".streamlit" / "config.toml").write_text(FILE)
    ended = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[4])},
        cwd=tmp_path / "here",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout == "8599 200 None []\n", ended.stderr
