"""From latents to what a sensor measures, and how wrong that is."""
