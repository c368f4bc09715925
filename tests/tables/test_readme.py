"""The table of README's second screen, run as it is printed but for the number of epochs."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.slow
def test_the_printed_table_is_learned_sampled_imputed_and_saved(tmp_path, monkeypatch):
    text = README.read_text(encoding="utf-8")
    (code,) = re.findall(r"## A table\n\n```python\n(.*?)```", text, re.S)
    assert "epochs=100" in code
    # Each of the calls at the end shows something: they are kept by name.
    code = re.sub(r"^vae\.(sample|impute|anomaly_score)", r"\1 = vae.\1", code, flags=re.M)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(code.replace("epochs=100", "epochs=3"), names)
    frame, sample, impute = names["frame"], names["sample"], names["impute"]
    assert list(sample.columns) == list(frame.columns) and len(sample) == 1000
    assert set(sample["cultivar"]) <= {"Barolo", "Grignolino", "Barbera"}
    assert frame["alcohol"].isna().sum() == 18 and not impute.isna().to_numpy().any()
    seen = frame["alcohol"].notna()
    np.testing.assert_allclose(impute["alcohol"][seen], frame["alcohol"][seen], rtol=1e-6)
    assert len(names["anomaly_score"]) == 3
    again = keras.saving.load_model(tmp_path / "wine.keras")
    np.testing.assert_allclose(
        again.anomaly_score(frame), names["vae"].anomaly_score(frame), rtol=1e-4
    )
