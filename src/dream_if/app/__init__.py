"""The browser demo: two pictures in, the fused one out, and what noise, rain and blur do to it."""
