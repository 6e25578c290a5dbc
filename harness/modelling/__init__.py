"""Join measurements and the performance model: calibrate, store, project, validate."""
