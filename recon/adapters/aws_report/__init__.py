"""Reads AWS S3 Inventory reports: CSV, Parquet and ORC, a batch at a time."""

from recon.adapters.aws_report.files import AwsReportFiles

__all__ = ["AwsReportFiles"]
