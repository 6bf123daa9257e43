"""People: bone lengths and personal style.

Lengths are metres, angles radians. Pairs are (left, right).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

LEFT, RIGHT = 0, 1


@dataclass(frozen=True, kw_only=True)
class Person:
    """One body and how it likes to move."""

    lower_spine: float
    upper_spine: float
    neck: float
    head: float
    shoulder: float
    """Half the distance of the shoulders."""
    hip: float
    """Half the distance of the hips."""
    upper_arm: tuple[float, float]
    forearm: tuple[float, float]
    hand: float
    thigh: tuple[float, float]
    shank: tuple[float, float]
    foot: float
    ankle: float
    """Height of the ankle joint over the floor."""
    side: int
    """The preferred hand: LEFT or RIGHT."""
    tempo: float
    """Above 1 the person moves faster than most."""
    amplitude: float
    """Above 1 the person moves wider than most."""
    slouch: float
    """Forward curve of the spine at rest."""
    gaze: float
    """Pitch of the head at rest, positive down."""
    stance: float
    """Half the distance of the feet at rest."""
    toes: float
    """Outward turn of the feet."""
    elbow: float
    """How far the elbows stand off, 0 to 1."""
    restless: float
    """Size of idle sway, 1 is usual."""

    @property
    def arm(self) -> float:
        """Shoulder to wrist, the longer arm."""
        return max(self.upper_arm[side] + self.forearm[side] for side in (LEFT, RIGHT))

    @property
    def leg(self) -> float:
        """Hip to ankle, the shorter leg."""
        return min(self.thigh[side] + self.shank[side] for side in (LEFT, RIGHT))

    @property
    def standing(self) -> float:
        """Height of the pelvis over the floor, knees almost straight."""
        return 0.99 * self.leg + self.ankle + HIP_DROP * self.hip


HIP_DROP = 0.6
"""The hips lie this share of the half hip distance below the pelvis joint."""


def draw_person(rng: np.random.Generator) -> Person:
    """A grown person of 1.5 to 1.95 m, about one in five left-handed."""
    stature = float(np.clip(rng.normal(1.71, 0.1), 1.5, 1.95))
    trunk, arms, legs = 1 + 0.03 * rng.standard_normal(3)
    shoulders, hips = 1 + 0.07 * rng.standard_normal(2)
    uneven = 1 + 0.012 * rng.standard_normal((4, 2))

    def pair(share: float, row: int) -> tuple[float, float]:
        left, right = share * stature * uneven[row]
        return float(left), float(right)

    return Person(
        lower_spine=float(0.165 * stature * trunk),
        upper_spine=float(0.130 * stature * trunk),
        neck=float(0.045 * stature),
        head=float(0.092 * stature),
        shoulder=float(0.098 * stature * shoulders),
        hip=float(0.047 * stature * hips),
        upper_arm=pair(0.160 * arms, 0),
        forearm=pair(0.142 * arms, 1),
        hand=float(0.045 * stature),
        thigh=pair(0.238 * legs, 2),
        shank=pair(0.232 * legs, 3),
        foot=float(0.075 * stature),
        ankle=float(0.045 * stature),
        side=LEFT if rng.random() < 0.2 else RIGHT,
        tempo=float(np.exp(0.18 * rng.standard_normal())),
        amplitude=float(np.clip(rng.normal(1.0, 0.12), 0.75, 1.25)),
        slouch=float(np.clip(rng.normal(0.12, 0.08), -0.02, 0.32)),
        gaze=float(rng.normal(0.08, 0.1)),
        stance=float(np.clip(rng.normal(0.11, 0.035), 0.06, 0.2)),
        toes=float(np.clip(rng.normal(0.15, 0.12), -0.05, 0.45)),
        elbow=float(rng.uniform(0.2, 1.0)),
        restless=float(np.exp(0.4 * rng.standard_normal())),
    )


CHILDREN = 0.3
"""Their share of anybody."""


def draw_anybody(rng: np.random.Generator) -> Person:
    """A grown person, or a child from 0.6 of the size on, with shorter legs and a larger head for its size."""
    person = draw_person(rng)
    if rng.random() > CHILDREN:
        return person
    size, short = rng.uniform(0.6, 0.9), rng.uniform(0.85, 1.0)
    plain = ("lower_spine", "upper_spine", "neck", "shoulder", "hip", "hand", "foot", "ankle", "stance")
    small: dict[str, Any] = {name: float(getattr(person, name) * size) for name in plain}
    head = float(person.head * min(1.0, 1.2 * size))

    def pair(lengths: tuple[float, float], share: float) -> tuple[float, float]:
        return float(lengths[0] * share), float(lengths[1] * share)

    return replace(
        person,
        **small,
        head=head,
        upper_arm=pair(person.upper_arm, size),
        forearm=pair(person.forearm, size),
        thigh=pair(person.thigh, size * short),
        shank=pair(person.shank, size * short),
    )


def mood(person: Person, rng: np.random.Generator) -> Person:
    """The same body in another performance: as fast, wide, upright and restless as today."""
    return replace(
        person,
        tempo=float(person.tempo * np.exp(0.15 * rng.standard_normal())),
        amplitude=float(np.clip(person.amplitude * np.exp(0.12 * rng.standard_normal()), 0.65, 1.3)),
        slouch=float(np.clip(person.slouch + 0.06 * rng.standard_normal(), -0.05, 0.4)),
        gaze=float(person.gaze + 0.1 * rng.standard_normal()),
        stance=float(np.clip(person.stance * np.exp(0.3 * rng.standard_normal()), 0.05, 0.25)),
        elbow=float(rng.uniform(0.0, 1.0)),
        restless=float(person.restless * np.exp(0.3 * rng.standard_normal())),
    )
