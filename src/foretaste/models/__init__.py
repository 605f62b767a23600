"""The models, one file each: its config, its maths, its class, its paper."""
