"""Networks trained and tested on fused images: detectors and segmentation."""
