"""The essential variables of the mission, and what this program can say of each.

One of three: it is a variable of the state, it is derived from the state by the same radiative
transfer, or it is not observable from these sensors, whose channels lie within 400-2500 nm, because
of what the text says.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Standing = Literal["state", "derived", "not observable from these sensors, because"]
UNSEEN: Standing = "not observable from these sensors, because"


class Essential(NamedTuple):
    """One essential variable.

    Attributes:
        name: as the mission calls it.
        standing: what it is here.
        variables: names under which it is estimated; none where it is not observable.
        text: how, or why not.
    """

    name: str
    standing: Standing
    variables: tuple[str, ...]
    text: str

    @property
    def sentence(self) -> str:
        """Standing and text in one line."""
        named = f": {', '.join(self.variables)};" if self.variables else ""
        return f"{self.standing}{named} {self.text}"


ESSENTIAL = (
    Essential(
        "leaf area index",
        "state",
        ("lai",),
        "all leaves, green or brown, on one side; the output lai_green is the green part of them",
    ),
    Essential(
        "soil moisture",
        "state",
        ("soil_moisture",),
        "of the surface, where ground shows between leaves; on request: "
        "state: {name: prosail, add: [soil_moisture]}",
    ),
    Essential(
        "fAPAR",
        "derived",
        ("fapar", "fapar_diffuse", "fapar_total"),
        "light absorbed by all leaves, under the sun of the date",
    ),
    Essential(
        "albedo",
        "derived",
        ("albedo", "albedo_black_sky", "albedo_white_sky"),
        "of vegetation and soil, without snow, water or buildings",
    ),
    Essential(
        "fire",
        "derived",
        ("nbr",),
        "a burn is a drop of nbr between two dates, the deeper the more severe; active fires and "
        "their power need channels near 4 and 11 um",
    ),
    Essential(
        "biomass",
        UNSEEN,
        (),
        "most of it is wood and stems under the leaves that a sensor sees, and reflectance hardly "
        "changes beyond a leaf area of about 5; radar and lidar sense it",
    ),
    Essential(
        "evaporation",
        UNSEEN,
        (),
        "it is a flux that follows radiation, temperature, humidity and wind from hour to hour, "
        "which leave no mark on reflectance; lai and albedo are inputs of its models",
    ),
    Essential(
        "land cover",
        UNSEEN,
        (),
        "a class is a name, not a quantity that reflectance follows from: spectra of two classes "
        "may be equal, and the canopy model knows vegetation on soil only; fcover says how much "
        "ground vegetation covers",
    ),
    Essential(
        "land surface temperature",
        UNSEEN,
        (),
        "it shows in light that the ground emits, beyond 3 um; within 400-2500 nm what leaves the "
        "ground is reflected sunlight",
    ),
    Essential(
        "soil carbon",
        UNSEEN,
        (),
        "a sensor sees the surface of bare ground and nothing below, and there the darkening by "
        "carbon cannot be told from that by water or minerals",
    ),
    Essential(
        "phenology",
        UNSEEN,
        (),
        "its dates belong to the course of a season, not to a spectrum: they can be read off the "
        "series of lai or ndvi in analysis.nc, which no command does",
    ),
    Essential(
        "productivity",
        UNSEEN,
        (),
        "carbon uptake depends on incoming light, temperature and water between the passes and on "
        "how efficiently the plants use light; fapar is the part that reflectance shows",
    ),
)
"""Every essential variable, estimated ones first."""
