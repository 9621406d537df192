"""Foreign networks to NIR graphs: what snnTorch runs, what a checkpoint or a netx file holds."""
