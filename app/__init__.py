"""Parley: put a voice on an ESP32-S3 board, and talk with it."""

__version__ = "0.1.0"
