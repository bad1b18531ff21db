"""What a sensor is: channels, spectral response, noise; one data file per sensor."""

from releo_da.sensors.files import read_sensor
from releo_da.sensors.labels import channel_of, labels
from releo_da.sensors.load import is_path, load_sensor, sensor_names
from releo_da.sensors.noise import channel_error, instrument_error
from releo_da.sensors.response import FIRST_NM, LAST_NM
from releo_da.sensors.sensor import Sensor

__all__ = [
    "FIRST_NM",
    "LAST_NM",
    "Sensor",
    "channel_error",
    "channel_of",
    "instrument_error",
    "is_path",
    "labels",
    "load_sensor",
    "read_sensor",
    "sensor_names",
]
