"""Detection on fused images: labels, a detector, its training and its scores."""
