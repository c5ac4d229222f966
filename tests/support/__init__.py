"""What tests share: fakes, samples, servers and the oracle."""
