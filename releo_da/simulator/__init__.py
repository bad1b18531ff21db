"""The physical simulator on its own: canopies and angles in, reflectances of any sensor out.

    from releo_da import simulate
    result = simulate({**CANOPY, "lai": [0, 1, 4]}, "sentinel2a", {"sun_zenith": 30})

`simulate` takes and returns labelled arrays. The command ``releo-da simulate`` is the same function
of rows of a table. Both refuse what is unphysical at one place, `validity`; prior bounds are not
their limits.
"""

from releo_da.simulator.labelled import simulate
from releo_da.simulator.rows import Plan, plan, simulated
from releo_da.simulator.validity import CANOPY

__all__ = ["CANOPY", "Plan", "plan", "simulate", "simulated"]
