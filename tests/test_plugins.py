"""Registries, and the plug-ins that fill them."""

import os
from pathlib import Path

import pytest

from kinestream import plugins
from kinestream.plugins import Registry, add_plugin, load_plugins


@pytest.fixture
def own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugins.VARIABLE, "")


def things() -> Registry[object]:
    return Registry("thing", {"circle": "kinestream.plugins"})


def test_a_registered_entry_is_found_by_each_of_its_names() -> None:
    registry = things()

    @registry.register("a", "b")
    class Mine: ...

    assert registry.get("a") is Mine
    assert registry.get("b") is Mine
    assert registry.names() == ("a", "b", "circle")


def test_an_unknown_name_names_the_nearest() -> None:
    registry = things()
    registry.add("square", object)
    with pytest.raises(ValueError, match="unknown thing 'sqare': did you mean square"):
        registry.get("sqare")


def test_an_unknown_name_of_a_damaged_file_is_one_line() -> None:
    with pytest.raises(ValueError, match=r"^unknown thing 'a\?b': there are circle$"):
        things().get("a\nb")


def test_a_name_is_taken_once_but_its_module_may_be_imported_twice() -> None:
    registry = things()

    class Mine: ...

    class Other: ...

    registry.add("a", Mine)
    registry.add("a", Mine)
    with pytest.raises(ValueError, match=r"thing 'a' is registered already, by .*Mine"):
        registry.add("a", Other)


def test_what_cannot_serve_is_refused_when_it_is_registered() -> None:
    def check(name: str, entry: object) -> None:
        if not callable(entry):
            raise ValueError(f"{name} cannot be called")

    registry: Registry[object] = Registry("thing", {}, check)
    with pytest.raises(ValueError, match="a cannot be called"):
        registry.add("a", 3)


@pytest.mark.usefixtures("own_variable")
def test_a_file_is_a_plug_in_once_and_child_processes_inherit_it(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("")
    file = tmp_path / "mine.py"
    file.write_text(f"import pathlib\np = pathlib.Path({str(count)!r})\np.write_text(p.read_text() + 'x')\n")
    add_plugin(str(file))
    load_plugins()
    assert count.read_text() == "x"
    assert str(file.resolve()) in os.environ[plugins.VARIABLE].split(os.pathsep)


@pytest.mark.usefixtures("own_variable")
def test_a_plug_in_that_fails_is_named_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("raise RuntimeError('two\\nlines')\n")
    with pytest.raises(ValueError, match=r"broken\.py.* cannot be loaded: RuntimeError: two lines"):
        add_plugin(str(file))
    os.environ[plugins.VARIABLE] = str(tmp_path / "absent.py")
    with pytest.raises(ValueError, match=r"no file"):
        load_plugins()


def test_installed_packages_are_looked_through_once(monkeypatch: pytest.MonkeyPatch, own_variable: None) -> None:
    import importlib.metadata

    looks: list[str] = []
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: looks.append(group) or ())
    plugins._declared.cache_clear()
    try:
        for _ in range(3):
            assert "square" not in things()
            load_plugins()
    finally:
        plugins._declared.cache_clear()
    assert looks == [plugins.GROUP]
