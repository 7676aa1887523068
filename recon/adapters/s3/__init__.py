"""The lake on S3, and on what speaks its protocol."""

from recon.adapters.s3.lister import S3Lister
from recon.adapters.s3.probe import Probe
from recon.adapters.s3.retry import Patience

__all__ = ["Patience", "Probe", "S3Lister"]
