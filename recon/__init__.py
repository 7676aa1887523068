"""recon keeps a data lake complete: it compares what the lake should hold with what it holds."""

__version__ = "0.1.0"
