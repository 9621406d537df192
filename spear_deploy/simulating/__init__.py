"""Running a model and recording its spikes, in one arithmetic or several side by side."""
