"""What trains any Keras model whose loss is a sum of named terms; it knows no q, p or beta."""
