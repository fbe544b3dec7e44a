//! File source and exactly-once file sink: JSON lines, CSV and Parquet.
