"""What meters measured: readings, and whole profile buffers as columns."""
