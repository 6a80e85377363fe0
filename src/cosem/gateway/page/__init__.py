"""The status page: devices, values, qualities, frames and plots, for whoever looks after the gateway."""
