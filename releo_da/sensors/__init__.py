"""What a sensor is: channels, spectral response, noise; one data file per sensor."""

from releo_da.sensors.sensor import (
    Sensor,
    channel_error,
    instrument_error,
    load_sensor,
    read_sensor,
    sensor_names,
)

__all__ = [
    "Sensor",
    "channel_error",
    "instrument_error",
    "load_sensor",
    "read_sensor",
    "sensor_names",
]
