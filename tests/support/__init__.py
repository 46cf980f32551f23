"""What several tests use: small servers, a clock, a driver of operators."""
