"""From an irregular series of any sensors to what it says of the state at any date."""
