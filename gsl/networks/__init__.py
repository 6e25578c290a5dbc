"""Networks to prune: small ones for small images, and the real ones for whoever has ImageNet. Kaiming start throughout."""
