"""File readers, one module per format: bytes to rows, genes and blocks of the matrix, with no biology in them."""
