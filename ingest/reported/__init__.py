"""What sources computed themselves: signatures, calls and phenotypes, kept as they were published."""
