"""The fields that schema types and roots are written with."""
