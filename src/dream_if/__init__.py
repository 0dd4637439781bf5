"""Dream-IF: fusion of infrared and visible images by dynamic relative enhancement."""
