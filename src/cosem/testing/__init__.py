"""The public bench: hypothesis strategies derived from the declarations of the protocol."""
