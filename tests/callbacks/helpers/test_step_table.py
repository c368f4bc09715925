import pandas
import pytest

from keras_vae.callbacks.helpers.step_table import StepTable


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "table.csv"


def begun(path, last_step=0, names=("loss", "kl")):
    table = StepTable(path, names)
    table.begin(last_step)
    return table


def test_pandas_reads_what_was_added(path):
    table = begun(path)
    rows = [{"step": 1, "loss": 0.1, "kl": 1e-12}, {"step": 2, "loss": float("nan"), "kl": 3.0}]
    for row in rows:
        table.add(row)
    frame = pandas.read_csv(path)
    assert list(frame.columns) == ["step", "loss", "kl"]
    assert frame["step"].dtype == "int64"
    pandas.testing.assert_frame_equal(frame, pandas.DataFrame(rows))


def test_single_precision_is_written_short_and_exactly(path):
    table = begun(path)
    table.add({"step": 1, "loss": 0.0010000000474974513, "kl": 1 / 3})
    assert path.read_text() == "step,loss,kl\n1,0.001,0.3333333333333333\n"


def test_a_new_column_is_empty_in_the_rows_before(path):
    table = begun(path)
    table.add({"step": 1, "kl": 2.0, "unknown": 5})
    table.add({"step": 2, "kl": 1.0, "loss": 4.0})
    table.add({"step": 3, "loss": 3.0})
    assert path.read_text() == "step,loss,kl\n1,,2.0\n2,4.0,1.0\n3,3.0,\n"
    assert table.rows[0] == {"step": 1, "loss": None, "kl": 2.0}


def test_a_new_run_replaces_the_file_with_its_first_row(path):
    begun(path).add({"step": 1, "loss": 1.0})
    table = begun(path)
    assert path.exists()
    table.add({"step": 1, "loss": 2.0})
    assert path.read_text() == "step,loss\n1,2.0\n"


def test_a_resumed_run_keeps_the_rows_up_to_its_first_step(path):
    table = begun(path)
    for step in range(1, 6):
        table.add({"step": step, "loss": float(step)})
    table = begun(path, last_step=3)
    table.add({"step": 4, "loss": 40.0})
    assert [row["loss"] for row in table.rows] == [1.0, 2.0, 3.0, 40.0]


@pytest.mark.parametrize("tail", ["3", "3,", "3,0.1", "3,0.12", "3,0.123,7", "x,0.1,0.1\n", ",\n"])
def test_a_line_that_is_not_whole_is_dropped(path, tail):
    table = begun(path)
    for step in (1, 2):
        table.add({"step": step, "loss": 0.5, "kl": 0.5})
    with path.open("a") as file:
        file.write(tail)
    table = begun(path, last_step=3)
    table.add({"step": 4, "loss": 0.5, "kl": 0.5})
    assert [row["step"] for row in pandas.read_csv(path).to_dict("records")] == [1, 2, 4]


def test_columns_of_the_run_before_are_kept(path):
    begun(path, names=("loss", "kl")).add({"step": 1, "loss": 1.0, "kl": 2.0})
    table = begun(path, last_step=1, names=("loss", "elbo"))
    table.add({"step": 2, "loss": 3.0, "elbo": -4.0})
    assert table.rows == [
        {"step": 1, "loss": 1.0, "elbo": None, "kl": 2.0},
        {"step": 2, "loss": 3.0, "elbo": -4.0, "kl": None},
    ]


@pytest.mark.parametrize("content", ["", "step", "a,b\n1,2\n"])
def test_a_file_that_is_no_table_holds_no_rows(path, content):
    path.parent.mkdir()
    path.write_text(content)
    table = begun(path, last_step=9)
    table.add({"step": 10, "loss": 1.0})
    assert path.read_text() == "step,loss\n10,1.0\n"


def test_what_could_not_be_written_goes_with_the_next_row(path, monkeypatch):
    table = begun(path)
    table.add({"step": 1, "loss": 1.0})

    def half_written(self, *args, **kwargs):
        with open(self, "a") as file:
            file.write("2,0.")
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "open", half_written)
        with pytest.raises(OSError, match="No space left"):
            table.add({"step": 2, "loss": 2.0})
    assert path.read_text() == "step,loss\n1,1.0\n"
    table.add({"step": 3, "loss": 3.0})
    assert path.read_text() == "step,loss\n1,1.0\n2,2.0\n3,3.0\n"


def test_a_folder_that_was_removed_is_made_again(path):
    table = begun(path)
    table.add({"step": 1, "loss": 1.0})
    path.unlink()
    path.parent.rmdir()
    table.add({"step": 2, "loss": 2.0})
    assert path.read_text() == "step,loss\n2,2.0\n"


def test_further_columns_come_behind_all_others(tmp_path):
    table = StepTable(tmp_path / "t.csv", ("loss", "elbo"))
    table.begin(0)
    table.add({"step": 1, "loss": 1.0, "a": 9.0})
    table.admit(["a", "b\nc", "loss"])
    table.add({"step": 2, "loss": 2.0, "elbo": 3.0, "a": 4.0, "b\nc": 5.0})
    names = ["step", "loss", "elbo", "a", "b\nc"]
    assert table.columns == names
    expected = [[1, 1.0, None, None, None], [2, 2.0, 3.0, 4.0, 5.0]]
    # Read by another run, which knows of no further columns.
    again = StepTable(tmp_path / "t.csv", ("loss", "elbo"))
    for rows in (table.rows, again.begin(2)):
        assert [[row[name] for name in names] for row in rows] == expected
    again.admit(["a"])
    again.add({"step": 3, "a": 6.0})
    assert again.columns == names and again.rows[-1]["a"] == 6.0
