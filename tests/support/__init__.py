"""Helpers of several tests, such as small servers, a clock, and a driver of operators."""
