"""The stages of the main job, from a request to a run folder."""
