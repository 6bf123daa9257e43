"""Which joints a collection has: said by the file, by the user, by its data set or by its names, never by their number.

Twenty-five joints may be those of a Kinect or of OpenPose, seventeen those of COCO or of Human3.6M: arrays do not tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinestream.data.formats.incoming import MOST_BODIES, Asked, ExchangeError
from kinestream.data.recording import RecordingError, Source
from kinestream.skeleton.layout import COCO17, SkeletonLayout, layout_names, load_layout

_NAME_SCHEMES = ("ntu", "nw-ucla")
"""Formats whose file names are like no others', so that a recording of such a name has their joints."""
_SAY = "give --layout"


@dataclass(frozen=True, kw_only=True)
class Told:
    """The layout of a collection, and what to say of how it is known."""

    layout: SkeletonLayout
    notes: tuple[str, ...] = ()


def layout_told(
    joints: int,
    where: Path | str,
    asked: Asked,
    *,
    said: SkeletonLayout | None = None,
    names: Sequence[str] = (),
    planar: bool = False,
    scored: bool = False,
) -> Told:
    """The layout of bodies of so many joints.

    Args:
        said: by the file itself.
        names: of its recordings.
        planar: two coordinates. A data set and its names say which joints a sensor saw, not those of a pose estimator.
        scored: two coordinates with a score each in PYSKL's form, which defines 17 of them to be those of COCO.

    Raises:
        ExchangeError: nothing says it, or what does has another number of joints.
    """
    told = known_layout(where, asked, said=said, names=names, planar=planar)
    if told is None and planar and scored and joints == len(COCO17.joints):
        note = "layout coco17, as PYSKL defines 17 joints in 2D with scores; another is said with --layout"
        told = Told(layout=COCO17, notes=(note,))
    if told is None:
        raise ExchangeError(f"{where}: {joints} joints{' in 2D' if planar else ''}: {_SAY}, {_examples(joints)}")
    own = len(told.layout.joints)
    if own != joints:
        named = asked.dataset and asked.layout is None and said is None
        whose = f"{asked.dataset} has {own} ({told.layout.name}): is it another data set's?"
        raise ExchangeError(
            f"{where} has {joints} joints, " + (whose if named else f"layout {told.layout.name} has {own}")
        )
    return told


def known_layout(
    where: Path | str,
    asked: Asked,
    *,
    said: SkeletonLayout | None = None,
    names: Sequence[str] = (),
    planar: bool = False,
) -> Told | None:
    """The layout that somebody says, whatever the number of joints; None where nobody does. Raises ExchangeError where
    the user contradicts the file."""
    if said is not None:
        if asked.layout is not None and asked.layout != said:
            raise ExchangeError(f"{where} says that its layout is {said.name}: leave layout {asked.layout.name} out")
        own = asked.dataset_layout
        if own is not None and own != said and asked.layout is None and not planar:
            raise ExchangeError(
                f"{where} has {len(said.joints)} joints ({said.name}), {asked.dataset} has {len(own.joints)} "
                f"({own.name}): is it another data set's?"
            )
        return Told(layout=said)
    if asked.layout is not None:
        return Told(layout=asked.layout)
    if planar:
        return None
    if asked.dataset_layout is not None:
        return Told(layout=asked.dataset_layout)
    for form in _NAME_SCHEMES:
        found = _of_names(form, names)
        if found is not None:
            layout, scheme = found
            return Told(layout=layout, notes=(f"layout {layout.name}, as the names of the recordings say ({scheme})",))
    return None


def bodies_told(
    width: int,
    where: Path | str,
    asked: Asked,
    *,
    said: SkeletonLayout | None = None,
    names: Sequence[str] = (),
    planar: bool = False,
) -> tuple[Told, int, int]:
    """The layout, the number of bodies and of coordinates of frames that are rows of `width` numbers.

    Three coordinates are the rule of the form; two are taken only where no number of bodies in three fits, and the file
    or the user says the layout. `planar` says that the third is zero. Raises ExchangeError as `layout_told`.
    """
    told = known_layout(where, asked, said=said, names=names, planar=planar)
    if told is None:
        raise ExchangeError(f"{where}: frames of {width} numbers: {_SAY}, {_fitting(width)}")
    joints = len(told.layout.joints)
    for coordinates in (3,) if asked.layout is None and said is None else (3, 2):
        bodies, rest = divmod(width, joints * coordinates)
        if not rest and 1 <= bodies <= MOST_BODIES:
            note = f"frames of {width} numbers are {_bodies(bodies)} of {joints} joints in {coordinates}D"
            plain = coordinates == 3 and bodies <= 2 and asked.layout is None
            return Told(layout=told.layout, notes=(*told.notes, *(() if plain else (note,)))), bodies, coordinates
    raise ExchangeError(
        f"{where}: frames of {width} numbers are not one or more bodies of {joints} joints (layout {told.layout.name})"
        + (f": is it another data set's than {asked.dataset}?" if asked.dataset and asked.layout is None else "")
    )


def _of_names(form: str, names: Sequence[str]) -> tuple[SkeletonLayout, str] | None:
    from kinestream.data.formats import file_format  # it imports the forms that import this

    known = file_format(form)
    if known.layout is None or not names or not all(_is_named(known.parse_name, name + known.suffix) for name in names):
        return None
    return known.layout, known.name_scheme


def _is_named(parse: Callable[[Path], Source], name: str) -> bool:
    try:
        parse(Path(name))
    except (RecordingError, ValueError):
        return False
    return True


def _examples(joints: int) -> str:
    fitting = [name for name in layout_names() if len(load_layout(name).joints) == joints]
    return f"e.g. {', '.join(fitting)}" if fitting else _OWN_FILE


def _fitting(width: int) -> str:
    fitting = []
    for name in layout_names():
        bodies, rest = divmod(width, 3 * len(load_layout(name).joints))
        if not rest and 1 <= bodies <= 2:
            fitting.append(f"{name} ({_bodies(bodies)})")
    return f"e.g. {', '.join(fitting)}" if fitting else _OWN_FILE


def _bodies(count: int) -> str:
    return "1 body" if count == 1 else f"{count} bodies"


_OWN_FILE = "a .yaml file of your own: no layout of the package has so many"
