"""Pure decisions: values in, values out; no clock, network, disk, environment or logging."""
