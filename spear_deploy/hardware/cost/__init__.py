"""What an inference costs: activity, traffic, time and energy."""
