"""The browser demo: two pictures in, the fused one out, with sliders for noise, rain and blur."""
